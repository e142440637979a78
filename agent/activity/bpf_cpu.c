/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading one CPU of the BPF activity source: its touched slots, who runs on it, and the time that
 * no slot has yet.  Plain loads of memory that the kernel writes; bpf.c has the order of a tick.
 */
#include "activity/bpf_source.h"

#include <string.h>

#include "bpf/sched.skel.h"
#include "platform/scope.h"

#define TORN_RETRIES   2000
#define AHEAD          12 /* entries of the log; beyond its head they are old ones, harmless */
#define CALIBRATION_NS 4000000000ull

#define BARRIER() __atomic_thread_fence(__ATOMIC_ACQUIRE)

/* ---- rows -------------------------------------------------------------------------------------
 */

static void credit(struct bpf_source *source, unsigned int cpu, uint32_t row, int64_t ns)
{
	unsigned int package = source->topology->package_of[cpu];

	if (!ns)
		return;
	source->cells[(size_t)row * source->base.activity.n_packages + package].delta_ns += ns;
	bpf_mark_active(source, row);
}

/* A row belongs to the cgroup that the CPU's slot names; a slot that was reused starts a new row.
 */
static void bind_row(struct bpf_source *source, unsigned int cpu, uint32_t slot)
{
	struct activity_row *row = &source->base.activity.rows[slot];
	uint64_t id;

	if (slot < SLOT_FIRST)
		return;
	id = LOAD_ONCE(bpf_slot(source, cpu, slot)->cgroup_id);
	if (row->cgroup_id == id)
		return;
	if (row->cgroup_id)
		bpf_forget_row(source, slot);
	row->cgroup_id = id;
}

/* What a slot gained since it was last read. */
static void take_slot(struct bpf_source *source, unsigned int cpu, uint32_t number)
{
	size_t at = (size_t)cpu * source->n_slots + number;
	const struct slot *slot = bpf_slot(source, cpu, number);
	struct seen_slot *seen = &source->seen[at];
	struct activity *activity = &source->base.activity;
	struct usage *usage = &activity->rows[number].usage;
	struct seen_slot now = {
		.ns = LOAD_ONCE(slot->ns),
		.cycles = LOAD_ONCE(slot->cycles),
		.instructions = LOAD_ONCE(slot->instructions),
		.switches = { LOAD_ONCE(slot->switches[0]), LOAD_ONCE(slot->switches[1]) },
	};
	unsigned int package = source->topology->package_of[cpu];
	uint64_t ns = now.ns - seen->ns;

	/* Taken again and nothing new: it may be the entry of a cgroup that is gone by now. */
	if (memcmp(&now, seen, sizeof(now)) == 0)
		return;
	bind_row(source, cpu, number);
	source->seen_cpu[cpu].read_ns += ns;
	credit(source, cpu, number, (int64_t)ns);
	usage->involuntary += now.switches[0] - seen->switches[0];
	usage->voluntary += now.switches[1] - seen->switches[1];
	usage->instructions += now.instructions - seen->instructions;
	usage->cycles += now.cycles - seen->cycles;
	source->cells[(size_t)number * activity->n_packages + package].cycles +=
		now.cycles - seen->cycles;
	bpf_mark_active(source, number);
	*seen = now;
}

/* ---- one CPU -------------------------------------------------------------------------------- */

static void prefetch_slot(const struct bpf_source *source, unsigned int cpu, uint32_t slot)
{
	if (slot >= source->n_slots)
		return;
	__builtin_prefetch(bpf_slot(source, cpu, slot));
	__builtin_prefetch(&source->seen[(size_t)cpu * source->n_slots + slot]);
	__builtin_prefetch(&source->base.activity.rows[slot]);
	__builtin_prefetch(&source->cells[(size_t)slot * source->base.activity.n_packages]);
}

/*
 * Take the slots that the log names.  A slot is logged once an epoch: what was logged in the epoch
 * that has just begun may gain more in it without another entry, so those entries stay in the log
 * and are taken again by the next tick.
 */
static void take_log(struct bpf_source *source, unsigned int cpu)
{
	const struct cpu_state *state = bpf_cpu(source, cpu);
	struct seen_cpu *seen = &source->seen_cpu[cpu];
	const uint64_t *log = bpf_log(source, cpu);
	uint64_t head = LOAD_ONCE(state->log_head), mark, at;
	uint32_t slot;
	bool begun;

	/* In this order: what is in the log up to head when the epoch has not begun yet is old. */
	BARRIER();
	mark = LOAD_ONCE(state->log_mark);
	BARRIER();
	begun = LOAD_ONCE(state->epoch) == source->control->epoch;
	BARRIER();
	if (head - seen->log_tail > source->log_size) {
		for (slot = 0; slot < source->n_slots; slot++)
			take_slot(source, cpu, slot);
	} else {
		for (at = seen->log_tail; at != head && at != seen->log_tail + AHEAD; at++)
			prefetch_slot(source, cpu, (uint32_t)log[at & (source->log_size - 1)]);
		for (at = seen->log_tail; at != head; at++) {
			/* Cold lines, one after the other: ask for those of the next but one now.
			 */
			prefetch_slot(source, cpu,
				      (uint32_t)log[(at + AHEAD) & (source->log_size - 1)]);
			slot = (uint32_t)LOAD_ONCE(log[at & (source->log_size - 1)]);
			if (slot < source->n_slots)
				take_slot(source, cpu, slot);
		}
	}
	/* A mark that is older than the epoch only means that more is taken again. */
	seen->log_tail = begun ? MAX(seen->log_tail, MIN(mark, head)) : head;
}

