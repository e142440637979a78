/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activity from sched.bpf.c: every nanosecond of every CPU, read with plain loads.
 *
 * The read, in the order that makes a tick exact:
 *   1. move the epoch: from here on the kernel logs slots anew;
 *   2. take the lifecycle records: names before bookings, and time for a flush that still saw the
 *      old epoch to finish;
 *   3. per CPU, take the slots that its log names, then (under its sequence counter) who runs;
 *   4. take the time once, and credit each CPU's running owner with what is not in the slots yet:
 *      elapsed - read.  So the rows of a CPU sum to its elapsed time by construction, and a stint
 *      that never ends is billed while it runs.
 * What is credited in 4 is taken back in the next tick, when the slot itself has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "activity/bpf_source.h"
#include "bpf/life.skel.h"
#include "bpf/sched.skel.h"
#include "platform/log.h"
#include "platform/parse.h"
#include "platform/scope.h"

/* A running stint is fetched from its CPU when it is older than this: for its counters, which
 * weigh the energy of this very tick; for its steal; to see that its task was moved. */
#define SYNC_COUNTERS_NS 5000000ull
#define SYNC_STEAL_NS    250000000ull
#define SYNC_OWNER_NS    1000000000ull
#define PASS_NS          50000 /* a read that took longer is followed by another */
#define PASSES           8
#define ONLINE_EVERY_NS  3000000000ull

static struct bpf_source *bpf_of(struct activity_source *source)
{
	return container_of(source, struct bpf_source, base);
}

/* ---- hot-plug ---------------------------------------------------------------------------------
 */

static void list_online(unsigned int cpu, void *ctx)
{
	struct bpf_source *source = ctx;

	if (cpu < source->n_cpus)
		source->seen_cpu[cpu].listed = true;
}

/* An offline CPU looks like endless idle: only those that the kernel lists are counted. */
static void check_online(struct bpf_source *source, uint64_t now)
{
	unsigned int cpu, online = 0;
	char text[512];

	source->online_check_ns = now;
	if (host_pread(source->online_fd, text, sizeof(text)) <= 0)
		return;
	for (cpu = 0; cpu < source->n_cpus; cpu++)
		source->seen_cpu[cpu].listed = false;
	if (parse_cpulist(text, list_online, source) < 0)
		return;
	for (cpu = 0; cpu < source->n_cpus; cpu++) {
		struct seen_cpu *seen = &source->seen_cpu[cpu];

		online += seen->listed;
		if (seen->listed && !seen->online && source->cpus) {
			bpf_sync(source, cpu);
			bpf_restart_cpu(source, cpu);
		}
		seen->online = seen->listed;
	}
	source->base.activity.cpus = online;
}

/* How long our programs ran, where the operator has switched kernel.bpf_stats_enabled on. */
static void read_program_time(struct bpf_source *source)
{
	const struct bpf_program *programs[] = { source->sched->progs.switch_btf,
						 source->sched->progs.switch_raw };
	struct activity *activity = &source->base.activity;
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	uint64_t enabled = 0;

	if (host_read_u64(source->host->proc_fd, "sys/kernel/bpf_stats_enabled", &enabled) < 0 ||
	    !enabled)
		return;
	if (bpf_obj_get_info_by_fd(bpf_program__fd(programs[!source->direct]), &info, &size) < 0)
		return;
	activity->program_ns = info.run_time_ns;
	activity->has_program_ns = true;
}

/* What need not be asked at every tick. */
static void check_slowly(struct bpf_source *source, uint64_t now)
{
	check_online(source, now);
	read_program_time(source);
}

/* ---- the tick ---------------------------------------------------------------------------------
 */

/* Counters, steal and a changed owner of a running stint are only visible from its own CPU. */
static void sync_old_stints(struct bpf_source *source, uint64_t now)
{
	uint64_t limit = SYNC_OWNER_NS;
	unsigned int cpu;
	uint64_t start;

	if (source->sched->rodata->guest)
		limit = SYNC_STEAL_NS;
	if (source->base.activity.has_counters)
		limit = SYNC_COUNTERS_NS;

	for (cpu = 0; cpu < source->n_cpus; cpu++) {
		/* Never an idle CPU: the interrupt would wake it. */
		if (!source->seen_cpu[cpu].online ||
		    LOAD_ONCE(bpf_cpu(source, cpu)->slot) == SLOT_IDLE)
			continue;
		start = LOAD_ONCE(bpf_cpu(source, cpu)->start);
		if (!start || (int64_t)(now - start - source->control->offset) > (int64_t)limit)
			bpf_sync(source, cpu);
	}
}

