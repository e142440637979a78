/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "activity/process.h"
#include "driver_tree.h"
#include "no_leaks.h"
#include "oom.h"

#define KERNEL_THREAD 0x00200000u
#define TICK          10000000ull
#define SECOND        1000000000ull

static struct process_reader *reader;
static struct process_list list;

static void teardown(void)
{
	process_reader_close(reader);
	process_list_free(&list);
	reader = NULL;
	tree_teardown();
	no_leaks();
}

TestSuite(process, .init = tree_setup, .fini = teardown);

static void put_stat(int pid, unsigned int flags, unsigned int ticks, int start)
{
	char path[64];

	snprintf(path, sizeof(path), "proc/%d/stat", pid);
	tree_put(path, "%d (we) ird) S 1 1 1 0 -1 %u 0 0 0 0 %u %u 0 0 20 0 1 0 %d 0 0\n", pid,
		 flags, ticks / 2, ticks - ticks / 2, start);
}

static void put_process(int pid, const char *comm, unsigned int ticks, const char *cgroup)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/proc/%d", tree_root, pid);
	mkdir(path, 0755);
	put_stat(pid, 0, ticks, 5);
	snprintf(path, sizeof(path), "proc/%d/cgroup", pid);
	tree_put(path, "3:cpu,cpuacct:/elsewhere\n0::%s\n", cgroup);
	snprintf(path, sizeof(path), "proc/%d/comm", pid);
	tree_put(path, "%s\n", comm);
}

static void put_schedstat(int pid, uint64_t ns)
{
	char path[64];

	snprintf(path, sizeof(path), "proc/%d/schedstat", pid);
	tree_put(path, "%llu 77 3\n", (unsigned long long)ns);
}

static uint64_t put_cgroup(const char *path)
{
	char full[512];
	struct stat st;

	snprintf(full, sizeof(full), "%s/cgroup%s", tree_root, path);
	mkdir(full, 0755);
	cr_assert(eq(int, stat(full, &st), 0));
	return st.st_ino;
}

static void open_reader(void)
{
	const struct process_config config = { &tree_host, "unified", "" };

	cr_assert(eq(int, process_reader_open(&config, &reader), 0));
}

static void exec_as(int pid, const char *name)
{
	char comm[16] = "";

	memcpy(comm, name, strlen(name));
	process_exec(reader, pid, comm);
}

static void read_after(uint64_t ns)
{
	tree_now_ns += ns;
	cr_assert(eq(int, process_read(reader, &list), 0));
	for (size_t i = 0; i < list.n; i++)
		cr_assert(list.all[i].pid > 0 && memchr(list.all[i].comm, 0, 16) != NULL);
}

static const struct process_time *find(int pid)
{
	for (size_t i = 0; i < list.n; i++)
		if (list.all[i].pid == pid)
			return &list.all[i];
	return NULL;
}

Test(process, lists_processes_and_no_kernel_threads)
{
	uint64_t id = put_cgroup("/a");

	put_process(10, "web server", 30, "/a");
	put_process(11, "x", 5, "/");
	put_process(2, "kthreadd", 50, "/");
	put_stat(2, KERNEL_THREAD, 50, 0);
	tree_mkdir("proc/12"); /* vanished while it was looked at */
	tree_mkdir("proc/13x");
	tree_mkdir("proc/99999999999");
	open_reader();
	read_after(SECOND);
	cr_assert(eq(sz, list.n, 2));
	cr_assert(eq(str, (char *)find(10)->comm, "web server"));
	cr_assert(eq(u64, find(10)->cgroup_id, id));
	cr_assert(eq(u64, find(11)->cgroup_id, put_cgroup("")));
	cr_assert(eq(u64, find(10)->start_ticks, 5));
	cr_assert(eq(u64, find(10)->cpu_ns, 30 * TICK));
	cr_assert(eq(u64, list.truncated, 0));
	tree_remove("proc/10");
	read_after(SECOND);
	cr_assert(eq(ptr, (void *)find(10), NULL));
}

/* One thread: nanoseconds.  Many: what the group has used.  Whatever is read, it never falls. */
Test(process, takes_the_finer_of_two_clocks_and_never_goes_back)
{
	uint64_t before = 0, state = 1;

	put_process(10, "x", 1, "/");
	put_schedstat(10, TICK + 123456);
	open_reader();
	read_after(SECOND);
	cr_assert(eq(u64, find(10)->cpu_ns, TICK + 123456));
	put_stat(10, 0, 7, 5);
	read_after(SECOND);
	cr_assert(eq(u64, find(10)->cpu_ns, 7 * TICK));
	for (int i = 0; i < 500; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		put_stat(10, 0, (unsigned int)(state >> 40) % 1000, 5);
		put_schedstat(10, (state >> 20) % (10 * SECOND));
		read_after(SECOND);
		cr_assert(find(10)->cpu_ns >= before);
		before = find(10)->cpu_ns;
	}
	/* Another life of the pid begins anew. */
	put_stat(10, 0, 2, 6);
	put_schedstat(10, 5);
	read_after(SECOND);
	cr_assert(eq(u64, find(10)->cpu_ns, 2 * TICK));
	cr_assert(eq(u64, find(10)->start_ticks, 6));
}

