/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Owner: which slot the time of a task is booked to, and which cgroups have slots. */
#ifndef PODJOULE_OWNER_BPF_H
#define PODJOULE_OWNER_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "sched.h"

/* Gates and sizes: set before load; the verifier removes what a zero switches off. */
const volatile __u32 n_slots = 64; /* per CPU */
const volatile __u32 subsys = ~0u; /* v1: index of the controller that owns tasks; ~0: v2 */

const volatile __u64 root_id = 0; /* of the hierarchy's root cgroup */

struct control control = {};

#define ROOT_SLOT (1u << 31) /* in a cached slot: it is the root cgroup's */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* n_slots */
	__type(key, __u64);     /* cgroup id */
	__type(value, __u32);   /* slot */
} slot_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1); /* n_slots; the agent fills it and gives back what is free again */
	__uint(key_size, 0);
	__uint(value_size, sizeof(__u32));
} free_slots SEC(".maps");

/*
 * One handler for both hooks: pointers of tp_btf are trusted and loaded directly, those of raw_tp
 * go through bpf_probe_read_kernel.  `direct` is a constant after inlining.
 */
#define LOAD(direct, ptr, field) ((direct) ? (ptr)->field : BPF_CORE_READ(ptr, field))

/*
 * What a css_set has in our hierarchy: its struct cgroup (v2), or the controller's state of it
 * (v1). Either address stands for the cgroup as long as it lives, and saves the loads down to its
 * id.
 */
static __always_inline __u64 key_of(struct cpu_state *state, struct css_set *set, const bool direct)
{
	void *at = (void *)set + bpf_core_field_offset(struct css_set, subsys) +
		   subsys * sizeof(void *);
	void *css = NULL;

	if (subsys == ~0u)
		state->key = (__u64)LOAD(direct, set, dfl_cgrp);
	else if (direct) /* subsys is known at load: the verifier sees a constant offset */
		state->key = (__u64) * (struct cgroup_subsys_state **)at;
	else if (bpf_probe_read_kernel(&css, sizeof(css), at) == 0)
		state->key = (__u64)css;
	/* The verifier lets no pointer be hashed; what was stored is a number. */
	return *(volatile __u64 *)&state->key;
}

static __always_inline __u64 cgroup_id(__u64 key)
{
	struct cgroup_subsys_state *css = (void *)key;
	struct cgroup *cgroup = (void *)key;

	if (subsys != ~0u)
		cgroup = BPF_CORE_READ(css, cgroup);
	return BPF_CORE_READ(cgroup, kn, id);
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

/* The slots lie behind the CPU's state: no lookup, and nothing to spill around one. */
static __always_inline struct slot *slot_at(struct cpu_state *state, __u32 number)
{
	if (number >= n_slots)
		return NULL;
	return (void *)(state + 1) + (__u64)number * sizeof(struct slot);
}

/* Not in this CPU's cache.  Overflow is not cached: a slot that becomes free is used at once. */
static __noinline __u32 slot_miss(struct cpu_state *state, __u64 way, __u64 key)
{
	__u64 id = cgroup_id(key);
	__u32 *known = bpf_map_lookup_elem(&slot_of, &id);
	__u32 number = known ? *known : slot_new(id);
	struct tlb_entry *entry;
	struct slot *slot;

	if (number == SLOT_OVERFLOW || !state)
		return number;
	slot = slot_at(state, number);
	if (slot)
		slot->cgroup_id = id; /* the agent learns here whose slot it is */
	entry = &state->tlb[way & (TLB_ENTRIES - 1)];
	entry->cgroup = key;
	entry->slot = number | (id == root_id ? ROOT_SLOT : 0);
	entry->generation = control.generation;
	return entry->slot;
}

static __always_inline __u32 slot_of_set(struct cpu_state *state, struct css_set *set,
					 const bool direct)
{
	__u64 key = key_of(state, set, direct);
	__u64 way = ((key * 0x9E3779B97F4A7C15ULL) >> 56) & (TLB_ENTRIES - 1);
	struct tlb_entry *entry = &state->tlb[way];

	if (entry->cgroup == key && entry->generation == (__u32)control.generation)
		return entry->slot;
	return slot_miss(state, way, key);
}

/* The owner that takes the CPU over. */
struct next {
	__u64 cset;
	__u32 slot;
	__u32 kthread;
};

static __always_inline void owner_by_flags(__u32 flags, __u32 slot, struct next *next)
{
	next->kthread = flags & PF_KTHREAD;
	next->slot = flags & PF_IDLE ? SLOT_IDLE : next->kthread ? SLOT_KERNEL : slot;
	if (next->slot == SLOT_IDLE)
		next->cset = 0;
}

/* tp_btf: a task's flags cost nothing, and kernel threads are apart wherever they are. */
static __always_inline void owner_direct(struct cpu_state *state, struct css_set *set, __u32 flags,
					 struct next *next)
{
	__u32 slot = SLOT_IDLE;

	next->cset = (__u64)set;
	if (!(flags & (PF_IDLE | PF_KTHREAD)))
		slot = slot_of_set(state, set, true) & ~ROOT_SLOT;
	owner_by_flags(flags, slot, next);
}

/*
 * raw_tp: a probe read costs as much as all the rest of a switch.  Idle and kernel threads are in
 * the root cgroup, so flags are read only there; a kernel thread that was put into another cgroup
 * is billed to it.
 */
static __always_inline void owner_probed(struct cpu_state *state, struct css_set *set,
					 struct task_struct *task, struct next *next)
{
	__u32 slot = slot_of_set(state, set, false);

	next->cset = (__u64)set;
	next->slot = slot;
	if (!(slot & ROOT_SLOT))
		return;
	/* Never the fast path: the next task of this css_set may be idle. */
	next->cset = 0;
	owner_by_flags(BPF_CORE_READ(task, flags), slot & ~ROOT_SLOT, next);
}

#endif
