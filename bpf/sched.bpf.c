// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * On-CPU time, switches and counters by cgroup, booked in the kernel at every switch.
 *
 * A *stint* is the time that one owner (a cgroup, the kernel threads, idle) holds a CPU without
 * another owner in between.  Each CPU has one open stint in cpus[]; a switch between tasks of the
 * same css_set only counts itself, any other closes the stint into a slot of the CPU's own and
 * opens the next.  Nothing on this path calls a helper, but for PMU reads where there is a PMU.
 *
 * Contents: maps and gates; owner (who is this task); account (close a stint, open the next);
 * the two hooks and sync.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "compat.bpf.h"
#include "sched.h"

/* ---- maps and gates ------------------------------------------------------------------------ */

/* Set before load; the verifier removes what a zero switches off. */
const volatile __u32 n_slots = 64;    /* per CPU */
const volatile __u32 n_cpus = 1;      /* possible */
const volatile __u32 log_size = 128;  /* entries of a CPU's touched log; a power of two */
const volatile __u32 n_counters = 0;  /* PMU events in the counter maps */
const volatile __u32 subsys = ~0u;    /* v1: index of the controller that owns tasks; ~0: v2 */
const volatile bool guest = false;	  /* a hypervisor may steal time */

struct control control = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* n_cpus */
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* n_cpus * n_slots */
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

/* A ring per CPU of the slots touched since the tick: the reader's cost is what was active. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* n_cpus * log_size */
	__type(key, __u32);
	__type(value, __u64);
} touched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* n_cpus */
	__type(key, __u32);
	__type(value, struct tlb);
} tlbs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* n_slots */
	__type(key, __u64);	/* cgroup id */
	__type(value, __u32);	/* slot */
} slot_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1); /* n_slots; the agent fills it and gives back what is free again */
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
} free_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 1); /* n_cpus */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} cycles SEC(".maps"), instructions SEC(".maps");

/* One word at most between two ticks: "somebody works". */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} wake SEC(".maps");

/*
 * One handler for both hooks: pointers of tp_btf are trusted and loaded directly, those of raw_tp
 * go through bpf_probe_read_kernel.  `direct` is a constant after inlining.
 */
#define LOAD(direct, ptr, field) ((direct) ? (ptr)->field : BPF_CORE_READ(ptr, field))

/* ---- owner --------------------------------------------------------------------------------- */

static __always_inline struct cgroup *cgroup_of(struct css_set *set, const bool direct)
{
	struct cgroup_subsys_state *css = NULL;

	if (subsys == ~0u)
		return LOAD(direct, set, dfl_cgrp);
	if (direct) {
		/* subsys is known at load: the verifier sees a constant offset. */
		css = *(struct cgroup_subsys_state **)((void *)set +
						       bpf_core_field_offset(struct css_set, subsys) +
						       subsys * sizeof(void *));
		return css->cgroup;
	}
	bpf_probe_read_kernel(&css, sizeof(css),
			      (void *)set + bpf_core_field_offset(struct css_set, subsys) +
				      subsys * sizeof(void *));
	return BPF_CORE_READ(css, cgroup);
}

/* First sight of a cgroup on any CPU: take a free slot and tell the others through the hash. */
static __noinline __u32 slot_new(__u64 id)
{
	__u32 *known, slot;

	if (bpf_map_pop_elem(&free_slots, &slot))
		return SLOT_OVERFLOW;
	if (bpf_map_update_elem(&slot_of, &id, &slot, BPF_NOEXIST) == 0)
		return slot;

	/* Another CPU was faster (or the hash is full): give ours back. */
	bpf_map_push_elem(&free_slots, &slot, BPF_ANY);
	known = bpf_map_lookup_elem(&slot_of, &id);
	return known ? *known : SLOT_OVERFLOW;
}

static __always_inline struct slot *slot_at(__u32 cpu, __u32 slot)
{
	__u32 index = cpu * n_slots + slot;

	return bpf_map_lookup_elem(&slots, &index);
}

