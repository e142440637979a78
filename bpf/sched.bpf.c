// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * On-CPU time, switches and counters by cgroup, booked in the kernel at every switch.
 *
 * A switch between tasks of the same css_set only counts itself; any other closes the CPU's stint
 * and opens the next (stint.bpf.h), whose owner is looked up in a cache of the CPU's own
 * (owner.bpf.h).  Nothing on this path calls a helper, but for PMU reads where there is a PMU.
 *
 * Contents: the switch, in two variants; what it does when one was hidden; sync; moves and releases
 * of cgroups.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "compat.bpf.h"
#include "owner.bpf.h"
#include "sched.h"
#include "stint.bpf.h"

const volatile bool tracks_task = false; /* tp_btf: who runs is noted at every switch */

static __always_inline bool is_running(struct task_struct *task)
{
	struct task_struct___5_13 *old = (void *)task;

	return bpf_core_field_exists(task->__state) ? task->__state == 0 : old->state == 0;
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
 * run time tells.  From then until now the CPU was that of the task that we find (set, flags).
 */
static __noinline void on_missed(struct cpu_state *state, struct css_set *set, __u32 flags,
				 __u64 now)
{
	struct task_struct *gone = (void *)state->task;
	struct moment left = { .apart = state->apart, .irq = state->irq };
	struct next owner = { .cset = (__u64)set };
	__u64 arrival = state->start;
	__u32 slot;

	state->missed++;
	if (bpf_core_field_exists(gone->sched_info.last_arrival))
		arrival = BPF_CORE_READ(gone, sched_info.last_arrival);
	left.now = arrival + BPF_CORE_READ(gone, se.sum_exec_runtime) - state->ran;
	if (left.now <= state->start || left.now >= now)
		return;
	slot = slot_of_set(state, set, false) & ~ROOT_SLOT;
	owner_by_flags(flags, slot, &owner);
	account_apart(state, &left, &owner);
}

/* Another owner: close the stint, open the next. */
static __always_inline void on_change(struct cpu_state *state, struct task_struct *prev,
				      struct task_struct *next, struct css_set *set,
				      const bool direct)
{
	struct moment at = {};
	struct next owner = {};

	/* The run queue's clock was read by __schedule() a moment ago, and costs nothing here. */
	if (direct && bpf_core_field_exists(prev->se.cfs_rq)) {
		struct rq *rq = prev->se.cfs_rq->rq;

		at.now = rq->clock;
		if (TIME_APART)
			at.apart = at.now - rq->clock_task;
		if (KEEPS_IRQ)
			at.irq = rq->prev_irq_time;
	} else {
		at.now = bpf_ktime_get_ns();
	}
	if (direct && state->task && state->task != (__u64)prev)
		on_missed(state, prev->cgroups, prev->flags, at.now);
	if (direct)
		owner_direct(state, set, next->flags, &owner);
	else
		owner_probed(state, set, next, &owner);
	account(state, &at, &owner);
	run(state, next, direct);
}

/* The CPU that a task is on, without a helper: a call before 6.10. */
static __always_inline __u32 cpu_of(struct task_struct *task, const bool direct)
{
	struct task_struct___5_15 *old = (void *)task;

	if (direct && bpf_core_field_exists(task->thread_info.cpu))
		return task->thread_info.cpu;
	if (direct && bpf_core_field_exists(old->cpu))
		return old->cpu;
	return bpf_get_smp_processor_id();
}

/*
 * The same owner goes on.  The stored css_set must be that of prev as well: a running task that was
 * moved to another cgroup would else keep its old owner for ever.  With tp_btf, prev must also be
 * the task that we saw coming: idle shares its css_set with the root cgroup.
 */
static __always_inline bool same_owner(const struct cpu_state *state, struct task_struct *prev,
				       struct task_struct *next, struct css_set *set,
				       const bool direct)
{
	if ((__u64)set != state->cset || set != LOAD(direct, prev, cgroups))
		return false;
	return !direct || (state->task == (__u64)prev &&
			   !((next->flags ^ state->kthread) & (PF_KTHREAD | PF_IDLE)));
}

static __always_inline int on_switch(bool preempt, struct task_struct *prev,
				     struct task_struct *next, const bool direct)
{
	struct css_set *set = LOAD(direct, next, cgroups);
	__u32 cpu = cpu_of(next, direct);
	struct cpu_state *state = bpf_map_lookup_elem(&cpus, &cpu);

	if (!state)
		return 0;
	/* raw_tp spares the read: a task that yields counts as if it slept. */
	if (!preempt && !(direct && is_running(prev)))
		state->switches[1]++;
	else
		state->switches[0]++;

	if (same_owner(state, prev, next, set, direct))
		run(state, next, direct);
	else
		on_change(state, prev, next, set, direct);
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

	/* An interrupt may bring a sync into the middle of another one (of a task that moves
	 * itself): that one is at it already. */
	if (!state || (state->seq & 1))
		return 0;
	offset = state->cal_mono ? state->cal_mono - state->cal_clock : control.offset;
	at.mono = bpf_ktime_get_ns();
	at.now = at.mono - offset;
	time_apart(task, state, &at);
	if (tracks_task && state->task && state->task != (__u64)task)
		on_missed(state, set, flags, at.now);
	owner_probed(state, set, task, &owner);
	if (tracks_task)
		owner_by_flags(flags, owner.slot, &owner);
	if (tracks_task && owner.slot != SLOT_IDLE)
		owner.cset = (__u64)set;
	account_apart(state, &at, &owner);
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

/*
 * A new cgroup may lie where one that is gone has lain: no cached address is trusted any more.  The
 * kernel reports it before any task can enter.
 */
SEC("tp_btf/cgroup_mkdir")
int mkdir_btf(void *ctx)
{
	control.generation++;
	return 0;
}

SEC("raw_tp/cgroup_mkdir")
int mkdir_raw(void *ctx)
{
	control.generation++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
