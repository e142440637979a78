/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "driver_tree.h"
#include "no_leaks.h"

static struct tree_life life;
static const struct activity_sink sink = { tree_born, tree_gone, &life };
static struct activity_source *source;

static void setup(void)
{
	tree_setup();
	tree_put("cgroup/cgroup.controllers", "cpu\n");
}

static void teardown(void)
{
	if (source)
		source->driver->close(source);
	source = NULL;
	tree_teardown();
	no_leaks();
}

TestSuite(cgroup_driver, .init = setup, .fini = teardown);

static void open_with(uint32_t max_cgroups)
{
	const struct activity_config config = { .topology = &tree_topology,
						.sink = &sink,
						.max_cgroups = max_cgroups };

	cr_assert(eq(int, activity_cgroup.open(&tree_host, &config, &source), 0));
}

static void usage(const char *path, uint64_t usec)
{
	char file[512];

	snprintf(file, sizeof(file), "cgroup/%s/cpu.stat", path);
	tree_put(file, "usage_usec %lu\nuser_usec 0\nsystem_usec 0\n", usec);
}

static void group(const char *path, uint64_t usec)
{
	char dir[512];

	snprintf(dir, sizeof(dir), "cgroup/%s", path);
	tree_mkdir(dir);
	usage(path, usec);
}

static void tick(uint64_t ns)
{
	tree_now_ns += ns;
	cr_assert(eq(int, source->driver->collect(source), 0));
}

Test(cgroup_driver, starts_from_what_is_there_and_books_what_is_used_since)
{
	struct activity *activity;

	group("a", 700000);
	group("a/b", 200000);
	open_with(16);
	activity = &source->activity;
	cr_assert(eq(str, (char *)source->hierarchy, "unified"));
	cr_assert(eq(int, life.born, 3));
	tick(100000000);
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/a/b")), 0));
	cr_assert(eq(u64, tree_sum_ns(activity), 200000000));
	cr_assert(eq(u64, activity->rows[OWNER_IDLE].usage.busy_ns, 200000000));

	/* 30 ms in /a/b, 20 ms in /a itself, 10 ms in the root: 6 ticks on two CPUs. */
	usage("a/b", 230000);
	usage("a", 750000);
	tree_stat(103, 0, 0);
	tick(100000000);
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/a/b")), 30000000));
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/a")), 20000000));
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/")), 10000000));
	cr_assert(eq(u64, tree_sum_ns(activity), 400000000));
	cr_assert(eq(u32, activity->cpus, 2));
	cr_assert(eq(u64, activity->t_ns, tree_now_ns));
}

Test(cgroup_driver, tells_of_cgroups_that_come_and_go)
{
	struct activity *activity;

	open_with(16);
	activity = &source->activity;
	tick(100000000);
	group("x", 0);
	group("x/y", 40000);
	usage("x", 40000);
	tree_stat(102, 0, 0);
	tick(100000000);
	cr_assert(eq(int, life.born, 3));
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/x/y")), 40000000));
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/x")), 0));

	/* Its last moments are its parent's: 2 ms after our last look. */
	tree_remove("cgroup/x/y");
	usage("x", 42000);
	tick(11000000000);
	cr_assert(eq(int, life.gone, 1));
	tick(100000000);
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/x")), 2000000));
	cr_assert(eq(u64, tree_sum_ns(activity), 2 * 11300000000u));
}

Test(cgroup_driver, conserves_time_with_interrupts_and_steal)
{
	struct activity *activity;
	uint64_t before_ns;

	group("a", 0);
	open_with(16);
	activity = &source->activity;
	before_ns = tree_now_ns;
	for (uint64_t i = 1; i <= 90; i++) {
		usage("a", i * 17000);
		tree_stat(100 + i, i / 10, i / 3);
		tick(50000000);
		cr_assert(eq(u64, tree_sum_ns(activity), 2 * (tree_now_ns - before_ns)), "%lu", i);
	}
	cr_assert(eq(u64, activity->rows[OWNER_IRQ].usage.busy_ns, 2 * 9 * 10000000));
	cr_assert(eq(u64, activity->rows[OWNER_STEAL].usage.busy_ns, 2 * 30 * 10000000));
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/a")), (uint64_t)90 * 17000000));
	cr_assert(eq(u64, tree_busy_ns(activity, tree_id(&life, "/")), (uint64_t)90 * 3000000));
}

