/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel as bpf/ sees it: only the fields that we read.  Every record keeps its access index,
 * so that libbpf moves the offsets to those of the running kernel (CO-RE).  Kept by hand and
 * reviewed like code; `make vmlinux-dump` prints the running kernel's own to copy from.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;

enum { false = 0, true = 1 };

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_MMAPABLE = 1024,
};

#define BPF_F_CURRENT_CPU      0xffffffffULL
#define BPF_RB_NO_WAKEUP       1ULL
#define BPF_RB_FORCE_WAKEUP    2ULL
#define BPF_RB_AVAIL_DATA      0
#define NULL		       ((void *)0)
#define offsetof(type, member) __builtin_offsetof(type, member)

#define PF_IDLE		       0x00000002 /* include/linux/sched.h */
#define PF_KTHREAD	       0x00200000

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	u64 id; /* inode number of the directory, since 5.5 */
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1]; /* one per controller; the kernel knows how many */
	struct cgroup *dfl_cgrp;
};

struct rq {
	u64 clock;
	u64 clock_task;
	u64 prev_irq_time; /* CONFIG_IRQ_TIME_ACCOUNTING */
};

struct cfs_rq {
	struct rq *rq; /* CONFIG_FAIR_GROUP_SCHED */
};

struct sched_entity {
	u64 sum_exec_runtime;
	struct cfs_rq *cfs_rq;
};

struct sched_info {
	u64 last_arrival; /* rq->clock when it got the CPU; CONFIG_SCHED_INFO */
};

struct thread_info {
	u32 cpu; /* since 5.16; before: task_struct.cpu, see compat.bpf.h */
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	unsigned int __state; /* since 5.14; before: state, see compat.bpf.h */
	struct sched_entity se;
	struct sched_info sched_info;
	struct css_set *cgroups;
};

#pragma clang attribute pop

#endif
