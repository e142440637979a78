/* SPDX-License-Identifier: Apache-2.0 */
/* Whose time it is: against the kernel's own books. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/parse.h"
#include "platform/scope.h"
#include "rig.h"

#define MS 1000000ull

/* Loads that start and end inside the interval: within 0.05 % of cpuacct, steal taken out by both.
 */
static void agrees_with_cpuacct(const struct rig_options *options, const char *label)
{
	static const char *const names[4] = { "podjoule-a", "podjoule-b", "podjoule-c",
					      "podjoule-d" };
	struct rig rig;
	uint64_t ids[4], kernel_ns, ours_ns;
	pid_t pids[4];
	int i;

	rig_open(&rig, options);
	for (i = 0; i < 4; i++) {
		ids[i] = rig_mkdir(&rig, names[i]);
		pids[i] = rig_worker(&rig, names[i], (uint64_t)(400 + 300 * i) * MS,
				     i % 2 ? 3 * MS : 0);
	}
	for (i = 0; i < 30; i++) {
		rig_sleep_ns(50 * MS);
		rig_collect(&rig);
	}
	for (i = 0; i < 4; i++)
		rig_join(pids[i], NULL);
	rig_sleep_ns(20 * MS);
	rig_collect(&rig);
	for (i = 0; i < 4; i++) {
		kernel_ns = rig_cpuacct_ns(&rig, names[i]);
		ours_ns = rig_cgroup_ns(&rig, ids[i]);
		printf("%s, %s: cpuacct %.6f s, ours %+.1f us (%+.4f %%)\n", label, names[i],
		       (double)kernel_ns / 1e9, ((double)ours_ns - (double)kernel_ns) / 1e3,
		       ((double)ours_ns / (double)kernel_ns - 1) * 100);
		cr_expect(llabs((long long)(ours_ns - kernel_ns)) <=
				  (long long)(kernel_ns / 2000 + rig_missed(&rig) * 50000),
			  "%s: %s differs by more than 0.05 %%", label, names[i]);
		rig_rmdir(&rig, names[i]);
	}
	rig_close(&rig);
}

Test(owner, agrees_with_cpuacct, .timeout = 60)
{
	agrees_with_cpuacct(NULL, "tp_btf");
}

Test(owner, bills_a_process_that_never_switches_while_it_runs, .timeout = 30)
{
	struct rig rig;
	uint64_t id, before;
	pid_t pid;

	rig_open(&rig, NULL);
	id = rig_mkdir(&rig, "podjoule-hog");
	pid = rig_worker(&rig, "podjoule-hog", 1500 * MS, 0);
	rig_sleep_ns(300 * MS);
	rig_collect(&rig);
	before = rig_cgroup_ns(&rig, id);
	cr_expect(before > 50 * MS, "%llu ns after 300 ms", (unsigned long long)before);
	rig_sleep_ns(300 * MS);
	rig_collect(&rig);
	cr_expect(rig_cgroup_ns(&rig, id) > before + 50 * MS, "and it goes on");
	rig_join(pid, NULL);
	rig_rmdir(&rig, "podjoule-hog");
	rig_close(&rig);
}

Test(owner, follows_a_running_process_that_is_moved, .timeout = 30)
{
	struct rig rig;
	uint64_t from, to, ns;
	pid_t pid;
	int i;

	rig_open(&rig, NULL);
	from = rig_mkdir(&rig, "podjoule-from");
	to = rig_mkdir(&rig, "podjoule-to");
	pid = rig_worker(&rig, "podjoule-from", 4000 * MS, 0);
	rig_sleep_ns(200 * MS);
	rig_move(&rig, "podjoule-to", pid);
	for (i = 0; i < 15; i++) {
		rig_sleep_ns(100 * MS);
		rig_collect(&rig);
	}
	ns = rig_cgroup_ns(&rig, to);
	cr_expect(ns > 200 * MS, "the new owner has %llu ms", (unsigned long long)(ns / MS));
	ns = rig_cgroup_ns(&rig, from);
	rig_sleep_ns(200 * MS);
	rig_collect(&rig);
	cr_expect(rig_cgroup_ns(&rig, from) <= ns + 5 * MS, "the old one gets no more");
	rig_join(pid, NULL);
	rig_rmdir(&rig, "podjoule-from");
	rig_rmdir(&rig, "podjoule-to");
	rig_close(&rig);
}

Test(owner, changes_at_once_when_a_process_moves_itself, .timeout = 30)
{
	const struct timespec end = { .tv_nsec = 300 * MS };
	struct timespec now = { 0 };
	struct rig rig;
	uint64_t id, ns, kernel_ns;
	pid_t pid;

	rig_open(&rig, NULL);
	id = rig_mkdir(&rig, "podjoule-self");
	pid = fork();
	if (pid == 0) {
		rig_move(&rig, "podjoule-self", getpid());
		while (now.tv_sec == 0 && now.tv_nsec < end.tv_nsec)
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
		_exit(0);
	}
	rig_join(pid, NULL);
	rig_collect(&rig);
	ns = rig_cgroup_ns(&rig, id);
	kernel_ns = rig_cpuacct_ns(&rig, "podjoule-self");
	printf("moved itself: cpuacct %.6f s, ours %+.1f us\n", (double)kernel_ns / 1e9,
	       ((double)ns - (double)kernel_ns) / 1e3);
	/* The kernel charges what ran since its last look to the new cgroup, up to a scheduler
	 * tick. */
	cr_expect(ns <= kernel_ns + MS && ns + 10 * MS >= kernel_ns);
	rig_rmdir(&rig, "podjoule-self");
	rig_close(&rig);
}