/* Not in this CPU's cache.  Overflow is not cached: a slot that becomes free is used at once. */
static __always_inline __u32 slot_miss(struct tlb_entry *entry, __u64 key, __u64 id, __u32 cpu)
{
	__u32 *known = bpf_map_lookup_elem(&slot_of, &id);
	__u32 number = known ? *known : slot_new(id);
	struct slot *slot;

	if (number == SLOT_OVERFLOW)
		return number;
	slot = slot_at(cpu, number);
	if (slot)
		slot->cgroup_id = id; /* the agent learns here whose slot it is */
	entry->cgroup = key;
	entry->slot = number;
	entry->generation = control.generation;
	return number;
}

static __always_inline __u32 slot_of_set(struct cpu_state *state, struct css_set *set, __u32 cpu,
					 const bool direct)
{
	struct cgroup *cgroup = cgroup_of(set, direct);
	struct tlb *tlb = bpf_map_lookup_elem(&tlbs, &cpu);
	struct tlb_entry *entry;
	__u64 key;

	if (!tlb)
		return SLOT_OVERFLOW;
	state->key = (__u64)cgroup;
	key = *(volatile __u64 *)&state->key;
	entry = &tlb->entry[((key * 0x9E3779B97F4A7C15ULL) >> 56) & (TLB_ENTRIES - 1)];
	if (entry->cgroup == key && entry->generation == (__u32)control.generation)
		return entry->slot;
	return slot_miss(entry, key, direct ? cgroup->kn->id : BPF_CORE_READ(cgroup, kn, id), cpu);
}

/* ---- account ------------------------------------------------------------------------------- */

/*
 * Time that is not the task's: rq->clock runs on, rq->clock_task stands still, for interrupts
 * where CONFIG_IRQ_TIME_ACCOUNTING keeps them apart and for steal in a guest.  cpuacct counts
 * clock_task, so what we take out is exactly what it leaves out.
 */
#define KEEPS_IRQ   bpf_core_field_exists(((struct rq *)0)->prev_irq_time)
#define TIME_APART  (guest || KEEPS_IRQ)

struct moment {
	__u64 now;   /* the run queue's clock */
	__u64 mono;  /* where `now` was made from it: CLOCK_MONOTONIC; else 0 */
	__u64 apart; /* rq->clock - rq->clock_task */
	__u64 irq;   /* rq->prev_irq_time */
	__u64 counter[MAX_COUNTERS];
};

/* The owner that takes the CPU over. */
struct next {
	__u64 cset;
	__u32 slot;
	__u32 kthread;
};

/* Tell the agent that a slot moved, once per slot and tick. */
static __always_inline void touch(struct cpu_state *state, struct slot *slot, __u32 number,
				  __u32 cpu)
{
	__u32 index = cpu * log_size + (state->log_head & (log_size - 1));
	__u64 *entry;

	if (slot->epoch == control.epoch)
		return;
	slot->epoch = control.epoch;
	entry = bpf_map_lookup_elem(&touched, &index);
	if (entry)
		*entry = number;
	state->log_head++;
}

static __always_inline void book_fixed(struct cpu_state *state, __u32 cpu, __u32 number,
				       __u64 ns)
{
	struct slot *slot = slot_at(cpu, number);

	if (!slot || !ns)
		return;
	slot->ns += ns;
	touch(state, slot, number, cpu);
}

/* PMU errors come as a negative errno in an unsigned word. */
#define IS_ERROR(value) ((value) >= (__u64)-4095)

static __always_inline void count(struct cpu_state *state, const struct moment *at,
				  struct slot *slot, int which, __u64 *total)
{
	__u64 before = state->counter[which], now = at->counter[which];

	if (IS_ERROR(now) || IS_ERROR(before)) {
		state->errors++;
		return;
	}
	if (slot && now > before)
		*total += now - before;
}

