/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the BPF activity driver: what bpf_load.c sets up and bpf.c reads. */
#ifndef PODJOULE_BPF_SOURCE_H
#define PODJOULE_BPF_SOURCE_H

#include <linux/types.h>

#include "activity/activity.h"
#include "bpf/sched.h"

struct sched_bpf;
struct life_bpf;
struct ring_buffer;

/* What the agent has read of one slot; the kernel's counters only grow. */
struct seen_slot {
	uint64_t ns, cycles, instructions, switches[2];
};

/* What a tick does to one row on one package. */
struct row_cell {
	int64_t delta_ns; /* gained in this tick */
	int64_t carry_ns; /* debts (< 0), time withheld (> 0) */
	uint64_t cycles;  /* gained in this tick */
};

/* What the agent knows of one CPU. */
struct seen_cpu {
	uint64_t log_tail; /* touched log entries taken */
	uint64_t read_ns;  /* sum of everything read from its slots since t0 */
	uint64_t t0;       /* of cpu_state, when it was first seen */
	/* CLOCK_MONOTONIC minus rq->clock: least of this and of the previous calibration window. */
	uint64_t offset, offset_before;
	uint64_t offset_ns; /* when this window began; 0: no calibration yet */
	uint64_t cal_mono;  /* of the newest one taken */
	uint32_t slot;      /* owner of the running stint */
	uint32_t live_slot; /* who was credited the running time of the last tick, */
	uint64_t live_ns;   /* and how much */
	bool online, listed, open;
};

struct gone_cgroup {
	uint64_t cgroup_id;
	uint64_t t_ns;
};

struct bpf_source {
	struct activity_source base;
	const struct host *host;
	const struct topology *topology;
	struct activity_sink sink;
	void (*exec)(void *ctx, int32_t pid, const char comm[16]); /* of the config, or NULL */
	struct hierarchy hierarchy;
	uint64_t root_id; /* of its root cgroup */

	struct sched_bpf *sched;
	struct life_bpf *life;
	struct ring_buffer *rings;
	int *counter_fds; /* [2 * n_cpus], -1 */

	/* Shared with the kernel. */
	volatile struct control *control;
	const void *cpus; /* [n_cpus], cpu_stride bytes each: bpf_cpu(), bpf_slot(), bpf_log() */
	size_t cpu_stride, cpus_size;
	unsigned int n_cpus, n_slots, log_size;
	bool direct;      /* tp_btf, not raw_tp */
	const char *step; /* of loading: "cannot STEP" */

	/* Ours. */
	struct seen_slot *seen;    /* [n_cpus * n_slots] */
	struct seen_cpu *seen_cpu; /* [n_cpus] */
	struct row_cell *cells;    /* [n_slots * n_packages] */
	uint32_t *carriers;        /* [n_slots] rows that carry any */
	uint32_t n_carriers;
	int64_t *owed;            /* [n_packages] debts less what is withheld */
	bool *marked;             /* [n_slots] in the active list */
	struct gone_cgroup *gone; /* ring of cgroups whose slots will be free soon */
	unsigned int gone_head, gone_tail, gone_size;
	uint64_t gone_lost; /* of those, what did not fit */
	uint64_t lost_seen; /* lost records when all cgroups were last told, */
	uint64_t walked_ns; /* and when that was */
	uint64_t online_check_ns;
	int online_fd;
};

/* A load of shared memory that the compiler must do, here and once. */
#define LOAD_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

/* Where a CPU's state, slots and touched log lie (sched.h). */
static inline const struct cpu_state *bpf_cpu(const struct bpf_source *source, unsigned int cpu)
{
	return (const void *)((const char *)source->cpus + cpu * source->cpu_stride);
}

static inline const struct slot *bpf_slot(const struct bpf_source *source, unsigned int cpu,
					  uint32_t slot)
{
	return (const struct slot *)(bpf_cpu(source, cpu) + 1) + slot;
}

static inline const uint64_t *bpf_log(const struct bpf_source *source, unsigned int cpu)
{
	return (const uint64_t *)bpf_slot(source, cpu, source->n_slots);
}

/* bpf_cpu.c.  Take what a CPU has booked and who runs on it; credit its running owner up to now. */
void bpf_read_cpu(struct bpf_source *source, unsigned int cpu);
void bpf_credit_running(struct bpf_source *source, unsigned int cpu, uint64_t now);
/* Take a pair that the kernel left; the same one twice counts once. */
void bpf_take_calibration(struct seen_cpu *seen, uint64_t cal_clock, uint64_t cal_mono);
/* A CPU that comes back online starts afresh: the time that it was away is nobody's. */
void bpf_restart_cpu(struct bpf_source *source, unsigned int cpu);

/* bpf_settle.c.  Put a row on the list of active ones, once. */
void bpf_mark_active(struct bpf_source *source, uint32_t row);
/* Turn this tick's gains into cumulative rows; a row starts over, for another
 * cgroup. */
void bpf_settle(struct bpf_source *source);
void bpf_forget_row(struct bpf_source *source, uint32_t slot);

/* bpf_life.c.  Open the rings; tell the sink of every cgroup there is; take the records; give back
 * the slots of cgroups that went long enough ago. */
int bpf_open_rings(struct bpf_source *source);
int bpf_tell_all(struct bpf_source *source);
void bpf_take_life(struct bpf_source *source, uint64_t now);
void bpf_free_gone(struct bpf_source *source, uint64_t now);

/* bpf_sync.c.  Run sync_cpu() on one CPU: 0 or -errno.  Open the first stint of every CPU. */
int bpf_sync(struct bpf_source *source, unsigned int cpu);
void bpf_open_stints(struct bpf_source *source);

/* bpf_load.c.  Open, load and attach; what cannot be is logged with its remedy.  0 or -errno. */
int bpf_load(struct bpf_source *source, const struct activity_config *config);
void bpf_unload(struct bpf_source *source);
/* Entries of a CPU's touched log: each slot at most once an epoch, and room for late ones. */
unsigned int bpf_log_size(unsigned int n_slots);

#endif