Test(cgroup_driver, shares_time_out_to_packages_as_they_were_busy)
{
	struct activity *activity;
	uint32_t row = _OWNER_FIXED;

	tree_topology.n_packages = 2;
	tree_topology.package_of[1] = 1;
	group("a", 0);
	open_with(16);
	activity = &source->activity;
	usage("a", 30000);
	tree_put("proc/stat", "cpu  204 0 0 0 0 0 0 0\ncpu0 101 0 0 0 0 0 0 0\n"
			      "cpu1 103 0 0 0 0 0 0 0\n");
	tick(100000000);
	while (activity->rows[row].cgroup_id != tree_id(&life, "/a"))
		row++;
	cr_assert(eq(u64, activity->weight[row * 2], 7500000));
	cr_assert(eq(u64, activity->weight[row * 2 + 1], 22500000));
	cr_assert(eq(u64, activity->package_busy_ns[0], 10000000));
	cr_assert(eq(u64, activity->package_busy_ns[1], 30000000));
	tree_sum_ns(activity);
}

Test(cgroup_driver, reads_packages_from_v1_where_it_can)
{
	const struct activity_config config = { .topology = &tree_topology,
						.sink = &sink,
						.max_cgroups = 16 };

	tree_remove("cgroup/cgroup.controllers");
	tree_mkdir("cgroup/cpuacct");
	tree_put("cgroup/cpuacct/cgroup.procs", "%s", "");
	tree_put("cgroup/cpuacct/cpuacct.usage", "900\n");
	tree_put("cgroup/cpuacct/cpuacct.usage_percpu", "400 500 \n");
	tree_topology.n_packages = 2;
	tree_topology.package_of[1] = 1;
	cr_assert(eq(int, activity_cgroup.open(&tree_host, &config, &source), 0));
	cr_assert(eq(str, (char *)source->hierarchy, "cpuacct"));
	tree_put("cgroup/cpuacct/cpuacct.usage_percpu", "450 700 \n");
	tick(1000000);
	cr_assert(eq(u64, source->activity.package_busy_ns[0], 50));
	cr_assert(eq(u64, source->activity.package_busy_ns[1], 200));
	cr_assert(eq(u64, tree_busy_ns(&source->activity, tree_id(&life, "/")), 250));
	cr_assert(eq(u64, tree_sum_ns(&source->activity), 2000000));
}

Test(cgroup_driver, books_what_finds_no_row_to_overflow)
{
	struct activity *activity;
	char path[32];
	uint64_t sum;

	open_with(4);
	activity = &source->activity;
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "g%d", i);
		group(path, 1000);
	}
	tree_stat(102, 0, 0);
	tick(100000000);
	cr_assert(eq(int, life.born, 41));
	sum = activity->rows[OWNER_OVERFLOW].usage.busy_ns;
	cr_assert(eq(u64, sum, 37 * 1000000));
	cr_assert(eq(u64, activity->overflow_switches, 37));
	cr_assert(eq(u64, tree_sum_ns(activity), 200000000));
}

Test(cgroup_driver, goes_on_when_no_file_can_be_kept_open)
{
	struct rlimit few = { 200, 200 }; /* fewer than it leaves for others: none are kept */

	group("a", 0);
	cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &few), 0));
	open_with(16);
	usage("a", 5000);
	tree_stat(101, 0, 0);
	tick(100000000);
	cr_assert(eq(u64, tree_busy_ns(&source->activity, tree_id(&life, "/a")), 5000000));
	tree_remove("cgroup/a");
	tick(100000000);
	cr_assert(eq(int, life.gone, 1));
}

