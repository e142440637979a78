/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "activity/bpf_source.h"
#include "platform/parse.h"
#include "platform/scope.h"

static void on_born(void *ctx, uint64_t cgroup_id, const char *path, uint64_t t_ns)
{
	struct rig *rig = ctx;
	struct rig_born *born = &rig->born[rig->n_born];

	(void)t_ns;
	cr_assert(rig->n_born < RIG_BORN_MAX, "more cgroups than the rig has room for");
	born->cgroup_id = cgroup_id;
	snprintf(born->path, sizeof(born->path), "%s", path ? path : "");
	rig->n_born++;
}

static void on_gone(void *ctx, uint64_t cgroup_id, uint64_t t_ns)
{
	struct rig *rig = ctx;
	size_t i;

	(void)t_ns;
	for (i = rig->n_born; i > 0; i--) {
		if (rig->born[i - 1].cgroup_id == cgroup_id) {
			rig->born[i - 1].gone = true;
			return;
		}
	}
}

void rig_open(struct rig *rig, const struct rig_options *options)
{
	static const struct rig_options usual;
	struct activity_sink sink = { .born = on_born, .gone = on_gone, .ctx = rig };
	struct activity_config config = { .topology = &rig->topology, .sink = &sink };

	options = options ? options : &usual;
	config.hierarchy = options->hierarchy;
	config.max_cgroups = options->max_cgroups ? options->max_cgroups : 4096;
	config.raw_tracepoint = options->raw_tracepoint;
	config.any_counters = options->any_counters;
	config.no_counters = !options->any_counters;

	memset(rig, 0, sizeof(*rig));
	rig->born = calloc(RIG_BORN_MAX, sizeof(*rig->born));
	cr_assert(rig->born != NULL);
	cr_assert(eq(int, host_open(NULL, NULL, NULL, &rig->host), 0));
	topology_read(&rig->host, &rig->topology);
	cr_assert(eq(int, hierarchy_find(&rig->host, options->hierarchy, &rig->hierarchy), 0));
	cr_assert(eq(int, activity_bpf.open(&rig->host, &config, &rig->source), 0),
		  "the bpf driver opens (root, or CAP_BPF and CAP_PERFMON)");
	rig_collect(rig);
}

void rig_close(struct rig *rig)
{
	activity_bpf.close(rig->source);
	host_close(&rig->host);
	free(rig->born);
}

int rig_collect(struct rig *rig)
{
	const struct activity *activity = &rig->source->activity;
	int r = activity_bpf.collect(rig->source);
	uint32_t i, j;

	cr_assert(eq(int, r, 0));
	for (i = 0; i < activity->n_active; i++) {
		uint32_t row = activity->active[i];

		cr_assert(row < activity->capacity);
		cr_assert(row < _OWNER_FIXED || activity->rows[row].cgroup_id != 0,
			  "an active row has an owner");
		for (j = i + 1; j < activity->n_active && activity->n_active < 50; j++)
			cr_assert(activity->active[j] != row, "a row is listed once");
	}
	return r;
}

uint64_t rig_sum_ns(const struct rig *rig)
{
	const struct activity *activity = &rig->source->activity;
	uint64_t sum = 0;
	uint32_t row;

	for (row = 0; row < activity->capacity; row++)
		sum += activity->rows[row].usage.busy_ns;
	return sum;
}

uint64_t rig_cgroup_ns(const struct rig *rig, uint64_t cgroup_id)
{
	const struct activity *activity = &rig->source->activity;
	uint32_t row;

	for (row = _OWNER_FIXED; row < activity->capacity; row++) {
		if (activity->rows[row].cgroup_id == cgroup_id)
			return activity->rows[row].usage.busy_ns;
	}
	return 0;
}

const struct rig_born *rig_find_path(const struct rig *rig, const char *path)
{
	size_t i;

	for (i = rig->n_born; i > 0; i--) {
		if (strcmp(rig->born[i - 1].path, path) == 0)
			return &rig->born[i - 1];
	}
	return NULL;
}

static void cgroup_path(const struct rig *rig, const char *name, const char *file, char *ret,
			size_t size)
{
	snprintf(ret, size, "/sys/fs/cgroup/%s%s%s%s%s", rig->hierarchy.dir,
		 rig->hierarchy.dir[0] ? "/" : "", name, file[0] ? "/" : "", file);
}