Test(owner, counts_switches_as_the_kernel_does, .timeout = 30)
{
	const struct activity_row *row = NULL;
	struct rig rig;
	struct rusage usage;
	uint64_t id;
	uint32_t i;

	rig_open(&rig, NULL);
	id = rig_mkdir(&rig, "podjoule-switches");
	rig_join(rig_worker(&rig, "podjoule-switches", 200 * MS, 1 * MS), &usage);
	rig_collect(&rig);
	for (i = _OWNER_FIXED; i < rig.source->activity.capacity; i++) {
		if (rig.source->activity.rows[i].cgroup_id == id)
			row = &rig.source->activity.rows[i];
	}
	cr_assert(row != NULL);
	printf("switches: voluntary %llu (kernel %ld), involuntary %llu (kernel %ld)\n",
	       (unsigned long long)row->usage.voluntary, usage.ru_nvcsw,
	       (unsigned long long)row->usage.involuntary, usage.ru_nivcsw);
	/* Those before the move, and the last one, which rusage cannot see. */
	cr_expect(llabs((long long)row->usage.voluntary - usage.ru_nvcsw) <= 3);
	cr_expect(llabs((long long)row->usage.involuntary - usage.ru_nivcsw) <= 3);
	rig_rmdir(&rig, "podjoule-switches");
	rig_close(&rig);
}

Test(owner, counts_cycles_and_instructions_where_there_is_a_pmu, .timeout = 30)
{
	const struct rig_options options = { .any_counters = true };
	const struct activity *activity;
	struct rig rig;
	uint64_t id;
	uint32_t i;

	rig_open(&rig, &options);
	activity = &rig.source->activity;
	if (!activity->has_counters) {
		rig_close(&rig);
		cr_skip_test("skipped: PMU");
	}
	id = rig_mkdir(&rig, "podjoule-cycles");
	rig_join(rig_worker(&rig, "podjoule-cycles", 300 * MS, 0), NULL);
	rig_collect(&rig);
	cr_expect(activity->unit == WEIGHT_CYCLES);
	for (i = _OWNER_FIXED; i < activity->capacity; i++) {
		const struct usage *usage = &activity->rows[i].usage;

		if (activity->rows[i].cgroup_id != id)
			continue;
		cr_expect(usage->cycles > usage->busy_ns / 4 && usage->cycles < usage->busy_ns * 8,
			  "%.2f cycles a ns", (double)usage->cycles / (double)usage->busy_ns);
		cr_expect(usage->instructions > usage->cycles / 50);
	}
	rig_rmdir(&rig, "podjoule-cycles");
	rig_close(&rig);
}

/* Run time of all kernel threads by the scheduler's own statistics. */
static uint64_t kernel_threads_ns(void)
{
	_dir_ DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t sum = 0;

	while (proc && (entry = readdir(proc))) {
		char path[64], text[512], *end;
		uint64_t ns;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/cmdline", entry->d_name);
		if (rig_read(path, text, sizeof(text)) != 0)
			continue; /* kernel threads have no command line */
		snprintf(path, sizeof(path), "/proc/%.16s/schedstat", entry->d_name);
		if (rig_read(path, text, sizeof(text)) <= 0)
			continue;
		end = strchr(text, ' ');
		if (end)
			*end = '\0';
		if (parse_u64(text, &ns) == 0)
			sum += ns;
	}
	return sum;
}

Test(owner, books_kernel_threads_apart_even_in_the_root_cgroup, .timeout = 30)
{
	struct rig rig;
	uint64_t kernel, ours;
	pid_t load;

	rig_open(&rig, NULL);
	rig_collect(&rig);
	kernel = kernel_threads_ns();
	ours = rig.source->activity.rows[OWNER_KERNEL].usage.busy_ns;
	/* Write-back runs in kernel threads. */
	load = rig_load(
		"for i in 1 2 3; do dd if=/dev/zero of=/tmp/podjoule-test.$$ bs=1M count=64 "
		"conv=fsync 2>/dev/null; done; rm -f /tmp/podjoule-test.$$");
	waitpid(load, NULL, 0);
	rig_collect(&rig);
	ours = rig.source->activity.rows[OWNER_KERNEL].usage.busy_ns - ours;
	kernel = kernel_threads_ns() - kernel;
	printf("kernel threads: schedstat %.3f ms, ours %.3f ms\n", (double)kernel / 1e6,
	       (double)ours / 1e6);
	cr_expect(kernel > 0 && ours > 0);
	cr_expect(llabs((long long)(ours - kernel)) <= (long long)(kernel / 10 + 2 * MS),
		  "kernel threads that came and went are in ours only");
	rig_close(&rig);
}

