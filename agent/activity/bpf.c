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
#include "bpf/life.h"
#include "bpf/life.skel.h"
#include "bpf/sched.skel.h"
#include "platform/log.h"
#include "platform/parse.h"
#include "platform/scope.h"

#define FREE_AFTER_NS 1000000000ull /* a dying task may still book for a moment */
/* A running stint is fetched from its CPU when it is older than this: for its counters, which
 * weigh the energy of this very tick; for its steal; to see that its task was moved. */
#define SYNC_COUNTERS_NS 5000000ull
#define SYNC_STEAL_NS    250000000ull
#define SYNC_OWNER_NS    1000000000ull
#define PASS_NS          10000 /* a read that took longer is followed by another */
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
		if (seen->listed && !seen->online && source->cpus)
			bpf_restart_cpu(source, cpu);
		seen->online = seen->listed;
	}
	source->base.activity.cpus = online;
}

/* ---- lifecycle --------------------------------------------------------------------------------
 */

static int on_wake(void *ctx, void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return 0; /* the tick that is reading this is the answer */
}

static int on_life(void *ctx, void *data, size_t size)
{
	struct bpf_source *source = ctx;
	struct life_event *event = data;
	unsigned int next = (source->gone_head + 1) % source->gone_size;

	if (size < offsetof(struct life_event, path))
		return 0;
	if (event->kind == LIFE_BORN) {
		bool has_path = size > offsetof(struct life_event, path) && event->path_len;

		source->sink.born(source->sink.ctx, event->cgroup_id, has_path ? event->path : NULL,
				  event->t_ns);
		return 0;
	}
	source->sink.gone(source->sink.ctx, event->cgroup_id, event->t_ns);
	if (next == source->gone_tail) {
		source->gone_lost++;
		return 0;
	}
	source->gone[source->gone_head] = (struct gone_cgroup){ event->cgroup_id, event->t_ns };
	source->gone_head = next;
	return 0;
}

/*
 * Rows only grow, but what a row gained can be negative: steal, and the end of a stint whose switch
 * was not shown, become known when the stint is closed, after its owner was credited with that time
 * as running.  Such a row carries a debt and repays it with its next time; as long as it does, as
 * much is withheld from the rows that really had the time, so that every tick sums to its length.
 */
static struct row_cell *cell_of(struct bpf_source *source, uint32_t row, unsigned int package)
{
	return &source->cells[(size_t)row * source->base.activity.n_packages + package];
}

void bpf_forget_row(struct bpf_source *source, uint32_t slot)
{
	struct activity *activity = &source->base.activity;
	size_t at = (size_t)slot * activity->n_packages;
	unsigned int package;

	/* A debt that nobody can repay any more stays owed, and what is withheld for it withheld:
	 * the row was shown that time.  What the row itself withholds goes where such time belongs.
	 */
	for (package = 0; package < activity->n_packages; package++) {
		if (source->cells[at + package].carry_ns > 0)
			cell_of(source, OWNER_STEAL, package)->carry_ns +=
				source->cells[at + package].carry_ns;
	}
	memset(&activity->rows[slot], 0, sizeof(activity->rows[slot]));
	memset(&activity->weight[at], 0, activity->n_packages * sizeof(*activity->weight));
	memset(&source->cells[at], 0, activity->n_packages * sizeof(*source->cells));
}

