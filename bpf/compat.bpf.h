/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Compat: flavours of kernel records, each named by the release that still had it. */
#ifndef PODJOULE_COMPAT_BPF_H
#define PODJOULE_COMPAT_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>

/*
 * task_struct.state became __state in 5.14 (2f064a59a11f "sched: Change task_struct::state").
 * Can go when 5.10 does.
 */
struct task_struct___5_13 {
	volatile long state;
} __attribute__((preserve_access_index));

/*
 * task_struct.cpu went back into thread_info in 5.16 (bcf9033e5449 "sched: move CPU field back into
 * thread_info if THREAD_INFO_IN_TASK=y").  Can go when 5.10 does.
 */
struct task_struct___5_15 {
	unsigned int cpu;
} __attribute__((preserve_access_index));

#endif
