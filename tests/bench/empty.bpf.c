// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The floor of every program on sched_switch: one that does nothing. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/sched_switch")
int empty_btf(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
