/* SPDX-License-Identifier: Apache-2.0 */
/* Driver tree: a fixture of /proc and cgroup2 in a temporary directory, and a clock that is ours.
 */
#ifndef PODJOULE_DRIVER_TREE_H
#define PODJOULE_DRIVER_TREE_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "activity/activity.h"
#include "platform/scope.h"

static char tree_root[] = "/tmp/driver-XXXXXX";
static uint64_t tree_now_ns = 5000000000;
static struct host tree_host;
static struct topology tree_topology;

static inline uint64_t tree_clock(void)
{
	return tree_now_ns;
}

_printf_(2, 3)
static inline void tree_put(const char *path, const char *format, ...)
{
	char full[4096];
	_fclose_ FILE *file = NULL;
	va_list args;

	snprintf(full, sizeof(full), "%s/%s", tree_root, path);
	file = fopen(full, "w");
	cr_assert(file != NULL, "%s", full);
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
}

static inline void tree_mkdir(const char *path)
{
	char full[4096];

	snprintf(full, sizeof(full), "%s/%s", tree_root, path);
	cr_assert(eq(int, mkdir(full, 0755), 0), "%s", full);
}

static inline int tree_remove_one(const char *path, _unused_ const struct stat *st,
				  _unused_ int flag, _unused_ struct FTW *ftw)
{
	return remove(path);
}

static inline void tree_remove(const char *path)
{
	char full[4096];

	snprintf(full, sizeof(full), "%s/%s", tree_root, path);
	nftw(full, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int tree_open(const char *path)
{
	char full[4096];

	snprintf(full, sizeof(full), "%s/%s", tree_root, path);
	return open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Busy, irq and steal ticks since boot of each of two CPUs. */
static inline void tree_stat(uint64_t busy, uint64_t irq, uint64_t steal)
{
	unsigned long b = busy, i = irq, s = steal;

	tree_put("proc/stat",
		 "cpu  %lu 0 0 1000 0 %lu 0 %lu 0 0\ncpu0 %lu 0 0 500 0 %lu 0 %lu 0 0\n"
		 "cpu1 %lu 0 0 500 0 %lu 0 %lu 0 0\nintr 1 2 3\n",
		 2 * b, 2 * i, 2 * s, b, i, s, b, i, s);
}

static inline void tree_setup(void)
{
	cr_assert(mkdtemp(tree_root) != NULL);
	tree_mkdir("proc");
	tree_mkdir("cgroup");
	tree_stat(100, 0, 0);
	tree_host = (struct host){ .sys_fd = -1,
				   .proc_fd = tree_open("proc"),
				   .cgroup_fd = tree_open("cgroup"),
				   .fixture = true,
				   .now_ns = tree_clock };
	tree_topology.n_cpus = tree_topology.n_online = 2;
	tree_topology.n_packages = 1;
}

static inline void tree_teardown(void)
{
	host_close(&tree_host);
	tree_remove("");
}

/* What the sink was told. */
struct tree_life {
	int born, gone;
	char path[128][256];
	uint64_t id[128];
};

static inline void tree_born(void *ctx, uint64_t id, const char *path, _unused_ uint64_t t_ns)
{
	struct tree_life *life = ctx;
	int at = life->born++ % 128;

	snprintf(life->path[at], sizeof(life->path[0]), "%s", path);
	life->id[at] = id;
}

static inline void tree_gone(void *ctx, _unused_ uint64_t id, _unused_ uint64_t t_ns)
{
	((struct tree_life *)ctx)->gone++;
}

static inline uint64_t tree_id(const struct tree_life *life, const char *path)
{
	for (int i = 0; i < life->born && i < 128; i++) {
		if (strcmp(life->path[i], path) == 0)
			return life->id[i];
	}
	return 0;
}

/* CPU time booked to a cgroup, UINT64_MAX when it has no row. */
static inline uint64_t tree_busy_ns(const struct activity *activity, uint64_t id)
{
	for (uint32_t row = _OWNER_FIXED; row < activity->capacity; row++) {
		if (id && activity->rows[row].cgroup_id == id)
			return activity->rows[row].usage.busy_ns;
	}
	return UINT64_MAX;
}

/* Law 2 for this tier: all rows together; active rows are each there once. */
static inline uint64_t tree_sum_ns(const struct activity *activity)
{
	uint64_t sum = 0, packages = 0, weights = 0;

	for (uint32_t row = 0; row < activity->capacity; row++)
		sum += activity->rows[row].usage.busy_ns;
	for (unsigned int p = 0; p < activity->n_packages; p++) {
		packages += activity->package_busy_ns[p];
		for (uint32_t row = 0; row < activity->capacity; row++)
			weights += activity->weight[row * activity->n_packages + p];
	}
	cr_assert(eq(u64,
		     packages + activity->rows[OWNER_IDLE].usage.busy_ns +
			     activity->rows[OWNER_STEAL].usage.busy_ns,
		     sum));
	cr_assert(eq(u64, weights, packages));
	for (uint32_t i = 0; i < activity->n_active; i++) {
		for (uint32_t j = 0; j < i; j++)
			cr_assert(ne(u32, activity->active[i], activity->active[j]));
	}
	return sum;
}

#endif
