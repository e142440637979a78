/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the BPF programs: gates and sizes first, then load, counters, attach, map.
 *
 * Two variants of each program exist.  tp_btf loads where the kernel has its own BTF; raw_tp with
 * probe reads is the way of kernels that need an external BTF file.  Whether one works is proved by
 * loading it.
 */
#include "activity/bpf_source.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/life.h"
#include "bpf/life.skel.h"
#include "bpf/sched.skel.h"
#include "platform/log.h"
#include "platform/scope.h"

#define COUNTER_MAX_NS  2000 /* a read(2) of an event takes some 500 ns, 1 us on slow machines */
#define LIFE_RING_BYTES (1u << 20) /* 5,000 cgroups a second at 1 Hz, 200 bytes each */

/* libbpf's own words, for --log-level=debug: what the verifier said is a message of many lines. */
__attribute__((format(printf, 2, 0))) static int print_libbpf(enum libbpf_print_level level,
							      const char *format, va_list args)
{
	_free_ char *text = NULL;
	char *line, *end;

	if (level == LIBBPF_DEBUG || log_level_now() < LOG_LEVEL_DEBUG)
		return 0;
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	for (line = text; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		log_debug("libbpf: %.*s", (int)(end - line), line);
	}
	return 0;
}

unsigned int bpf_log_size(unsigned int n_slots)
{
	unsigned int size = 64;

	while (size < n_slots + 64)
		size *= 2;
	return size;
}

/* Index of a v1 controller in css_set->subsys, from the kernel's own BTF. */
static int subsys_index(const char *controller, const char *btf_path, uint32_t *ret)
{
	struct btf *btf = btf_path ? btf__parse(btf_path, NULL) : btf__load_vmlinux_btf();
	const struct btf_type *type;
	const struct btf_enum *value;
	char wanted[64];
	int id, i, r = -ENODEV;

	if (!btf)
		return -errno;
	snprintf(wanted, sizeof(wanted), "%s_cgrp_id", controller);
	id = btf__find_by_name_kind(btf, "cgroup_subsys_id", BTF_KIND_ENUM);
	type = id > 0 ? btf__type_by_id(btf, id) : NULL;
	for (i = 0, value = type ? btf_enum(type) : NULL; type && i < btf_vlen(type);
	     i++, value++) {
		if (strcmp(btf__name_by_offset(btf, value->name_off), wanted) != 0)
			continue;
		*ret = value->val;
		r = 0;
	}
	btf__free(btf);
	return r;
}

static bool is_guest(const struct host *host)
{
	char text[16384];

	/* x86 says so in its flags; elsewhere a guest that has lost time shows it in /proc/stat. */
	if (host_read(host->proc_fd, "cpuinfo", text, sizeof(text)) > 0 &&
	    strstr(text, " hypervisor"))
		return true;
	if (host_read(host->proc_fd, "stat", text, sizeof(text)) > 0) {
		const char *at = text;
		int field;

		for (field = 0; field < 8 && at; field++) {
			at = strchr(at, ' ');
			at = at ? at + strspn(at, " ") : NULL;
		}
		return at && *at != '0';
	}
	return false;
}

static int set_sizes(struct bpf_source *source, const struct activity_config *config)
{
	struct sched_bpf *sched = source->sched;
	unsigned int cpus = source->n_cpus, slots = source->n_slots;
	int r = 0;

	sched->rodata->n_slots = slots;
	sched->rodata->log_size = source->log_size;
	sched->rodata->guest = is_guest(source->host);
	sched->rodata->root_id = source->root_id;
	if (!source->hierarchy.unified) {
		uint32_t index = 0;

		r = subsys_index(source->hierarchy.name, config->btf, &index);
		if (r < 0)
			return r;
		sched->rodata->subsys = index;
	}
	r |= bpf_map__set_max_entries(sched->maps.cpus, cpus);
	r |= bpf_map__set_value_size(sched->maps.cpus, source->cpu_stride);
	r |= bpf_map__set_max_entries(sched->maps.slot_of, slots);
	r |= bpf_map__set_max_entries(sched->maps.free_slots, slots);
	r |= bpf_map__set_max_entries(sched->maps.cycles, cpus);
	r |= bpf_map__set_max_entries(sched->maps.instructions, cpus);
	return r ? -EINVAL : 0;
}

