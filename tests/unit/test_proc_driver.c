/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <sys/wait.h>
#include <time.h>

#include "driver_tree.h"
#include "no_leaks.h"

#define KERNEL_THREAD 0x00200000u

static struct tree_life life;
static const struct activity_sink sink = { tree_born, tree_gone, &life };
static struct activity_source *source;

static void process(int pid, unsigned int flags, unsigned int ticks, int start, const char *cgroup)
{
	char path[64];

	snprintf(path, sizeof(path), "proc/%d", pid);
	if (access(path, F_OK) != 0) {
		char full[128];

		snprintf(full, sizeof(full), "%s/%s", tree_root, path);
		mkdir(full, 0755);
	}
	snprintf(path, sizeof(path), "proc/%d/stat", pid);
	tree_put(path, "%d (we) ird) S 1 1 1 0 -1 %u 0 0 0 0 %u %u 0 0 20 0 1 0 %d 0 0\n", pid,
		 flags, ticks / 2, ticks - ticks / 2, start);
	snprintf(path, sizeof(path), "proc/%d/cgroup", pid);
	tree_put(path, "0::%s\n", cgroup);
}

static void teardown(void)
{
	if (source)
		source->driver->close(source);
	source = NULL;
	tree_teardown();
	no_leaks();
}

TestSuite(proc_driver, .init = tree_setup, .fini = teardown);

static void open_with(uint32_t max_cgroups)
{
	const struct activity_config config = { .topology = &tree_topology,
						.sink = &sink,
						.max_cgroups = max_cgroups };

	cr_assert(eq(int, activity_proc.open(&tree_host, &config, &source), 0));
}

static void tick(uint64_t ns)
{
	tree_now_ns += ns;
	cr_assert(eq(int, source->driver->collect(source), 0));
}

Test(proc_driver, sums_processes_by_cgroup_from_where_they_stood)
{
	struct activity *activity;

	process(10, 0, 500, 1, "/a");
	process(11, 0, 300, 1, "/a");
	process(12, 0, 100, 1, "/b");
	process(2, KERNEL_THREAD, 50, 0, "/");
	open_with(16);
	activity = &source->activity;
	cr_assert(eq(str, (char *)source->hierarchy, ""));
	process(10, 0, 501, 1, "/a");
	process(11, 0, 303, 1, "/a");
	process(2, KERNEL_THREAD, 52, 0, "/");
	tree_stat(103, 0, 0);
	tick(500000000);
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/a")), 40000000));
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/b")), 0));
	cr_assert(eq(u64, activity->rows[OWNER_KERNEL].usage.busy_ns, 20000000));
	cr_assert(eq(u64, activity->rows[OWNER_OVERFLOW].usage.busy_ns, 0));
	cr_assert(eq(u64, tree_sum_ns(activity), 1000000000));
}

Test(proc_driver, keeps_what_the_dead_used_and_calls_the_unseen_unattributed)
{
	struct activity *activity;

	process(10, 0, 0, 1, "/a");
	process(11, 0, 0, 1, "/a");
	open_with(16);
	activity = &source->activity;
	process(11, 0, 4, 1, "/a");
	tree_stat(102, 0, 0);
	tick(500000000);
	tree_remove("proc/11");
	tree_stat(105, 0, 0); /* 6 ticks of processes that we never saw */
	tick(500000000);
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/a")), 40000000));
	cr_assert(eq(u64, activity->rows[OWNER_OVERFLOW].usage.busy_ns, 60000000));
	cr_assert(eq(u64, tree_sum_ns(activity), 2000000000));

	/* The pid again, but another process: all its time is new. */
	process(11, 0, 2, 999, "/b");
	tree_stat(106, 0, 0);
	tick(500000000);
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/b")), 20000000));
	cr_assert(eq(u64, activity->rows[OWNER_OVERFLOW].usage.busy_ns, 60000000));
}