ssize_t rig_read(const char *path, char *buf, size_t size)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : host_pread(fd, buf, size);
}

uint64_t rig_mkdir(const struct rig *rig, const char *name)
{
	char path[512];
	struct stat st;

	cgroup_path(rig, name, "", path, sizeof(path));
	cr_assert(mkdir(path, 0755) == 0 || errno == EEXIST, "mkdir %s: %s", path, strerror(errno));
	cr_assert(eq(int, stat(path, &st), 0));
	return st.st_ino;
}

void rig_rmdir(const struct rig *rig, const char *name)
{
	const struct timespec moment = { .tv_nsec = 200000 };
	char path[512];
	int tries;

	cgroup_path(rig, name, "", path, sizeof(path));
	for (tries = 0; tries < 5000 && rmdir(path) < 0 && errno == EBUSY; tries++)
		nanosleep(&moment, NULL); /* a killed task is leaving */
}

uint64_t rig_cpuacct_ns(const struct rig *rig, const char *name)
{
	char path[512], text[4096];
	uint64_t value = 0;

	cgroup_path(rig, name, rig->hierarchy.unified ? "cpu.stat" : "cpuacct.usage", path,
		    sizeof(path));
	cr_assert(rig_read(path, text, sizeof(text)) > 0, "%s", path);
	if (rig->hierarchy.unified) {
		cr_assert(eq(int, parse_flat_keyed(text, "usage_usec", &value), 0));
		return value * 1000;
	}
	cr_assert(eq(int, parse_u64(text, &value), 0));
	return value;
}

void rig_move(const struct rig *rig, const char *name, pid_t pid)
{
	char path[512], text[16];
	int fd, n = snprintf(text, sizeof(text), "%d", (int)pid);

	cgroup_path(rig, name, "cgroup.procs", path, sizeof(path));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert(fd >= 0 && write(fd, text, (size_t)n) == n, "move to %s: %s", path,
		  strerror(errno));
	close(fd);
}

static uint64_t own_cpu_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
}

void rig_sleep_ns(uint64_t ns)
{
	struct timespec left = { .tv_sec = (time_t)(ns / 1000000000ull),
				 .tv_nsec = (long)(ns % 1000000000ull) };

	while (nanosleep(&left, &left) < 0)
		;
}

static void work(uint64_t cpu_ns, uint64_t burst_ns)
{
	uint64_t next = burst_ns;

	while (own_cpu_ns() < cpu_ns) {
		if (burst_ns && own_cpu_ns() >= next) {
			rig_sleep_ns(1000000);
			next += burst_ns;
		}
	}
}

static bool is_asleep(pid_t pid)
{
	char path[64], text[512], *state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	cr_assert(rig_read(path, text, sizeof(text)) > 0, "%s", path);
	state = strrchr(text, ')');
	return state && state[1] && state[2] == 'S';
}

pid_t rig_worker(const struct rig *rig, const char *name, uint64_t cpu_ns, uint64_t burst_ns)
{
	int gate[2];
	pid_t pid;
	char go;

	cr_assert(eq(int, pipe(gate), 0));
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		if (read(gate[0], &go, 1) != 1)
			_exit(1);
		work(cpu_ns, burst_ns);
		_exit(0);
	}
	close(gate[0]);
	/* Asleep at the gate: a task that is moved while it runs keeps its owner for that stint. */
	while (!is_asleep(pid))
		rig_sleep_ns(200000);
	rig_move(rig, name, pid);
	cr_assert(write(gate[1], "g", 1) == 1);
	close(gate[1]);
	return pid;
}

void rig_join(pid_t pid, struct rusage *ret)
{
	int status;

	cr_assert(eq(int, wait4(pid, &status, 0, ret), pid));
	cr_assert(eq(int, status, 0), "a worker failed");
}

pid_t rig_load(const char *command)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	setpgid(pid, pid);
	return pid;
}

void rig_kill(pid_t pid)
{
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

uint64_t rig_missed(const struct rig *rig)
{
	const struct bpf_source *source = (const struct bpf_source *)rig->source;
	uint64_t missed = 0;
	unsigned int cpu;

	for (cpu = 0; cpu < source->n_cpus; cpu++)
		missed += LOAD_ONCE(bpf_cpu(source, cpu)->missed);
	return missed;
}

bool rig_have(const char *program)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
	return system(command) == 0; /* NOLINT: a constant of the test's own */
}
