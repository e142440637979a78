/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel: what the running kernel offers to an observer, and what we are allowed to do. */
#ifndef PODJOULE_KERNEL_H
#define PODJOULE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/host.h"

struct kernel_capability {
	const char *name; /* "CAP_BPF" */
	unsigned int bit;
	const char *what_for;
};
extern const struct kernel_capability kernel_capabilities[];
extern const size_t kernel_n_capabilities;

struct kernel_facts {
	char release[128];
	bool btf; /* the kernel describes its own types */
	int pmu;  /* 0: the PMU counts cycles; else -errno (-ENODATA: it stands still) */
	uint64_t capabilities; /* effective */
	int jit, unprivileged_bpf_disabled, bpf_stats,
		perf_event_paranoid; /* sysctls; -1 unknown */
};

void kernel_facts_read(const struct host *host, struct kernel_facts *ret);
/* Does the PMU count cycles on this CPU?  Some guests have one that stands still. */
int kernel_pmu_counts(void);

#endif
