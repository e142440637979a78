/* SPDX-License-Identifier: Apache-2.0 */
/* Rig: what the tests on the real kernel share: the driver opened, cgroups, loads, sums. */
#ifndef PODJOULE_RIG_H
#define PODJOULE_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "activity/activity.h"
#include "platform/host.h"

#define RIG_BORN_MAX 65536

/* What the driver told about one cgroup. */
struct rig_born {
	uint64_t cgroup_id;
	char path[200];
	bool gone;
};

struct rig {
	struct host host;
	struct topology topology;
	struct hierarchy hierarchy;
	struct activity_source *source;
	struct rig_born *born; /* [RIG_BORN_MAX] */
	size_t n_born;
};

/* Opens the bpf driver; options NULL: as the agent would.  Fails the test. */
struct rig_options {
	const char *hierarchy; /* NULL: found */
	uint32_t max_cgroups;  /* 0: 4096 */
	bool raw_tracepoint;
	bool any_counters; /* else the PMU is left alone */
};
void rig_open(struct rig *rig, const struct rig_options *options);
void rig_close(struct rig *rig);
int rig_collect(struct rig *rig); /* collects and checks what holds after every tick */

/* Sum of all rows, and of one owner; nanoseconds. */
uint64_t rig_sum_ns(const struct rig *rig);
/* Own CPU time of one cgroup as the driver has it; summed over rows that it ever had. */
uint64_t rig_cgroup_ns(const struct rig *rig, uint64_t cgroup_id);
const struct rig_born *rig_find_path(const struct rig *rig, const char *path);

/* Cgroups of the owning hierarchy, below its root: "podjoule-test/x". */
uint64_t rig_mkdir(const struct rig *rig, const char *name); /* its id; fails the test */
void rig_rmdir(const struct rig *rig, const char *name);
uint64_t rig_cpuacct_ns(const struct rig *rig,
			const char *name); /* usage by the kernel's own book */
void rig_move(const struct rig *rig, const char *name, pid_t pid);
/* A child that is in the cgroup before it runs, spins for cpu_ns in bursts of burst_ns with a pause
 * of 1 ms after each (0: no pause), and exits.  Wait for it with rig_join(). */
pid_t rig_worker(const struct rig *rig, const char *name, uint64_t cpu_ns, uint64_t burst_ns);

struct rusage;
void rig_join(pid_t pid, struct rusage *ret); /* ret may be NULL */
void rig_sleep_ns(uint64_t ns);
/* Run a shell command in the background in a process group of its own; rig_kill() ends it. */
pid_t rig_load(const char *command);
void rig_kill(pid_t pid);
ssize_t rig_read(const char *path, char *buf, size_t size);
uint64_t rig_missed(const struct rig *rig); /* switches that the tracepoint did not show */
bool rig_have(const char *program);

#endif