/* What was the hypervisor's or an interrupt's, not the owner's, goes to slots of its own. */
static __always_inline __u64 carve(struct cpu_state *state, const struct moment *at, __u32 cpu,
				   __u64 ns)
{
	__u64 apart = at->apart > state->apart ? at->apart - state->apart : 0, irq = 0;

	apart = apart < ns ? apart : ns;
	if (KEEPS_IRQ) {
		irq = at->irq > state->irq ? at->irq - state->irq : 0;
		irq = irq < apart ? irq : apart;
		book_fixed(state, cpu, SLOT_IRQ, irq);
	}
	book_fixed(state, cpu, SLOT_STEAL, apart - irq);
	return ns - apart;
}

/* Once per CPU and epoch: where the log is, how the run queue's clock stands to CLOCK_MONOTONIC. */
static __always_inline void enter_epoch(struct cpu_state *state, __u64 now, __u64 mono)
{
	state->epoch = control.epoch;
	state->log_mark = state->log_head;
	state->busy = 0;
	if (mono)
		return; /* a sync: its clock was made from the calibration */
	state->cal_clock = now;
	state->cal_mono = bpf_ktime_get_ns();
}

static __always_inline void wake_agent(struct cpu_state *state, __u64 ns)
{
	__u64 one = 1;

	if (state->slot == SLOT_IDLE)
		return;
	state->busy += ns;
	if (!control.wake_ns || state->busy < control.wake_ns || control.woken)
		return;
	control.woken = 1;
	bpf_ringbuf_output(&wake, &one, sizeof(one), BPF_RB_FORCE_WAKEUP);
}

/* Close the running stint and open the next one. */
static __always_inline void account(struct cpu_state *state, const struct moment *at, __u32 cpu,
				    const struct next *next)
{
	struct slot *slot = slot_at(cpu, state->slot);
	__u64 now = at->now, ns = 0;

	if (!slot)
		return;

	barrier();
	*(volatile __u64 *)&state->seq = state->seq + 1;
	barrier();

	if (state->epoch != control.epoch)
		enter_epoch(state, now, at->mono);
	if (state->start) {
		/* rq->clock may be older than the clock of a sync: never backwards. */
		if (now < state->start)
			now = state->start;
		ns = now - state->start;
		state->booked += ns;
		if (TIME_APART)
			ns = carve(state, at, cpu, ns);
		slot->ns += ns;
		if (n_counters && state->slot != SLOT_IDLE) {
			count(state, at, slot, 0, &slot->cycles);
			count(state, at, slot, 1, &slot->instructions);
		}
		slot->switches[0] += state->switches[0];
		slot->switches[1] += state->switches[1];
		touch(state, slot, state->slot, cpu);
	} else {
		state->t0 = now;
	}

	wake_agent(state, ns);
	state->start = now;
	state->slot = next->slot;
	state->cset = next->cset;
	state->kthread = next->kthread;
	state->switches[0] = 0;
	state->switches[1] = 0;
	if (n_counters) {
		state->counter[0] = at->counter[0];
		state->counter[1] = at->counter[1];
	}
	if (TIME_APART) {
		state->apart = at->apart;
		state->irq = at->irq;
	}
	if (next->slot == SLOT_OVERFLOW)
		state->overflow++;

	barrier();
	*(volatile __u64 *)&state->seq = state->seq + 1;
	barrier();
}

static __always_inline void read_counters(struct moment *at)
{
	if (!n_counters)
		return;
	at->counter[0] = bpf_perf_event_read(&cycles, BPF_F_CURRENT_CPU);
	at->counter[1] = bpf_perf_event_read(&instructions, BPF_F_CURRENT_CPU);
}

static __always_inline void owner_of(struct cpu_state *state, struct css_set *set, __u32 flags,
				     __u32 cpu, struct next *next, const bool direct)
{
	if (flags & PF_IDLE) {
		next->slot = SLOT_IDLE;
		return;
	}
	next->cset = (__u64)set;
	next->kthread = flags & PF_KTHREAD;
	next->slot = next->kthread ? SLOT_KERNEL : slot_of_set(state, set, cpu, direct);
}