/* ---- counters: two pinned events a CPU, so that nothing is multiplexed ------------------------
 */

static int open_counter(unsigned int cpu, uint64_t config)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = config,
		.pinned = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/*
 * Does it count, and at what price?  A pinned event that could not be scheduled reads as end of
 * file, a hypervisor's dead one as 0.  A hypervisor that traps every read makes it cost 10 us
 * instead of some 50 ns (seen in a guest): two of those at every change of cgroup would be more
 * than the switch itself, so such a PMU is left alone.
 */
static int judge_counter(const struct bpf_source *source, int fd, uint64_t *ret_ns)
{
	uint64_t value = 0, before, least = UINT64_MAX;
	int i;

	for (i = 0; i < 16; i++) {
		before = source->host->now_ns();
		if (read(fd, &value, sizeof(value)) != sizeof(value) || !value)
			return -ENODATA;
		least = MIN(least, source->host->now_ns() - before);
	}
	*ret_ns = least;
	return least > COUNTER_MAX_NS ? -EOPNOTSUPP : 0;
}

static void close_counters(struct bpf_source *source)
{
	unsigned int i;

	for (i = 0; source->counter_fds && i < 2 * source->n_cpus; i++) {
		if (source->counter_fds[i] >= 0)
			close(source->counter_fds[i]);
		source->counter_fds[i] = -1;
	}
}

/* True when cycles and instructions count on every online CPU.  Opened before load: the gate. */
static bool open_counters(struct bpf_source *source, bool any)
{
	static const uint64_t events[2] = { PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_HW_INSTRUCTIONS };
	unsigned int cpu, i;
	int self = sched_getcpu();

	for (cpu = 0; cpu < source->n_cpus; cpu++) {
		for (i = 0; i < 2 && source->seen_cpu[cpu].online; i++) {
			int fd = open_counter(cpu, events[i]), r = fd < 0 ? -errno : 0;
			uint64_t read_ns = 0;

			source->counter_fds[2 * cpu + i] = fd;
			if (r == 0 && (int)cpu == self)
				r = judge_counter(source, fd, &read_ns);
			if (r == -EOPNOTSUPP && any)
				r = 0;
			if (r == -EOPNOTSUPP)
				log_info("bpf: a PMU read takes %.1f us here (a hypervisor traps "
					 "it), ignoring the PMU",
					 (double)read_ns / 1e3);
			if (r < 0) {
				close_counters(source);
				return false;
			}
		}
	}
	return true;
}

static int give_counters(struct bpf_source *source)
{
	const int maps[2] = { bpf_map__fd(source->sched->maps.cycles),
			      bpf_map__fd(source->sched->maps.instructions) };
	unsigned int cpu, i;

	for (cpu = 0; cpu < source->n_cpus; cpu++) {
		for (i = 0; i < 2; i++) {
			int fd = source->counter_fds[2 * cpu + i];

			if (fd >= 0 && bpf_map_update_elem(maps[i], &cpu, &fd, BPF_ANY) < 0)
				return -errno;
		}
	}
	return 0;
}

/* ---- maps ------------------------------------------------------------------------------------ */

static int map_cpus(struct bpf_source *source)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (source->cpu_stride * source->n_cpus + page - 1) / page * page;
	void *at =
		mmap(NULL, size, PROT_READ, MAP_SHARED, bpf_map__fd(source->sched->maps.cpus), 0);

	if (at == MAP_FAILED)
		return -errno;
	source->cpus = at;
	source->cpus_size = size;
	source->control = &source->sched->bss->control;
	return 0;
}