Test(process, sees_moves_between_cgroups_within_ten_seconds)
{
	uint64_t a = put_cgroup("/a"), b = put_cgroup("/b");
	char path[64];

	for (int pid = 1; pid <= 300; pid++)
		put_process(pid, "x", 1, "/a");
	open_reader();
	read_after(SECOND);
	/* Whoever starts a process moves it soon: the second look is at once. */
	put_process(1, "x", 1, "/b");
	read_after(SECOND);
	cr_assert(eq(u64, find(1)->cgroup_id, b));
	cr_assert(eq(u64, find(2)->cgroup_id, a));
	for (int pid = 2; pid <= 300; pid++)
		put_process(pid, "x", 1, "/b");
	for (int i = 0; i < 9; i++)
		read_after(SECOND);
	for (int pid = 1; pid <= 300; pid++)
		cr_assert(eq(u64, find(pid)->cgroup_id, b));

	/* A cgroup that is made again is another one, and one that is gone stays the last known. */
	tree_remove("cgroup/b");
	tree_mkdir("cgroup/filler");
	for (int i = 0; i < 9; i++)
		read_after(SECOND);
	cr_assert(eq(u64, find(1)->cgroup_id, b));
	b = put_cgroup("/b");
	for (int i = 0; i < 9; i++)
		read_after(SECOND);
	cr_assert(eq(u64, find(1)->cgroup_id, b));

	/* Nothing outside of the hierarchy is looked at. */
	for (int pid = 1; pid <= 3; pid++) {
		snprintf(path, sizeof(path), "proc/%d/cgroup", pid);
		tree_put(path, "%s", pid == 1 ? "0::/../cgroup" : pid == 2 ? "0::a" : "garbage");
	}
	for (int i = 0; i < 9; i++)
		read_after(SECOND);
	cr_assert(eq(u64, find(1)->cgroup_id, b));
}

Test(process, is_called_as_it_was_at_its_exec)
{
	put_process(10, "sh", 1, "/");
	put_process(12, "other", 1, "/");
	open_reader();
	read_after(SECOND);
	exec_as(10, "nginx");
	exec_as(11, "a-name-of-15-by");
	exec_as(-1, "x");
	put_process(10, "nginx: worker", 1, "/");
	put_process(11, "renamed", 1, "/");
	put_process(12, "renamed", 1, "/");
	for (int i = 0; i < 12; i++)
		read_after(SECOND);
	cr_assert(eq(str, (char *)find(10)->comm, "nginx"));
	cr_assert(eq(str, (char *)find(11)->comm, "a-name-of-15-by"));
	cr_assert(eq(str, (char *)find(12)->comm, "renamed"), "its exec was not seen");
	/* What exec'ed and ended between two reads is nobody. */
	exec_as(13, "short");
	read_after(SECOND);
	put_process(13, "later", 1, "/");
	read_after(SECOND);
	cr_assert(eq(str, (char *)find(13)->comm, "later"));
	/* The name dies with the life that had it. */
	put_stat(10, 0, 1, 77);
	read_after(SECOND);
	cr_assert(eq(str, (char *)find(10)->comm, "nginx: worker"));
}

Test(process, finds_the_line_of_a_v1_hierarchy)
{
	struct process_config config = { &tree_host, "cpuacct", "cpu,cpuacct" };
	uint64_t id;

	put_cgroup("/cpu,cpuacct");
	id = put_cgroup("/cpu,cpuacct/elsewhere");
	put_process(10, "x", 1, "/a");
	cr_assert(eq(int, process_reader_open(&config, &reader), 0));
	read_after(SECOND);
	cr_assert(eq(u64, find(10)->cgroup_id, id));
}

Test(process, survives_any_text)
{
	static const char *const files[] = { "stat", "schedstat", "comm", "cgroup" };
	uint64_t state = 3;
	char path[64], text[300];

	open_reader();
	for (int i = 0; i < 2000; i++) {
		put_process(10, "x", 1, "/");
		for (size_t f = 0; f < ARRAY_SIZE(files); f++) {
			size_t n;

			state = state * 6364136223846793005u + 1442695040888963407u;
			n = (state >> 40) % sizeof(text);
			for (size_t at = 0; at < n; at++) {
				state = state * 6364136223846793005u + 1442695040888963407u;
				text[at] = "0123456789 ()/:,.\n-\xff"[(state >> 33) % 20];
			}
			snprintf(path, sizeof(path), "proc/10/%s", files[f]);
			if ((state >> 50) % 2)
				tree_put(path, "%.*s", (int)n, text);
		}
		read_after(SECOND);
	}
}