/* The same, out of the way of the switch. */
static __noinline void account_apart(struct cpu_state *state, const struct moment *at, __u32 cpu,
				     const struct next *next)
{
	account(state, at, cpu, next);
}

/* ---- hooks --------------------------------------------------------------------------------- */

static __always_inline bool is_running(struct task_struct *task, const bool direct)
{
	struct task_struct___5_13 *old = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return LOAD(direct, task, __state) == 0;
	return LOAD(direct, old, state) == 0;
}

/* Who runs from here on. */
static __always_inline void run(struct cpu_state *state, struct task_struct *task,
				const bool direct)
{
	if (!direct)
		return; /* a probe read a switch is too much for this */
	state->task = (__u64)task;
	state->ran = task->se.sum_exec_runtime;
}

/*
 * A switch went by without its tracepoint: some kernels hide those of some tasks (seen in a guest
 * whose init may not be traced).  The task that we saw coming has left some time ago; when, its own
 * run time tells.  From then until now the CPU was prev's.
 */
static __noinline void on_missed(struct cpu_state *state, struct task_struct *prev,
				 const struct moment *at, __u32 cpu)
{
	struct task_struct *gone = (void *)state->task;
	struct moment left = *at;
	struct next owner = {};
	__u64 arrival = state->start;

	state->missed++;
	if (bpf_core_field_exists(gone->sched_info.last_arrival))
		arrival = BPF_CORE_READ(gone, sched_info.last_arrival);
	left.now = arrival + BPF_CORE_READ(gone, se.sum_exec_runtime) - state->ran;
	if (left.now <= state->start || left.now >= at->now)
		return;
	owner_of(state, prev->cgroups, prev->flags, cpu, &owner, true);
	account_apart(state, &left, cpu, &owner);
}

/* Another owner: close the stint, open the next. */
static __always_inline void on_change(struct cpu_state *state, struct task_struct *prev,
				      struct task_struct *next, struct rq *rq, __u32 cpu,
				      const bool direct)
{
	struct css_set *set = LOAD(direct, next, cgroups);
	__u32 flags = LOAD(direct, next, flags);
	struct moment at = {};
	struct next owner = {};

	if (rq) {
		at.now = rq->clock;
		if (TIME_APART)
			at.apart = at.now - rq->clock_task;
		if (KEEPS_IRQ)
			at.irq = rq->prev_irq_time;
	} else {
		at.now = bpf_ktime_get_ns();
	}
	read_counters(&at);
	if (direct && state->task && state->task != (__u64)prev)
		on_missed(state, prev, &at, cpu);
	owner_of(state, set, flags, cpu, &owner, direct);
	account(state, &at, cpu, &owner);
	run(state, next, direct);
}

/* Apart, so that the path of an unchanged owner keeps its registers. */
static __noinline void on_change_btf(struct cpu_state *state, struct task_struct *prev,
				     struct task_struct *next, struct rq *rq, __u32 cpu)
{
	on_change(state, prev, next, rq, cpu, true);
}

static __always_inline int on_switch(bool preempt, struct task_struct *prev,
				     struct task_struct *next, const bool direct)
{
	struct css_set *set = LOAD(direct, next, cgroups);
	__u32 flags = LOAD(direct, next, flags);
	struct cpu_state *state;
	struct rq *rq = NULL;
	__u32 cpu;

	/* The run queue's clock was read by __schedule() a moment ago, and costs nothing here. */
	if (direct && bpf_core_field_exists(prev->se.cfs_rq) && bpf_core_field_exists(rq->cpu)) {
		rq = prev->se.cfs_rq->rq;
		cpu = rq->cpu;
	} else {
		cpu = bpf_get_smp_processor_id();
	}
	state = bpf_map_lookup_elem(&cpus, &cpu);
	if (!state)
		return 0;
	if (!preempt && !is_running(prev, direct))
		state->switches[1]++;
	else
		state->switches[0]++;