static int fill_free_slots(struct bpf_source *source)
{
	int fd = bpf_map__fd(source->sched->maps.free_slots);
	uint32_t slot;

	for (slot = SLOT_FIRST; slot < source->n_slots; slot++) {
		if (bpf_map_update_elem(fd, NULL, &slot, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

/* ---- load and attach ---------------------------------------------------------------------------
 */

static int load_sched(struct bpf_source *source, const struct activity_config *config, bool direct,
		      bool counters)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = config->btf);
	int r;

	source->sched = sched_bpf__open_opts(&opts);
	if (!source->sched)
		return -errno;
	bpf_program__set_autoload(source->sched->progs.switch_btf, direct);
	bpf_program__set_autoload(source->sched->progs.switch_raw, !direct);
	bpf_program__set_autoload(source->sched->progs.move_btf, direct);
	bpf_program__set_autoload(source->sched->progs.mkdir_btf, direct);
	bpf_program__set_autoload(source->sched->progs.mkdir_raw, !direct);
	bpf_program__set_autoload(source->sched->progs.move_raw, !direct);
	bpf_program__set_autoattach(source->sched->progs.sync_cpu, false);
	source->sched->rodata->tracks_task = direct;
	source->sched->rodata->n_counters = counters ? 2 : 0;
	r = set_sizes(source, config);
	if (r == 0)
		r = sched_bpf__load(source->sched);
	if (r < 0) {
		sched_bpf__destroy(source->sched);
		source->sched = NULL;
		return r;
	}
	source->direct = direct;
	source->base.activity.has_counters = counters;
	return 0;
}

static int load_life(struct bpf_source *source, const struct activity_config *config)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = config->btf);
	struct life_bpf *life = life_bpf__open_opts(&opts);
	int r;

	if (!life)
		return -errno;
	source->life = life;
	bpf_program__set_autoload(life->progs.born_btf, source->direct);
	bpf_program__set_autoload(life->progs.gone_btf, source->direct);
	bpf_program__set_autoload(life->progs.born_raw, !source->direct);
	bpf_program__set_autoload(life->progs.gone_raw, !source->direct);
	bpf_program__set_autoload(life->progs.exec_raw, config->exec != NULL);
	source->exec = config->exec;
	life->rodata->hierarchy_id = source->hierarchy.id;
	life->rodata->ring_size = LIFE_RING_BYTES;
	bpf_map__set_max_entries(life->maps.events, LIFE_RING_BYTES);
	r = life_bpf__load(life);
	return r < 0 ? r : life_bpf__attach(life);
}

static int load_steps(struct bpf_source *source, const struct activity_config *config)
{
	bool counters = !config->no_counters && open_counters(source, config->any_counters);
	int r;

	source->step = "load its programs";
	r = config->raw_tracepoint ? -ENOTSUP : load_sched(source, config, true, counters);
	if (r < 0)
		r = load_sched(source, config, false, counters);
	if (r < 0)
		return r;
	source->step = "share its tables";
	r = counters ? give_counters(source) : 0;
	if (r == 0)
		r = map_cpus(source);
	if (r == 0)
		r = fill_free_slots(source);
	if (r < 0)
		return r;
	source->control->epoch = 1;

	/* Lifecycle first: a cgroup that comes between the two is known twice, never lost. */
	source->step = "attach to cgroup events";
	r = load_life(source, config);
	if (r < 0)
		return r;
	source->step = "attach to sched_switch";
	return sched_bpf__attach(source->sched);
}

static int explain(const struct bpf_source *source, const struct activity_config *config, int error)
{
	struct btf *btf = config->btf ? btf__parse(config->btf, NULL) : NULL;
	bool bad_file = config->btf && !btf;

	btf__free(btf);
	if (bad_file)
		return activity_refuse(config, "bpf", error, "give the BTF of this very kernel",
				       "--btf=%s: cannot be read as BTF", config->btf);
	if (error == -EPERM || error == -EACCES)
		return activity_refuse(config, "bpf", error,
				       "needs CAP_BPF and CAP_PERFMON; below kernel 5.11 "
				       "CAP_SYS_RESOURCE too",
				       "cannot %s: %s", source->step, strerror(-error));
	if (!config->btf && access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return activity_refuse(config, "bpf", error, "give it with --btf=FILE",
				       "the kernel has no BTF of its own");
	return activity_refuse(config, "bpf", error, "see --log-level=debug", "cannot %s: %s",
			       source->step, strerror(-error));
}

int bpf_load(struct bpf_source *source, const struct activity_config *config)
{
	int r;

	libbpf_set_print(print_libbpf);
	r = load_steps(source, config);
	if (r < 0)
		return explain(source, config, r);
	/* Parsing the kernel's BTF took 13 MB that nobody needs any more. */
	malloc_trim(0);
	return 0;
}

void bpf_unload(struct bpf_source *source)
{
	if (source->cpus)
		munmap((void *)source->cpus, source->cpus_size);
	sched_bpf__destroy(source->sched);
	life_bpf__destroy(source->life);
	if (source->counter_fds)
		close_counters(source);
}