Test(cgroup_driver, survives_nonsense_in_its_files)
{
	static const char *const nonsense[] = { "",
						"usage_usec",
						"usage_usec -5\n",
						"usage_usec x\n",
						"usage_usec 99999999999999999999999\n",
						"\xff\n" };
	uint64_t before_ns;

	group("a", 1000);
	open_with(16);
	before_ns = tree_now_ns;
	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		tree_put("cgroup/a/cpu.stat", "%s", nonsense[i]);
		tick(10000000);
		cr_assert(eq(u64, tree_sum_ns(&source->activity), 2 * (tree_now_ns - before_ns)));
	}
	usage("a", 500); /* back in time */
	tick(10000000);
	usage("a", 3000);
	tree_stat(101, 0, 0);
	tick(10000000);
	cr_assert(eq(u64, tree_busy_ns(&source->activity, tree_id(&life, "/a")), 2000000));
	cr_assert(eq(int, life.gone, 0));
}

Test(cgroup_driver, is_absent_where_nothing_counts_time)
{
	const struct activity_config config = { .topology = &tree_topology, .max_cgroups = 16 };
	struct probe_list probe = { 0 };
	struct activity_config asked = config;

	tree_remove("cgroup/cgroup.controllers");
	cr_assert(eq(int, activity_cgroup.open(&tree_host, &config, &source), -ENODEV));
	tree_mkdir("cgroup/cpu");
	tree_put("cgroup/cpu/cgroup.procs", "%s", "");
	asked.probe = &probe;
	cr_assert(eq(int, activity_cgroup.open(&tree_host, &asked, &source), -ENODEV));
	cr_assert(eq(sz, probe.n, 1));
	cr_assert(strstr(probe.rows[0].why, "'cpu'") != NULL, "%s", probe.rows[0].why);
	probe_list_free(&probe);
}

/* ---- the kernel's own cgroups ---- */

static void burn(uint64_t ns)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec < ns);
}

static void enter_and_burn(const char *dir, uint64_t ns)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		char file[512];
		_fclose_ FILE *procs = NULL;

		snprintf(file, sizeof(file), "%s/cgroup.procs", dir);
		procs = fopen(file, "w");
		if (!procs || fprintf(procs, "0\n") < 0 || fflush(procs) != 0)
			_exit(1);
		sched_yield(); /* a running task takes its new cgroup at its next switch */
		burn(ns);
		_exit(0);
	}
	waitpid(child, &status, 0);
	cr_assert(eq(int, status, 0));
}

Test(cgroup_driver, agrees_with_the_kernel_about_real_cgroups, .timeout = 60)
{
	_free_ struct topology *topology = calloc(1, sizeof(*topology));
	struct hierarchy hierarchy;
	struct host real;
	struct activity_config config = { .topology = topology,
					  .sink = &sink,
					  .max_cgroups = 4096 };
	char dir[256], name[64];
	uint64_t start_ns, sum, wall;

	cr_assert(eq(int, host_open(NULL, NULL, NULL, &real), 0));
	topology_read(&real, topology);
	snprintf(name, sizeof(name), "/podjoule-unit-%d", (int)getpid());
	if (hierarchy_find(&real, NULL, &hierarchy) < 0 ||
	    activity_cgroup.open(&real, &config, &source) < 0) {
		host_close(&real);
		cr_skip_test("no cgroup file system that counts CPU time");
	}
	start_ns = source->activity.t_ns;
	snprintf(dir, sizeof(dir), "/sys/fs/cgroup/%s%s", hierarchy.dir, name);
	if (mkdir(dir, 0755) < 0) {
		host_close(&real);
		cr_skip_test("cannot make cgroups here");
	}
	cr_assert(eq(int, source->driver->collect(source), 0));
	enter_and_burn(dir, 100000000);
	cr_assert(eq(int, source->driver->collect(source), 0));
	sum = tree_busy_ns(&source->activity, tree_id(&life, name));
	cr_expect(ge(u64, sum, 99000000), "%lu", sum);
	cr_expect(le(u64, sum, 130000000), "%lu", sum);

	cr_assert(eq(int, rmdir(dir), 0));
	cr_assert(eq(int, source->driver->collect(source), 0));
	cr_assert(ge(int, life.gone, 1));
	sum = tree_sum_ns(&source->activity);
	wall = (source->activity.t_ns - start_ns) * source->activity.cpus;
	cr_expect(ge(u64, sum, wall - 1000000), "%lu of %lu", sum, wall);
	cr_expect(le(u64, sum, wall + 20000000), "%lu of %lu", sum, wall);
	source->driver->close(source);
	source = NULL;
	host_close(&real);
}
