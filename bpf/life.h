/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records that life.bpf.c puts into its ring buffer. */
#ifndef PODJOULE_LIFE_H
#define PODJOULE_LIFE_H

#define LIFE_PATH_MAX 1024 /* the kernel's own limit for cgroup paths in tracepoints */

enum life_kind { LIFE_BORN = 1, LIFE_GONE = 2, LIFE_EXEC = 3 };

/* Every record begins with its kind. */
struct life_event {
	__u32 kind;
	__u32 path_len; /* without the NUL; 0 for LIFE_GONE */
	__u64 cgroup_id;
	__u64 t_ns; /* CLOCK_MONOTONIC */
	char path[LIFE_PATH_MAX];
};

struct life_exec {
	__u32 kind; /* LIFE_EXEC */
	__u32 pid;  /* of the process, in the first pid namespace */
	char comm[16];
};

#endif
