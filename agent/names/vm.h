/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VM: virtual machines that run on this node, found by the command line of their hypervisor where
 * the cgroup's path does not tell: KubeVirt, Firecracker, Cloud Hypervisor, QEMU by hand.
 */
#ifndef PODJOULE_VM_H
#define PODJOULE_VM_H

#include <stdbool.h>
#include <stddef.h>

#include "names/mailbox.h"
#include "platform/host.h"
#include "platform/loop.h"

struct vm_facts {
	char name[PATH_MAX_UNIT]; /* "" where the command line has none */
	char uuid[40];            /* "" */
	char hypervisor[24];      /* "qemu", "firecracker", "cloud-hypervisor" */
};

/* What a process is, from its command line as /proc/PID/cmdline has it (words end in NUL).  False:
 * no hypervisor.  Pure. */
bool vm_of_cmdline(const char *cmdline, size_t len, struct vm_facts *ret);

struct vm_finder;

struct vm_config {
	const struct host *host;
	const char *hierarchy;     /* whose paths name cgroups: "unified", "cpuacct", … */
	const char *hierarchy_dir; /* of its mount below host->cgroup_fd */
};

/* Looks soon, and then every 30 s; tells the mailbox of cgroups that a hypervisor did most of the
 * work of. */
int vm_finder_open(struct loop *loop, const struct vm_config *config, struct mailbox *mailbox,
		   struct vm_finder **ret);
void vm_finder_close(struct vm_finder *finder); /* NULL is fine */

#endif