/* A directory of another hierarchy whose id is that of one in ours; ids are small and sequential.
 */
static bool make_equal_ids(struct rig *rig, const char *other, uint64_t *ret_id, char *ret_ours,
			   char *ret_path, size_t size)
{
	uint64_t ours[200];
	struct stat st;
	int i, j;

	for (i = 0; i < 200; i++) {
		snprintf(ret_ours, size, "podjoule-eq-%d", i);
		ours[i] = rig_mkdir(rig, ret_ours);
	}
	for (i = 0; i < 4000; i++) {
		snprintf(ret_path, size, "%s/podjoule-eq", other);
		if (mkdir(ret_path, 0755) < 0 || stat(ret_path, &st) < 0)
			return false;
		for (j = 0; j < 200; j++) {
			if (ours[j] == st.st_ino) {
				snprintf(ret_ours, size, "podjoule-eq-%d", j);
				*ret_id = ours[j];
				return true;
			}
		}
		if (st.st_ino > ours[199])
			break;
		rmdir(ret_path);
	}
	rmdir(ret_path);
	return false;
}

Test(owner, is_not_fooled_by_equal_ids_in_two_hierarchies, .timeout = 60)
{
	static const char *const others[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup/freezer",
					      "/sys/fs/cgroup/devices", "/sys/fs/cgroup/unified" };
	char ours[200], path[200], file[256], name[64];
	struct rig rig;
	bool found = false;
	uint64_t id = 0;
	pid_t pid;
	FILE *procs;
	size_t i;

	rig_open(&rig, NULL);
	for (i = 0; i < ARRAY_SIZE(others) && !found; i++)
		found = access(others[i], W_OK) == 0 &&
			make_equal_ids(&rig, others[i], &id, ours, path, sizeof(path));
	if (found) {
		/* Busy in the other hierarchy's directory, in the root of ours. */
		pid = rig_load("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done");
		snprintf(file, sizeof(file), "%s/cgroup.procs", path);
		procs = fopen(file, "w");
		cr_assert(procs != NULL);
		fprintf(procs, "%d\n", (int)pid);
		cr_expect(eq(int, fclose(procs), 0));
		waitpid(pid, NULL, 0);
		rig_collect(&rig);
		cr_expect(eq(u64, rig_cgroup_ns(&rig, id), 0), "id %llu is idle in our hierarchy",
			  (unsigned long long)id);
		cr_expect(rig_find_path(&rig, "/podjoule-eq") == NULL,
			  "births in other hierarchies are not ours");
		rmdir(path);
	}
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "podjoule-eq-%d", (int)i);
		rig_rmdir(&rig, name);
	}
	rig_close(&rig);
	if (!found)
		cr_skip_test("skipped: no second hierarchy gave an equal id");
}

Test(owner, tells_births_with_their_path_and_ends, .timeout = 30)
{
	/* The kernel itself refuses newlines. */
	static const char *const names[] = { "podjoule-born", "podjoule-born/pod\"x y",
					     "podjoule-born/\xff z" };
	const struct rig_born *born;
	struct rig rig;
	char path[200];
	uint64_t id;
	size_t i;

	rig_open(&rig, NULL);
	cr_expect(rig_find_path(&rig, "/") != NULL, "what exists at the start is told too");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		id = rig_mkdir(&rig, names[i]);
		rig_collect(&rig);
		snprintf(path, sizeof(path), "/%s", names[i]);
		born = rig_find_path(&rig, path);
		cr_assert(born != NULL, "%s", path);
		cr_expect(eq(u64, born->cgroup_id, id));
	}
	for (i = ARRAY_SIZE(names); i > 0; i--)
		rig_rmdir(&rig, names[i - 1]);
	rig_collect(&rig);
	cr_expect(rig_find_path(&rig, "/podjoule-born")->gone);
	rig_close(&rig);
}

Test(owner, wakes_the_agent_once_when_work_has_been_done, .timeout = 30)
{
	struct pollfd poll_fd = { .events = POLLIN };
	struct rig rig;
	pid_t pid;

	rig_open(&rig, NULL);
	rig_mkdir(&rig, "podjoule-wake");
	poll_fd.fd = activity_bpf.pollfd(rig.source);
	activity_bpf.arm(rig.source, 0);
	rig_collect(&rig);
	pid = rig_worker(&rig, "podjoule-wake", 2000 * MS, 5 * MS);
	cr_expect(eq(int, poll(&poll_fd, 1, 200), 0), "not armed: not woken");
	rig_collect(&rig);
	activity_bpf.arm(rig.source, 20 * MS);
	cr_expect(eq(int, poll(&poll_fd, 1, 2000), 1), "armed: woken by 20 ms of CPU time");
	rig_collect(&rig);
	cr_expect(eq(int, poll(&poll_fd, 1, 0), 0), "the tick takes the record");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	rig_rmdir(&rig, "podjoule-wake");
	rig_close(&rig);
}
