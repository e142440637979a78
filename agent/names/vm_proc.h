/* SPDX-License-Identifier: Apache-2.0 */
/* VM proc: the little that a look for hypervisors reads in /proc.  Pure; any text is survived. */
#ifndef PODJOULE_VM_PROC_H
#define PODJOULE_VM_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* May a process of this name (of /proc/PID/comm) be a hypervisor?  What is cheap to ask first. */
bool vm_proc_may_be(const char *comm);

/*
 * The path in /proc/PID/cgroup of a hierarchy ("unified", "cpuacct", a named one): *ret points into
 * text and ends in a NUL that is put there.  0 or -ENOENT.
 */
int vm_proc_cgroup(char *text, const char *hierarchy, const char **ret);

/* CPU time of a process, in ticks, from its /proc/PID/stat; 0 for kernel threads.  0 or -EINVAL. */
int vm_proc_ticks(const char *text, uint64_t *ret);

#endif