	/*
	 * The same owner goes on.  The stored css_set must be that of prev as well: a running task
	 * that was moved to another cgroup would else keep its old owner for ever.  And prev must be
	 * the task that we saw coming: idle shares its css_set with the root cgroup.
	 */
	if ((__u64)set == state->cset && !((flags ^ state->kthread) & (PF_KTHREAD | PF_IDLE)) &&
	    set == LOAD(direct, prev, cgroups) && (!direct || state->task == (__u64)prev))
		run(state, next, direct);
	else if (direct)
		on_change_btf(state, prev, next, rq, cpu);
	else
		on_change(state, prev, next, NULL, cpu, false);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switch_btf, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_switch(preempt, prev, next, true);
}

SEC("raw_tp/sched_switch")
int switch_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return on_switch(ctx->args[0], (void *)ctx->args[1], (void *)ctx->args[2], false);
}

/*
 * Another CPU may move this run queue's clocks while we look: then the stint's old value stays,
 * and the next flush takes out the rest.
 */
static __always_inline void time_apart(struct task_struct *task, const struct cpu_state *state,
				       struct moment *at)
{
	struct rq *rq;
	__u64 before, clock;

	at->apart = state->apart;
	at->irq = state->irq;
	if (!TIME_APART || !state->t0 || !bpf_core_field_exists(task->se.cfs_rq))
		return;
	rq = BPF_CORE_READ(task, se.cfs_rq, rq);
	before = BPF_CORE_READ(rq, clock_task);
	clock = BPF_CORE_READ(rq, clock);
	if (before != BPF_CORE_READ(rq, clock_task))
		return;
	at->apart = clock - before;
	if (KEEPS_IRQ)
		at->irq = BPF_CORE_READ(rq, prev_irq_time);
}

/*
 * Close the running stint of this CPU and open it again with the owner that the task has now.
 * Never attached: the agent runs it with BPF_PROG_TEST_RUN on a busy CPU whose stint has grown old
 * (its counters, and a move to another cgroup, are not visible from outside), and once on every
 * CPU at start.  Interrupts are off, so it cannot meet a switch half-way.
 */
static __always_inline int sync_own_cpu(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	__u32 flags = BPF_CORE_READ(task, flags), cpu = bpf_get_smp_processor_id();
	struct cpu_state *state = bpf_map_lookup_elem(&cpus, &cpu);
	struct moment at = {};
	struct next owner = {};
	__u64 offset;

	if (!state)
		return 0;
	offset = state->cal_mono ? state->cal_mono - state->cal_clock : control.offset;
	at.mono = bpf_ktime_get_ns();
	at.now = at.mono - offset;
	time_apart(task, state, &at);
	read_counters(&at);
	owner_of(state, set, flags, cpu, &owner, false);
	account_apart(state, &at, cpu, &owner);
	state->task = (__u64)task;
	state->ran = BPF_CORE_READ(task, se.sum_exec_runtime);
	return 0;
}

SEC("raw_tp/sync")
int sync_cpu(void *ctx)
{
	return sync_own_cpu((void *)bpf_get_current_task());
}

/*
 * A task that moves itself (a shell that enters a container's cgroup) changes its owner here and
 * now.  One that is moved while it runs on another CPU keeps its old owner until its next switch
 * or sync: nobody can close its stint from here.
 */
static __always_inline int on_move(struct task_struct *task)
{
	struct task_struct *self = (void *)bpf_get_current_task();

	return task == self ? sync_own_cpu(self) : 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(move_btf, struct cgroup *to, const char *path, struct task_struct *task)
{
	return on_move(task);
}

SEC("raw_tp/cgroup_attach_task")
int move_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return on_move((void *)ctx->args[2]);
}

/* After this the cgroup's memory may become another's: no cached address is trusted any more. */
SEC("tp_btf/cgroup_release")
int release_btf(void *ctx)
{
	control.generation++;
	return 0;
}

SEC("raw_tp/cgroup_release")
int release_raw(void *ctx)
{
	control.generation++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
