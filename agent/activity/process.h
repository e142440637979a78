/* SPDX-License-Identifier: Apache-2.0 */
/* Process: CPU time of every process, for --processes=N.  Read once per publish, if at all. */
#ifndef PODJOULE_PROCESS_H
#define PODJOULE_PROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "platform/host.h"

struct process_time {
	int32_t pid;
	char comm[16];        /* as of its exec, where that was seen */
	uint64_t start_ticks; /* tells two lives of one pid apart */
	uint64_t cgroup_id;   /* in the hierarchy that owns tasks; 0: not known */
	uint64_t cpu_ns;      /* of all its threads, ended ones included; cumulative */
};

struct process_list {
	struct process_time *all;
	size_t n, capacity;
	uint64_t truncated; /* processes beyond PROCESS_MAX */
};

#define PROCESS_MAX 16384

struct process_reader;

struct process_config {
	const struct host *host;
	const char *hierarchy;     /* "unified", "cpuacct", … */
	const char *hierarchy_dir; /* of its mount below host->cgroup_fd */
};

int process_reader_open(const struct process_config *config, struct process_reader **ret);
/* Bring list up to now; kernel threads are left out.  0 or -errno. */
int process_read(struct process_reader *reader, struct process_list *list);
/* It has exec'ed: comm is its name from now on (told by bpf, where there is one). */
void process_exec(struct process_reader *reader, int32_t pid, const char comm[16]);
void process_reader_close(struct process_reader *reader); /* NULL is fine */
void process_list_free(struct process_list *list);

#endif
