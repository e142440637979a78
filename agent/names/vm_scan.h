/* SPDX-License-Identifier: Apache-2.0 */
/* VM scan: one look at the processes of this machine for hypervisors; vm.c says when. */
#ifndef PODJOULE_VM_SCAN_H
#define PODJOULE_VM_SCAN_H

#include "names/vm.h"

#define VM_SCAN_MAX 1024 /* hypervisor processes, and cgroups with one, that are looked at */

struct vm_scan;

/* config's strings are copied, host and mailbox borrowed.  0 or -errno, logged. */
int vm_scan_new(const struct vm_config *config, struct mailbox *mailbox, struct vm_scan **ret);
void vm_scan_free(struct vm_scan *scan); /* NULL is fine */

/* Look now, and tell the mailbox what it has not been told yet. */
void vm_scan_look(struct vm_scan *scan);

#endif