static void count_losses(struct bpf_source *source)
{
	struct activity *activity = &source->base.activity;
	uint64_t overflow = 0, errors = 0;
	unsigned int cpu;

	for (cpu = 0; cpu < source->n_cpus; cpu++) {
		overflow += LOAD_ONCE(bpf_cpu(source, cpu)->overflow);
		errors += LOAD_ONCE(bpf_cpu(source, cpu)->errors);
	}
	activity->overflow_switches = overflow;
	activity->counter_errors = errors;
	activity->lost_events = source->gone_lost + source->life->bss->lost;
}

/*
 * Read every CPU and the time.  Who ran is known at each CPU's read, what is credited ends at the
 * time: when we were interrupted in between, read again what was touched meanwhile.
 */
static uint64_t read_cpus(struct bpf_source *source)
{
	unsigned int cpu, tries = 0;
	uint64_t begin, now = source->host->now_ns();

	do {
		begin = now;
		for (cpu = 0; cpu < source->n_cpus; cpu++) {
			if (source->seen_cpu[cpu].online)
				bpf_read_cpu(source, cpu);
		}
		now = source->host->now_ns();
	} while (now - begin > PASS_NS && ++tries < PASSES);
	return now;
}

static int bpf_collect(struct activity_source *base)
{
	struct bpf_source *source = bpf_of(base);
	struct activity *activity = &base->activity;
	uint64_t now = source->host->now_ns();
	unsigned int cpu;

	activity->n_active = 0;
	source->control->epoch++;
	source->control->woken = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);

	if (now - source->online_check_ns > ONLINE_EVERY_NS)
		check_slowly(source, now);
	bpf_take_life(source, now);
	sync_old_stints(source, now);
	now = read_cpus(source);
	/* Who was born while we read has its name before its time is told. */
	ring_buffer__consume(source->rings);
	for (cpu = 0; cpu < source->n_cpus; cpu++) {
		if (source->seen_cpu[cpu].online)
			bpf_credit_running(source, cpu, now);
	}
	bpf_free_gone(source, now);
	bpf_settle(source);
	count_losses(source);
	activity->t_ns = now;
	return 0;
}

static int bpf_pollfd(struct activity_source *base)
{
	return ring_buffer__epoll_fd(bpf_of(base)->rings);
}

static void bpf_arm(struct activity_source *base, uint64_t busy_ns)
{
	bpf_of(base)->control->wake_ns = busy_ns;
}

/* ---- open and close -----------------------------------------------------------------------------
 */

static void bpf_close(struct activity_source *base)
{
	struct bpf_source *source = base ? bpf_of(base) : NULL;

	if (!source)
		return;
	ring_buffer__free(source->rings);
	bpf_unload(source);
	activity_free(&base->activity);
	if (source->online_fd >= 0)
		close(source->online_fd);
	free(source->counter_fds);
	free(source->seen);
	free(source->seen_cpu);
	free(source->cells);
	free(source->carriers);
	free(source->marked);
	free(source->gone);
	free(source->owed);
	free(source);
}

static void close_bpf_source(struct bpf_source **source)
{
	if (*source)
		bpf_close(&(*source)->base);
}

