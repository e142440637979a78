/* SPDX-License-Identifier: Apache-2.0 */
/* What processes are called: told by the kernel at their exec, and only when somebody asked. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <bpf/bpf.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/scope.h"
#include "rig.h"

#define EXECS 4096

/* What one driver was told. */
struct told {
	struct host host;
	struct topology topology;
	struct activity_source *source;
	int32_t pid[EXECS];
	char comm[EXECS][16];
	size_t n, n_born;
};

static struct told told;

static void on_exec(void *ctx, int32_t pid, const char comm[16])
{
	struct told *all = ctx;

	cr_assert(pid > 0 && memchr(comm, 0, 16) != NULL);
	all->pid[all->n % EXECS] = pid;
	memcpy(all->comm[all->n % EXECS], comm, 16);
	all->n++;
}

static void on_born(void *ctx, _unused_ uint64_t cgroup_id, _unused_ const char *path,
		    _unused_ uint64_t t_ns)
{
	((struct told *)ctx)->n_born++;
}

static void on_gone(_unused_ void *ctx, _unused_ uint64_t cgroup_id, _unused_ uint64_t t_ns)
{
}

static void open_driver(bool raw, bool exec)
{
	const struct activity_sink sink = { .born = on_born, .gone = on_gone, .ctx = &told };
	struct activity_config config = { .topology = &told.topology,
					  .sink = &sink,
					  .max_cgroups = 256,
					  .raw_tracepoint = raw,
					  .no_counters = true,
					  .exec = exec ? on_exec : NULL };

	memset(&told, 0, sizeof(told));
	cr_assert(eq(int, host_open(NULL, NULL, NULL, &told.host), 0));
	topology_read(&told.host, &told.topology);
	cr_assert(eq(int, activity_bpf.open(&told.host, &config, &told.source), 0),
		  "the bpf driver opens (root, or CAP_BPF and CAP_PERFMON)");
}

static void close_driver(void)
{
	activity_bpf.close(told.source);
	host_close(&told.host);
}

static int find(int32_t pid, const char *comm)
{
	int found = 0;

	cr_assert(told.n < EXECS, "more execs than the test has room for");
	for (size_t i = 0; i < told.n; i++)
		found += told.pid[i] == pid && strcmp(told.comm[i], comm) == 0;
	return found;
}

static pid_t run(const char *program, const char *arg)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp(program, program, arg, (char *)NULL);
		_exit(127);
	}
	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	return pid;
}

static void names_every_exec(bool raw)
{
	pid_t pids[20], renamed;

	open_driver(raw, true);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = run(i % 2 ? "true" : "sleep", "0");
	/* A fork keeps its parent's name, and one who renames itself has not exec'ed. */
	renamed = fork();
	if (renamed == 0) {
		prctl(PR_SET_NAME, "somebody-else");
		_exit(0);
	}
	waitpid(renamed, NULL, 0);
	cr_assert(eq(int, activity_bpf.collect(told.source), 0));
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		cr_expect(eq(int, find(pids[i], i % 2 ? "true" : "sleep"), 1), "%d", pids[i]);
	for (size_t i = 0; i < told.n; i++)
		cr_expect(ne(i32, told.pid[i], renamed));
	/* Cgroups are told of as ever. */
	cr_expect(told.n_born > 0);
	close_driver();
}

Test(life, names_every_exec, .timeout = 60)
{
	names_every_exec(false);
}

Test(life, names_every_exec_raw, .timeout = 60)
{
	names_every_exec(true);
}

static void *exec_true(_unused_ void *nothing)
{
	execlp("true", "true", (char *)NULL);
	_exit(127);
}

Test(life, gives_an_exec_of_a_thread_to_its_process, .timeout = 60)
{
	pthread_t thread;
	pid_t pid;

	open_driver(false, true);
	pid = fork();
	if (pid == 0) {
		pthread_create(&thread, NULL, exec_true, NULL);
		pthread_join(thread, NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	cr_assert(eq(int, activity_bpf.collect(told.source), 0));
	cr_expect(eq(int, find(pid, "true"), 1));
	close_driver();
}

Test(life, names_a_script_by_its_own_name, .timeout = 60)
{
	char path[] = "/tmp/lifeXXXXXX";
	_close_ int fd = mkstemp(path);
	const char text[] = "#!/bin/sh\nexit 0\n";
	pid_t pid;

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	cr_assert(eq(int, fchmod(fd, 0755), 0));
	close(TAKE_FD(fd));
	open_driver(false, true);
	pid = run(path, NULL);
	cr_assert(eq(int, activity_bpf.collect(told.source), 0));
	cr_expect(eq(int, find(pid, strrchr(path, '/') + 1), 1));
	close_driver();
	unlink(path);
}

static unsigned int count_exec_programs(void)
{
	unsigned int n = 0, id = 0;

	while (bpf_prog_get_next_id(id, &id) == 0) {
		_close_ int fd = bpf_prog_get_fd_by_id(id);
		struct bpf_prog_info info = { 0 };
		unsigned int size = sizeof(info);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
			n += strcmp(info.name, "exec_raw") == 0;
	}
	return n;
}

Test(life, costs_nothing_when_nobody_asks, .timeout = 60)
{
	unsigned int before = count_exec_programs();

	open_driver(false, false);
	cr_expect(eq(uint, count_exec_programs(), before));
	run("true", NULL);
	cr_assert(eq(int, activity_bpf.collect(told.source), 0));
	cr_expect(eq(sz, told.n, 0));
	close_driver();
	open_driver(false, true);
	cr_expect(eq(uint, count_exec_programs(), before + 1));
	close_driver();
}

/* What one exec costs, as the kernel counts it; printed, not judged. */
Test(life, says_what_an_exec_costs, .timeout = 60)
{
	_close_ int stats = -1;
	unsigned int id = 0;

	open_driver(false, true);
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	for (int i = 0; i < 500; i++)
		run("true", NULL);
	while (stats >= 0 && bpf_prog_get_next_id(id, &id) == 0) {
		_close_ int fd = bpf_prog_get_fd_by_id(id);
		struct bpf_prog_info info = { 0 };
		unsigned int size = sizeof(info);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
		    strcmp(info.name, "exec_raw") == 0 && info.run_cnt)
			printf("exec: %llu ns each of %llu\n",
			       (unsigned long long)(info.run_time_ns / info.run_cnt),
			       (unsigned long long)info.run_cnt);
	}
	cr_assert(eq(int, activity_bpf.collect(told.source), 0));
	cr_expect(told.n >= 500, "%zu of 500", told.n);
	close_driver();
}