Test(proc_driver, looks_at_processes_at_most_twice_a_second)
{
	struct activity *activity;

	process(10, 0, 0, 1, "/a");
	open_with(16);
	activity = &source->activity;
	process(10, 0, 10, 1, "/a");
	tree_stat(105, 0, 0);
	tick(100000000);
	/* Used, but not booked yet: it must not become idle time. */
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/a")), 0));
	cr_assert(eq(u64, activity->rows[OWNER_IDLE].usage.busy_ns, 100000000));
	tick(400000000);
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/a")), 100000000));
	cr_assert(eq(u64, tree_sum_ns(activity), 1000000000));
}

Test(proc_driver, moves_a_process_with_its_cgroup_and_ends_empty_ones)
{
	struct activity *activity;

	process(10, 0, 0, 1, "/a");
	open_with(16);
	activity = &source->activity;
	for (unsigned int i = 1; i <= 8; i++) {
		process(10, 0, i, 1, i < 3 ? "/a" : "/b");
		tree_stat(100 + (i + 1) / 2, 0, 0);
		tick(500000000);
	}
	cr_assert(eq(int, life.born, 2));
	cr_assert(eq(int, life.gone, 1));
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/b")), 60000000));
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/a")), UINT64_MAX));
}

Test(proc_driver, books_what_finds_no_row_to_overflow)
{
	char cgroup[32];

	for (int i = 0; i < 30; i++) {
		snprintf(cgroup, sizeof(cgroup), "/g%d", i);
		process(100 + i, 0, 0, 1, cgroup);
	}
	open_with(10);
	for (int i = 0; i < 30; i++) {
		snprintf(cgroup, sizeof(cgroup), "/g%d", i);
		process(100 + i, 0, 1, 1, cgroup);
	}
	tree_stat(115, 0, 0);
	tick(500000000);
	cr_assert(eq(u64, source->activity.rows[OWNER_OVERFLOW].usage.busy_ns, 200000000));
	cr_assert(eq(u64, tree_sum_ns(&source->activity), 1000000000));
}

Test(proc_driver, is_absent_without_processes)
{
	const struct activity_config config = { .topology = &tree_topology, .max_cgroups = 16 };

	cr_assert(eq(int, activity_proc.open(&tree_host, &config, &source), -ENODEV));
	tree_remove("proc/stat");
	cr_assert(eq(int, activity_proc.open(&tree_host, &config, &source), -ENODEV));
}

static void burn(uint64_t ns)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec < ns);
}

static void pause_ns(uint64_t ns)
{
	const struct timespec wait = { .tv_nsec = (long)ns };

	nanosleep(&wait, NULL);
}

Test(proc_driver, sees_a_real_process_and_loses_no_time, .timeout = 60)
{
	_free_ struct topology *topology = calloc(1, sizeof(*topology));
	struct activity_config config = { .topology = topology,
					  .sink = &sink,
					  .max_cgroups = 4096 };
	uint64_t start_ns, sum, wall, busy = 0;
	struct host real;
	pid_t child;

	cr_assert(eq(int, host_open(NULL, NULL, NULL, &real), 0));
	topology_read(&real, topology);
	cr_assert(eq(int, activity_proc.open(&real, &config, &source), 0));
	start_ns = source->activity.t_ns;
	child = fork();
	if (child == 0) {
		burn(200000000);
		pause();
	}
	for (int i = 0; i < 4; i++) {
		pause_ns(260000000);
		cr_assert(eq(int, source->driver->collect(source), 0));
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (uint32_t row = _OWNER_FIXED; row < source->activity.capacity; row++)
		busy += source->activity.rows[row].usage.busy_ns;
	cr_expect(ge(u64, busy, 180000000), "%lu", busy);
	sum = tree_sum_ns(&source->activity);
	wall = (source->activity.t_ns - start_ns) * source->activity.cpus;
	cr_expect(ge(u64, sum, wall - 300000000), "%lu of %lu", sum, wall);
	cr_expect(le(u64, sum, wall + 300000000), "%lu of %lu", sum, wall);
	source->driver->close(source);
	source = NULL;
	host_close(&real);
}
