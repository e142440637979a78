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

struct control control = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* n_cpus * n_slots */
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

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

static __always_inline struct cgroup *cgroup_of(struct css_set *set, const bool direct)
{
	struct cgroup_subsys_state *css = NULL;

	if (subsys == ~0u)
		return LOAD(direct, set, dfl_cgrp);
	if (direct) {
		/* subsys is known at load: the verifier sees a constant offset. */
		css = *(struct cgroup_subsys_state **)((void *)set +
						       bpf_core_field_offset(struct css_set,
									     subsys) +
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
static __noinline __u32 slot_miss(struct tlb_entry *entry, __u64 key, __u64 id, __u32 cpu)
{
	__u32 *known = bpf_map_lookup_elem(&slot_of, &id);
	__u32 number = known ? *known : slot_new(id);
	struct slot *slot;

	if (number == SLOT_OVERFLOW || !entry)
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
	struct tlb_entry *entry;
	__u64 key;

	state->key = (__u64)cgroup;
	key = *(volatile __u64 *)&state->key;
	entry = &state->tlb[((key * 0x9E3779B97F4A7C15ULL) >> 56) & (TLB_ENTRIES - 1)];
	if (entry->cgroup == key && entry->generation == (__u32)control.generation)
		return entry->slot;
	return slot_miss(entry, key, direct ? cgroup->kn->id : BPF_CORE_READ(cgroup, kn, id), cpu);
}

/* The owner that takes the CPU over. */
struct next {
	__u64 cset;
	__u32 slot;
	__u32 kthread;
};

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

#endif