/*
 * rq->clock is as old as its last update, some microseconds when all is well and much more when the
 * hypervisor was in between or the scheduler skipped the update: so the least of many calibrations
 * is the true one.  Two windows of some seconds let it follow a clock that is being slewed.
 */
static uint64_t clock_offset(const struct bpf_source *source, const struct seen_cpu *seen)
{
	if (!seen->offset_ns)
		return source->control->offset;
	return (int64_t)(seen->offset_before - seen->offset) < 0 ? seen->offset_before
								 : seen->offset;
}

void bpf_take_calibration(struct seen_cpu *seen, uint64_t cal_clock, uint64_t cal_mono)
{
	uint64_t offset = cal_mono - cal_clock;

	if (!cal_mono || cal_mono == seen->cal_mono)
		return;
	seen->cal_mono = cal_mono;
	if (!seen->offset_ns || cal_mono - seen->offset_ns > CALIBRATION_NS) {
		seen->offset_before = seen->offset_ns ? seen->offset : offset;
		seen->offset = offset;
		seen->offset_ns = cal_mono;
	} else if ((int64_t)(offset - seen->offset) < 0) {
		seen->offset = offset;
	}
}

/* Who runs now, consistently.  False while the CPU is being written for too long. */
static bool take_state(struct bpf_source *source, unsigned int cpu)
{
	const struct cpu_state *state = bpf_cpu(source, cpu);
	struct seen_cpu *seen = &source->seen_cpu[cpu];
	uint64_t seq, t0, cal_clock, cal_mono;
	unsigned int tries;
	uint32_t slot;

	for (tries = 0; tries < TORN_RETRIES; tries++) {
		seq = LOAD_ONCE(state->seq);
		BARRIER();
		slot = LOAD_ONCE(state->slot);
		t0 = LOAD_ONCE(state->t0);
		cal_clock = LOAD_ONCE(state->cal_clock);
		cal_mono = LOAD_ONCE(state->cal_mono);
		BARRIER();
		if (!(seq & 1) && seq == LOAD_ONCE(state->seq))
			break;
	}
	if (tries == TORN_RETRIES || slot >= source->n_slots)
		return false;
	bpf_take_calibration(seen, cal_clock, cal_mono);
	seen->open = t0 != 0;
	seen->t0 = t0;
	seen->slot = slot;
	return true;
}

void bpf_read_cpu(struct bpf_source *source, unsigned int cpu)
{
	struct seen_cpu *seen = &source->seen_cpu[cpu];

	take_log(source, cpu);
	if (!take_state(source, cpu)) {
		source->base.activity.torn_reads++;
		return;
	}
	bind_row(source, cpu, seen->slot);
}

/* Credit the running owner with the time that no slot has yet; take back the last credit. */
void bpf_credit_running(struct bpf_source *source, unsigned int cpu, uint64_t now)
{
	struct seen_cpu *seen = &source->seen_cpu[cpu];
	uint64_t offset = clock_offset(source, seen);
	int64_t live;

	if (!seen->open)
		return;
	live = (int64_t)(now - offset - seen->t0 - seen->read_ns);
	if (live < 0)
		live = 0;
	credit(source, cpu, seen->live_slot, -(int64_t)seen->live_ns);
	credit(source, cpu, seen->slot, live);
	seen->live_slot = seen->slot;
	seen->live_ns = (uint64_t)live;
}

/* A CPU that comes back starts afresh: the time that it was away is nobody's. */
void bpf_restart_cpu(struct bpf_source *source, unsigned int cpu)
{
	struct seen_cpu *seen = &source->seen_cpu[cpu];
	struct seen_slot *slots = &source->seen[(size_t)cpu * source->n_slots];
	uint32_t i;

	for (i = 0; i < source->n_slots; i++) {
		const struct slot *slot = bpf_slot(source, cpu, i);

		slots[i] = (struct seen_slot){ slot->ns,
					       slot->cycles,
					       slot->instructions,
					       { slot->switches[0], slot->switches[1] } };
	}
	seen->log_tail = LOAD_ONCE(bpf_cpu(source, cpu)->log_head);
	seen->read_ns = LOAD_ONCE(bpf_cpu(source, cpu)->booked);
	seen->live_ns = 0;
}
