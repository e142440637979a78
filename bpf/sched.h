/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Layouts that sched.bpf.c shares with the agent through mmap. */
#ifndef PODJOULE_SCHED_H
#define PODJOULE_SCHED_H

/* Fixed slots; they match enum owner of agent/activity/activity.h. */
#define SLOT_IDLE     0
#define SLOT_OVERFLOW 1
#define SLOT_KERNEL   2
#define SLOT_STEAL    3
#define SLOT_IRQ      4
#define SLOT_FIRST    5 /* the first one that a cgroup can get */

#define TLB_ENTRIES  256 /* per CPU, a power of two */
#define MAX_COUNTERS 2   /* cycles, instructions */

/*
 * Each CPU's cache from a cgroup to its slot.  Its key is an address that stands for the cgroup,
 * which saves three loads a switch; addresses are reused, so a new cgroup moves the generation on.
 */
struct tlb_entry {
	__u64 cgroup;
	__u32 slot;
	__u32 generation;
};

/*
 * One per CPU.  The first cache line is all that a switch within one cgroup touches.  Padded so
 * that no two CPUs share a line (a 120-byte state cost 20 ns a switch; hotpath.md trap 2).
 */
struct cpu_state {
	__u64 seq;         /* odd while being written */
	__u64 start;       /* rq->clock when the running stint began; 0: none yet */
	__u64 cset;        /* css_set of the running stint; 0: idle, never the fast path */
	__u32 slot;        /* who owns the running stint */
	__u32 kthread;     /* PF_KTHREAD of the running stint */
	__u64 switches[2]; /* [involuntary, voluntary] since the stint began (fast path) */
	__u64 task;        /* task_struct that runs, never followed without probing */
	__u64 ran;         /* its se.sum_exec_runtime when it began */

	/* What a change of owner needs besides. */
	__u64 booked;   /* time booked to slots since t0 */
	__u64 t0;       /* start of the first stint */
	__u64 apart;    /* rq->clock - rq->clock_task at the start of the stint */
	__u64 epoch;    /* last epoch that this CPU saw, */
	__u64 log_mark; /* and where in the log it began */
	__u64 log_head; /* touched log: entries ever written */
	__u64 busy;     /* busy time since the tick armed the wake-up */
	__u64 key;      /* scratch: the verifier lets no pointer be hashed, a stored one it does */

	/* The rest: where there is a PMU or interrupt time, once an epoch, or never. */
	__u64 counter[MAX_COUNTERS]; /* at the start of the stint */
	__u64 irq;                   /* rq->prev_irq_time, likewise */
	__u64 errors;                /* counter reads that failed */
	__u64 cal_clock;             /* one (rq->clock, CLOCK_MONOTONIC) pair per epoch */
	__u64 cal_mono;
	__u64 overflow; /* stints that found no slot */
	__u64 missed;   /* switches that the tracepoint did not show */

	struct tlb_entry tlb[TLB_ENTRIES];

	/* Behind it: struct slot slots[n_slots], then __u64 log[log_size], the touched log, a ring
	 * of the slots that moved since the tick: the reader's cost is what was active. */
};
_Static_assert(sizeof(struct cpu_state) == 192 + 16 * TLB_ENTRIES, "whole cache lines");

/* One per CPU and cgroup: written only by its CPU, read by the agent with plain loads. */
struct slot {
	__u64 ns;
	__u64 cycles;
	__u64 instructions;
	__u64 switches[2]; /* [involuntary, voluntary] */
	__u64 epoch;       /* logged in this epoch already */
	__u64 cgroup_id;   /* last owner */
	__u64 pad;
};
_Static_assert(sizeof(struct slot) == 64, "one cache line");

/* Words that the tick sets; one cache line, written once a tick. */
struct control {
	__u64 epoch;      /* moves with every tick */
	__u64 wake_ns;    /* wake the agent once a CPU has booked this much; 0: never */
	__u64 woken;      /* a record is on its way */
	__u64 generation; /* moves with every new cgroup */
	__u64 offset; /* CLOCK_MONOTONIC minus the run queues' clock, for a CPU never calibrated */
};

#endif
