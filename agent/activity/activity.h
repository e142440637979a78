/* SPDX-License-Identifier: Apache-2.0 */
/* Activity: who was busy.  Rows are cumulative; a driver says which of them moved. */
#ifndef PODJOULE_ACTIVITY_H
#define PODJOULE_ACTIVITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "energy/energy.h" /* probe_list */
#include "platform/host.h"
#include "platform/scope.h" /* _printf_ */

/* What a row stands for.  All but OWNER_CGROUP are fixed rows with the number of their enum. */
enum owner {
	OWNER_IDLE,     /* CPUs with nothing to run */
	OWNER_OVERFLOW, /* ran, but no slot was left to say who */
	OWNER_KERNEL,   /* kernel threads */
	OWNER_STEAL,    /* a hypervisor ran somebody else */
	OWNER_IRQ,      /* interrupts, where the kernel keeps their time apart */
	_OWNER_FIXED,
	OWNER_CGROUP = _OWNER_FIXED
};

struct usage {
	uint64_t busy_ns;
	uint64_t cycles;
	uint64_t instructions;
	uint64_t voluntary; /* context switches */
	uint64_t involuntary;
};

struct activity_row {
	uint64_t cgroup_id; /* 0: free, or a fixed row */
	struct usage usage; /* cumulative since the agent started */
};

enum activity_weight { WEIGHT_TIME, WEIGHT_CYCLES };

/* Filled by the driver, borrowed by the sampler until the next collect. */
struct activity {
	struct activity_row *rows; /* [capacity]; the first _OWNER_FIXED are the fixed ones */
	uint32_t capacity;
	uint64_t *weight;          /* [capacity * n_packages]: cumulative, on each package's CPUs */
	uint64_t *package_busy_ns; /* [n_packages]: cumulative CPU time of its CPUs, all but idle
				    * and steal */
	unsigned int n_packages;
	uint32_t *active; /* rows that moved since the last collect, each once */
	uint32_t n_active;
	uint64_t t_ns;     /* the moment that the totals stand for */
	unsigned int cpus; /* online */
	enum activity_weight unit;
	bool has_counters;          /* cycles and instructions are counted */
	uint64_t lost_events;       /* lifecycle records that did not fit */
	uint64_t overflow_switches; /* switches booked to OWNER_OVERFLOW */
	uint64_t counter_errors;    /* PMU reads that failed */
	uint64_t program_ns;        /* run time of the BPF programs, */
	bool has_program_ns; /* where the operator has switched kernel.bpf_stats_enabled on */
	uint64_t torn_reads; /* CPUs skipped once because they were being written */
};

/* Cgroup lifecycle, told during open() and collect().  path is relative to the hierarchy's root. */
struct activity_sink {
	void (*born)(void *ctx, uint64_t cgroup_id, const char *path, uint64_t t_ns);
	void (*gone)(void *ctx, uint64_t cgroup_id, uint64_t t_ns);
	void *ctx;
};

struct activity_config {
	const struct topology *topology;
	const struct activity_sink *sink;
	const char *hierarchy; /* NULL: found; "unified", "cpuacct", … */
	const char *btf;       /* file with the kernel's BTF, or NULL */
	uint32_t max_cgroups;
	bool raw_tracepoint; /* bpf: do not try tp_btf (tests, benchmarks) */
	bool no_counters;    /* bpf: leave the PMU alone (benchmarks), */
	bool any_counters;   /* or use it at any price (tests, benchmarks) */
	/* bpf: a process got a new program; called with sink->ctx; NULL: do not ask the kernel. */
	void (*exec)(void *ctx, int32_t pid, const char comm[16]);
	struct probe_list *probe;
};

struct activity_source {
	const struct activity_driver *driver;
	struct activity activity;
	const char *hierarchy; /* "unified", "cpuacct", …; "" for proc */
};

struct activity_driver {
	const char *name; /* "bpf", "cgroup", "proc" */
	int (*open)(const struct host *host, const struct activity_config *config,
		    struct activity_source **ret); /* -ENODEV as in energy.h */
	/* Bring source->activity up to now.  0 or -errno. */
	int (*collect)(struct activity_source *source);
	/* An fd that becomes readable when work has been done since arm(); -1: none. */
	int (*pollfd)(struct activity_source *source);
	/* Ask for one wake-up after busy_ns of CPU time on some CPU; 0 disarms. NULL: cannot. */
	void (*arm)(struct activity_source *source, uint64_t busy_ns);
	void (*close)(struct activity_source *source);
};

extern const struct activity_driver activity_bpf, activity_cgroup, activity_proc;
extern const char *const activity_driver_names[];

/* Open the first driver of the order ("auto" or a list) that works.  -ENODEV when all are absent,
 * -EINVAL for an unknown name or hierarchy, else why the first one that is here is broken. */
int activity_open(const char *order, const struct host *host, const struct activity_config *config,
		  struct activity_source **ret);

/* The cgroup hierarchy that owns tasks (DESIGN section 4), shared by the drivers. */
struct hierarchy {
	char name[32]; /* "unified", "cpuacct", "cpu", … */
	bool unified;
	int id;           /* hierarchy id in /proc/cgroups; 0 for unified */
	char dir[96];     /* of its mount, below host->cgroup_fd: "", "unified", "cpuacct" */
	const char *mode; /* "v1", "v2" or "hybrid": what this host mounts */
};
/* wanted NULL: choose.  -ENODEV when there is none, -EINVAL when wanted is not mounted. */
int hierarchy_find(const struct host *host, const char *wanted, struct hierarchy *ret);
/* Walk every directory of the hierarchy, parents first; id is the inode number. */
int hierarchy_walk(const struct host *host, const struct hierarchy *hierarchy,
		   void (*each)(void *ctx, uint64_t cgroup_id, const char *path), void *ctx);

/* For drivers: allocate and free the arrays of source->activity. */
int activity_alloc(struct activity *activity, uint32_t capacity, unsigned int n_packages);
void activity_free(struct activity *activity);
/* For drivers: why they do not work, in the log (-ENODEV: at debug level) and as a row of
 * config->probe.  fix may be "".  Returns error. */
int activity_refuse(const struct activity_config *config, const char *driver, int error,
		    const char *fix, const char *why, ...) _printf_(5, 6);

#endif
