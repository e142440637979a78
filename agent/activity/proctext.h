/* SPDX-License-Identifier: Apache-2.0 */
/* Proctext: what the kernel's accounting files say.  Pure; any text is survived. */
#ifndef PODJOULE_PROCTEXT_H
#define PODJOULE_PROCTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A "cpu" line of /proc/stat, in clock ticks since boot. */
struct cpu_ticks {
	int cpu; /* -1: all of them */
	uint64_t user, nice, system, idle, iowait, irq, softirq, steal;
};

/* The next cpu line at *pos, which moves on.  1, 0 after the last one, -EINVAL (torn, no number).
 */
int proctext_cpu(const char **pos, struct cpu_ticks *ret);

/* /proc/PID/stat; comm may hold any byte, parentheses and newlines too. */
struct process_stat {
	uint64_t ticks;       /* user and system, all threads that live or lived */
	uint64_t start_ticks; /* since boot: with the pid it names a process for good */
	bool kernel_thread;
};
int proctext_process(const char *text, struct process_stat *ret); /* 0 or -EINVAL */

/* cpuacct.usage_percpu: calls each(cpu, ns).  0, -EINVAL or -ERANGE (what came before was told). */
int proctext_percpu(const char *text, void (*each)(void *ctx, unsigned int cpu, uint64_t ns),
		    void *ctx);

/*
 * The path in /proc/PID/cgroup for a controller ("" the unified hierarchy; "name=systemd" works as
 * well): *ret points into text.  0, or -ENOENT.
 */
int proctext_cgroup(const char *text, const char *controller, const char **ret, size_t *ret_len);
/* The id of that hierarchy in the same text.  0 or -ENOENT. */
int proctext_cgroup_id(const char *text, const char *controller, int *ret);

/* Is word one of a comma list of len bytes? */
bool proctext_in_list(const char *list, size_t len, const char *word);

#endif