Test(process, needs_proc_and_the_hierarchy)
{
	struct process_config config = { &tree_host, "unified", "nowhere" };

	cr_assert(eq(int, process_reader_open(&config, &reader), -ENOENT));
	config.hierarchy_dir = "";
	close_fd(&tree_host.proc_fd);
	tree_host.proc_fd = -1;
	cr_assert(eq(int, process_reader_open(&config, &reader), -ENODEV));
	process_reader_close(NULL);
}

Test(process, survives_without_memory)
{
	const struct process_config config = { &tree_host, "unified", "" };

	for (int pid = 1; pid <= 100; pid++)
		put_process(pid, "x", 1, "/");
	OOM_SWEEP(i)
	{
		int r = process_reader_open(&config, &reader), again = 0;

		if (r == 0) {
			exec_as(7, "seven");
			again = process_read(reader, &list);
		}
		oom_stop();
		cr_assert(r == 0 || r == -ENOMEM);
		cr_assert(again == 0 || again == -ENOMEM);
		if (r == 0) {
			cr_assert(eq(int, process_read(reader, &list), 0));
			cr_assert(eq(sz, list.n, 100));
			process_reader_close(TAKE_PTR(reader));
		}
		process_list_free(&list);
	}
}

/* ---- the real one ---------------------------------------------------------------------------- */

static void burn(clockid_t clock, uint64_t ns)
{
	struct timespec now;

	do
		clock_gettime(clock, &now);
	while ((uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec < ns);
}

static void *work(_unused_ void *ctx)
{
	burn(CLOCK_THREAD_CPUTIME_ID, 30000000);
	return NULL;
}

/* Four threads that ended, one that is alive and has a name of its own. */
static void child(int ready, int go)
{
	pthread_t threads[4];
	char c;

	prctl(PR_SET_NAME, "busy-child");
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	burn(CLOCK_PROCESS_CPUTIME_ID, 200000000);
	_exit(write(ready, "r", 1) != 1 || read(go, &c, 1) != 1);
}

Test(process, agrees_with_what_a_real_one_is_billed, .timeout = 60)
{
	struct process_config config = { .hierarchy_dir = "" };
	int ready[2], go[2], status;
	struct hierarchy hierarchy;
	uint64_t seen_ns, billed_ns;
	struct rusage usage;
	struct host real;
	pid_t pid;
	char c;

	cr_assert(eq(int, host_open(NULL, NULL, NULL, &real), 0));
	if (hierarchy_find(&real, NULL, &hierarchy) < 0) {
		host_close(&real);
		cr_skip("no cgroup hierarchy is mounted here");
	}
	cr_assert(pipe(ready) == 0 && pipe(go) == 0);
	pid = fork();
	if (pid == 0)
		child(ready[1], go[0]);
	config = (struct process_config){ &real, hierarchy.name, hierarchy.dir };
	cr_assert(eq(int, process_reader_open(&config, &reader), 0));
	cr_assert(eq(int, read(ready[0], &c, 1), 1));
	for (int i = 0; i < 3; i++)
		cr_assert(eq(int, process_read(reader, &list), 0));
	cr_assert(find(pid) != NULL);
	cr_assert(eq(str, (char *)find(pid)->comm, "busy-child"));
	cr_assert(find(pid)->cgroup_id != 0);
	cr_assert(eq(u64, find(pid)->cgroup_id, find(getpid())->cgroup_id));
	cr_assert(eq(ptr, (void *)find(2), NULL), "kthreadd, or nobody");
	seen_ns = find(pid)->cpu_ns;
	cr_assert(eq(int, write(go[1], "g", 1), 1));
	cr_assert(eq(int, wait4(pid, &status, 0, &usage), pid));
	cr_assert(eq(int, status, 0));
	billed_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND +
		    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
	/* Two clock ticks where only those are to be had; and its exit is billed too. */
	cr_assert(seen_ns <= billed_ns + 1000000 && seen_ns + 25000000 >= billed_ns,
		  "%llu of %llu ns", (unsigned long long)seen_ns, (unsigned long long)billed_ns);
	cr_assert(eq(int, process_read(reader, &list), 0));
	cr_assert(eq(ptr, (void *)find(pid), NULL));
	for (size_t i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	host_close(&real);
}
