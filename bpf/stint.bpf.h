/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stint: the time that one owner (a cgroup, the kernel threads, idle) holds a CPU without another
 * owner in between.  Each CPU has one open stint; account() closes it into a slot of the CPU's own
 * and opens the next.
 */
#ifndef PODJOULE_STINT_BPF_H
#define PODJOULE_STINT_BPF_H

#include "owner.bpf.h"

const volatile __u32 log_size = 128; /* entries of a CPU's touched log; a power of two */
const volatile __u32 n_counters = 0; /* PMU events in the counter maps */
const volatile bool guest = false;   /* a hypervisor may steal time */

/* One value a CPU: its state, its slots, its touched log (sched.h).  value_size is set before load.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct cpu_state));
} cpus SEC(".maps");

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
 * Time that is not the task's: rq->clock runs on, rq->clock_task stands still, for interrupts
 * where CONFIG_IRQ_TIME_ACCOUNTING keeps them apart and for steal in a guest.  cpuacct counts
 * clock_task, so what we take out is exactly what it leaves out.
 */
#define KEEPS_IRQ  bpf_core_field_exists(((struct rq *)0)->prev_irq_time)
#define TIME_APART (guest || KEEPS_IRQ)

struct moment {
	__u64 now;   /* the run queue's clock */
	__u64 mono;  /* where `now` was made from it: CLOCK_MONOTONIC; else 0 */
	__u64 apart; /* rq->clock - rq->clock_task */
	__u64 irq;   /* rq->prev_irq_time */
};

/* Tell the agent that a slot moved, once per slot and tick. */
static __always_inline void touch(struct cpu_state *state, struct slot *slot, __u32 number)
{
	__u64 *log = (void *)(state + 1) + (__u64)n_slots * sizeof(struct slot);

	if (slot->epoch == control.epoch)
		return;
	slot->epoch = control.epoch;
	log[state->log_head & (log_size - 1)] = number;
	state->log_head++;
}

static __always_inline void book_fixed(struct cpu_state *state, __u32 number, __u64 ns)
{
	struct slot *slot = slot_at(state, number);

	if (!ns || !slot)
		return;
	slot->ns += ns;
	touch(state, slot, number);
}

/* PMU errors come as a negative errno in an unsigned word. */
#define IS_ERROR(value) ((value) >= (__u64)-4095)

static __always_inline void count_one(struct cpu_state *state, int which, __u64 now, __u64 *total)
{
	__u64 before = state->counter[which];

	state->counter[which] = now;
	if (IS_ERROR(now) || IS_ERROR(before))
		state->errors++;
	else if (state->slot != SLOT_IDLE && now > before)
		*total += now - before;
}

/*
 * What is __noinline is rare.  A call is not cheap: where returns are guarded (AMD's SRSO) each
 * costs some 15 ns, so the way of a usual change has none.
 */
static __noinline void count(struct cpu_state *state, struct slot *slot)
{
	if (!slot)
		return;
	count_one(state, 0, bpf_perf_event_read(&cycles, BPF_F_CURRENT_CPU), &slot->cycles);
	count_one(state, 1, bpf_perf_event_read(&instructions, BPF_F_CURRENT_CPU),
		  &slot->instructions);
}

/* What was the hypervisor's or an interrupt's, not the owner's, goes to slots of its own. */
static __noinline __u64 carve(struct cpu_state *state, __u64 apart_now, __u64 irq_now, __u64 ns)
{
	__u64 apart = apart_now > state->apart ? apart_now - state->apart : 0, irq = 0;

	apart = apart < ns ? apart : ns;
	if (KEEPS_IRQ) {
		irq = irq_now > state->irq ? irq_now - state->irq : 0;
		irq = irq < apart ? irq : apart;
		book_fixed(state, SLOT_IRQ, irq);
	}
	book_fixed(state, SLOT_STEAL, apart - irq);
	return ns - apart;
}

/* Once per CPU and epoch: where the log is, how the run queue's clock stands to CLOCK_MONOTONIC. */
static __noinline void enter_epoch(struct cpu_state *state, __u64 now, __u64 mono)
{
	state->epoch = control.epoch;
	state->log_mark = state->log_head;
	state->busy = 0;
	if (mono)
		return; /* a sync: its clock was made from the calibration */
	state->cal_clock = now;
	state->cal_mono = bpf_ktime_get_ns();
}

static __noinline void wake_agent(struct cpu_state *state)
{
	__u64 one = 1;

	if (control.woken)
		return;
	control.woken = 1;
	bpf_ringbuf_output(&wake, &one, sizeof(one), BPF_RB_FORCE_WAKEUP);
}

/* Close the running stint and open the next one. */
static __always_inline void account(struct cpu_state *state, const struct moment *at,
				    const struct next *next)
{
	struct slot *slot = slot_at(state, state->slot);
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
		if (TIME_APART && at->apart != state->apart)
			ns = carve(state, at->apart, at->irq, ns);
		slot->ns += ns;
		if (n_counters)
			count(state, slot);
		slot->switches[0] += state->switches[0];
		slot->switches[1] += state->switches[1];
		touch(state, slot, state->slot);
	} else {
		state->t0 = now;
		if (n_counters)
			count(state, slot);
	}

	if (state->slot != SLOT_IDLE) {
		state->busy += ns;
		if (control.wake_ns && state->busy >= control.wake_ns)
			wake_agent(state);
	}
	state->start = now;
	state->slot = next->slot;
	state->cset = next->cset;
	state->kthread = next->kthread;
	state->switches[0] = 0;
	state->switches[1] = 0;
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

/* The same, out of the way of the switch. */
static __noinline void account_apart(struct cpu_state *state, const struct moment *at,
				     const struct next *next)
{
	account(state, at, next);
}

#endif