static int alloc_tables(struct bpf_source *source)
{
	size_t slots = source->n_slots, cpus = source->n_cpus;
	size_t cells = slots * source->topology->n_packages;

	source->gone_size = source->n_slots + 65536;
	source->counter_fds = calloc(2 * cpus, sizeof(int));
	source->seen = calloc(cpus * slots, sizeof(*source->seen));
	source->seen_cpu = calloc(cpus, sizeof(*source->seen_cpu));
	source->cells = calloc(cells, sizeof(*source->cells));
	source->carriers = calloc(slots, sizeof(*source->carriers));
	source->marked = calloc(slots, sizeof(*source->marked));
	source->gone = calloc(source->gone_size, sizeof(*source->gone));
	source->owed = calloc(source->topology->n_packages, sizeof(*source->owed));
	if (!source->counter_fds || !source->seen || !source->seen_cpu || !source->cells ||
	    !source->carriers || !source->marked || !source->gone || !source->owed)
		return -ENOMEM;
	memset(source->counter_fds, 0xff, 2 * cpus * sizeof(int)); /* -1 */
	return activity_alloc(&source->base.activity, source->n_slots,
			      source->topology->n_packages);
}

static void ignore_born(void *ctx, uint64_t cgroup_id, const char *path, uint64_t t_ns)
{
	(void)ctx, (void)cgroup_id, (void)path, (void)t_ns;
}

static void ignore_gone(void *ctx, uint64_t cgroup_id, uint64_t t_ns)
{
	(void)ctx, (void)cgroup_id, (void)t_ns;
}

/* Everything until now was before the agent: rows start from zero at the moment of this read. */
static int start_from_zero(struct bpf_source *source)
{
	struct activity *activity = &source->base.activity;
	uint32_t row;
	int r = bpf_collect(&source->base);

	for (row = 0; row < activity->capacity; row++)
		memset(&activity->rows[row].usage, 0, sizeof(activity->rows[row].usage));
	memset(activity->weight, 0,
	       (size_t)activity->capacity * activity->n_packages * sizeof(*activity->weight));
	memset(activity->package_busy_ns, 0,
	       activity->n_packages * sizeof(*activity->package_busy_ns));
	activity->n_active = 0;
	return r;
}

static int bpf_open(const struct host *host, const struct activity_config *config,
		    struct activity_source **ret)
{
	static const struct activity_sink nobody = { .born = ignore_born, .gone = ignore_gone };
	_cleanup_(close_bpf_source) struct bpf_source *source = calloc(1, sizeof(*source));
	int possible = libbpf_num_possible_cpus(), r;
	struct stat root;

	if (!source)
		return -ENOMEM;
	if (possible <= 0)
		return possible;
	source->base.driver = &activity_bpf;
	source->host = host;
	source->topology = config->topology;
	source->sink = config->sink ? *config->sink : nobody;
	source->n_cpus = MIN((unsigned int)possible, (unsigned int)HOST_MAX_CPUS);
	source->n_slots = config->max_cgroups + SLOT_FIRST;
	source->log_size = bpf_log_size(source->n_slots);
	source->cpu_stride = sizeof(struct cpu_state) + source->n_slots * sizeof(struct slot) +
			     source->log_size * sizeof(uint64_t);
	r = hierarchy_find(host, config->hierarchy, &source->hierarchy);
	if (r < 0)
		return activity_refuse(config, "bpf", r, "mount a cgroup hierarchy",
				       "no cgroup hierarchy owns tasks");
	if (fstatat(host->cgroup_fd, *source->hierarchy.dir ? source->hierarchy.dir : ".", &root,
		    0) == 0)
		source->root_id = root.st_ino;
	source->base.hierarchy = source->hierarchy.name;
	r = alloc_tables(source);
	if (r < 0)
		return r;
	/* The driver's own kernel, whatever tree --sysfs shows. */
	source->online_fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	check_online(source, host->now_ns());
	r = bpf_load(source, config);
	if (r < 0)
		return r;
	bpf_open_stints(source);
	source->base.activity.unit =
		source->base.activity.has_counters ? WEIGHT_CYCLES : WEIGHT_TIME;
	r = bpf_open_rings(source);
	if (r < 0)
		return r;
	r = bpf_tell_all(source);
	if (r < 0)
		log_warn("bpf: cannot walk the cgroups that exist already: %s", strerror(-r));
	r = start_from_zero(source);
	if (r < 0)
		return r;
	*ret = &TAKE_PTR(source)->base;
	return 0;
}

const struct activity_driver activity_bpf = {
	.name = "bpf",
	.open = bpf_open,
	.collect = bpf_collect,
	.pollfd = bpf_pollfd,
	.arm = bpf_arm,
	.close = bpf_close,
};