/* Give back the slots of cgroups that went long enough ago: everything of theirs has been read. */
static void free_gone(struct bpf_source *source, uint64_t now)
{
	int slot_of = bpf_map__fd(source->sched->maps.slot_of);
	int free_slots = bpf_map__fd(source->sched->maps.free_slots);

	while (source->gone_tail != source->gone_head) {
		const struct gone_cgroup *gone = &source->gone[source->gone_tail];
		uint32_t slot;

		if (now - gone->t_ns < FREE_AFTER_NS)
			return;
		if (bpf_map_lookup_elem(slot_of, &gone->cgroup_id, &slot) == 0 &&
		    slot >= SLOT_FIRST && slot < source->n_slots) {
			if (source->marked[slot])
				return; /* the ledger has not seen its last time yet */
			bpf_map_delete_elem(slot_of, &gone->cgroup_id);
			bpf_forget_row(source, slot);
			bpf_map_update_elem(free_slots, NULL, &slot, BPF_ANY);
		}
		source->gone_tail = (source->gone_tail + 1) % source->gone_size;
	}
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

/* What a row has to show; debts stay behind and are added to *owed. */
static void settle_debt(struct row_cell *cell, int64_t *owed)
{
	cell->delta_ns += cell->carry_ns;
	*owed += cell->carry_ns; /* debts are negative, what was withheld is positive */
	cell->carry_ns = MIN(cell->delta_ns, 0);
	*owed -= cell->carry_ns;
	cell->delta_ns = MAX(cell->delta_ns, 0);
}

/* Give a row its time, less what is owed elsewhere. */
static void settle_row(struct bpf_source *source, uint32_t row, unsigned int package, int64_t *owed)
{
	struct activity *activity = &source->base.activity;
	struct row_cell *cell = cell_of(source, row, package);
	int64_t keep = MIN(cell->delta_ns, MAX(*owed, 0));
	uint64_t ns = (uint64_t)(cell->delta_ns - keep);

	cell->carry_ns += keep;
	*owed -= keep;
	activity->rows[row].usage.busy_ns += ns;
	activity->weight[(size_t)row * activity->n_packages + package] +=
		activity->unit == WEIGHT_CYCLES ? cell->cycles : ns;
	if (row != OWNER_IDLE && row != OWNER_STEAL)
		activity->package_busy_ns[package] += ns;
	cell->delta_ns = 0;
	cell->cycles = 0;
}

/* Turn this tick's deltas into cumulative rows. */
static void settle(struct bpf_source *source)
{
	/* Whose time it most often was: they wait first. */
	static const uint32_t first[] = { OWNER_STEAL, OWNER_IRQ, OWNER_IDLE, OWNER_KERNEL };
	struct activity *activity = &source->base.activity;
	unsigned int package;
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(first); i++)
		bpf_mark_active(source, first[i]);
	for (i = 0; i < source->n_carriers; i++)
		bpf_mark_active(source, source->carriers[i]);
	source->n_carriers = 0;
	for (package = 0; package < activity->n_packages; package++) {
		int64_t *owed = &source->owed[package];

		for (i = 0; i < activity->n_active; i++)
			settle_debt(cell_of(source, activity->active[i], package), owed);
		for (i = 0; i < ARRAY_SIZE(first); i++)
			settle_row(source, first[i], package, owed);
		for (i = 0; i < activity->n_active; i++)
			settle_row(source, activity->active[i], package, owed);
	}
	for (i = 0; i < activity->n_active; i++) {
		uint32_t row = activity->active[i];

		source->marked[row] = false;
		for (package = 0; package < activity->n_packages; package++) {
			if (!cell_of(source, row, package)->carry_ns)
				continue;
			source->carriers[source->n_carriers++] = row;
			break;
		}
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
		check_online(source, now);
	ring_buffer__consume(source->rings);
	sync_old_stints(source, now);
	now = read_cpus(source);
	/* Who was born while we read has its name before its time is told. */
	ring_buffer__consume(source->rings);
	for (cpu = 0; cpu < source->n_cpus; cpu++) {
		if (source->seen_cpu[cpu].online)
			bpf_credit_running(source, cpu, now);
	}
	free_gone(source, now);
	settle(source);
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

static int open_rings(struct bpf_source *source)
{
	source->rings =
		ring_buffer__new(bpf_map__fd(source->sched->maps.wake), on_wake, source, NULL);
	if (!source->rings)
		return log_errno(-errno, "bpf: cannot open the wake-up ring");
	if (ring_buffer__add(source->rings, bpf_map__fd(source->life->maps.events), on_life,
			     source) < 0)
		return log_errno(-errno, "bpf: cannot open the lifecycle ring");
	return 0;
}

static void tell_born(void *ctx, uint64_t cgroup_id, const char *path)
{
	struct bpf_source *source = ctx;

	source->sink.born(source->sink.ctx, cgroup_id, path, source->host->now_ns());
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
	source->base.activity.unit =
		source->base.activity.has_counters ? WEIGHT_CYCLES : WEIGHT_TIME;
	r = open_rings(source);
	if (r < 0)
		return r;
	r = hierarchy_walk(host, &source->hierarchy, tell_born, source);
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
