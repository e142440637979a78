/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tick costs.  Protocol: CGROUPS real cgroups, ACTIVE of them with a process that works for
 * 100 us every 20 ms; the real bpf driver and a ledger with one zone whose counter moves; TICKS
 * ticks 100 ms apart, each timed in its parts by CLOCK_MONOTONIC: the read (driver), the ledger
 * (pending weights, meter, split).  Medians and 99th percentiles.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "account/ledger.h"
#include "activity/activity.h"
#include "platform/log.h"
#include "platform/parse.h"
#include "platform/scope.h"

struct bench {
	struct host host;
	struct topology topology;
	struct hierarchy hierarchy;
	struct activity_source *source;
	struct ledger *ledger;
	unsigned int cgroups, active, ticks;
	pid_t *workers;
};

static void born(void *ctx, uint64_t id, const char *path, uint64_t t_ns)
{
	struct bench *bench = ctx;
	struct name *name = name_new(path);

	ledger_born(bench->ledger, id, name, t_ns);
	name_unref(name);
}

static void gone(void *ctx, uint64_t id, uint64_t t_ns)
{
	struct bench *bench = ctx;

	ledger_gone(bench->ledger, id, t_ns);
}

static void cgroup_path(const struct bench *bench, unsigned int i, const char *file, char *ret,
			size_t size)
{
	/* Named as a container runtime would, so that naming costs what it costs. */
	snprintf(ret, size, "%s%spodjoule-tick/%064x%s", bench->hierarchy.dir,
		 bench->hierarchy.dir[0] ? "/" : "", i, file);
}

static void work(void)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	for (;;) {
		uint64_t end = host_monotonic_ns() + 100000;

		while (host_monotonic_ns() < end)
			;
		nanosleep(&pause, NULL);
	}
}

static int make_cgroups(struct bench *bench)
{
	char path[256], pid[16];
	unsigned int i;

	snprintf(path, sizeof(path), "%s%spodjoule-tick", bench->hierarchy.dir,
		 bench->hierarchy.dir[0] ? "/" : "");
	mkdirat(bench->host.cgroup_fd, path, 0755);
	for (i = 0; i < bench->cgroups; i++) {
		cgroup_path(bench, i, "", path, sizeof(path));
		if (mkdirat(bench->host.cgroup_fd, path, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	for (i = 0; i < bench->active; i++) {
		_close_ int fd = -1;

		bench->workers[i] = fork();
		if (bench->workers[i] == 0)
			work();
		cgroup_path(bench, i, "/cgroup.procs", path, sizeof(path));
		fd = openat(bench->host.cgroup_fd, path, O_WRONLY | O_CLOEXEC);
		snprintf(pid, sizeof(pid), "%d", (int)bench->workers[i]);
		if (fd < 0 || write(fd, pid, strlen(pid)) < 0)
			return -errno;
	}
	return 0;
}

static void remove_cgroups(struct bench *bench)
{
	char path[256];
	unsigned int i;

	for (i = 0; i < bench->active; i++) {
		kill(bench->workers[i], SIGKILL);
		waitpid(bench->workers[i], NULL, 0);
	}
	usleep(50000);
	for (i = 0; i < bench->cgroups; i++) {
		cgroup_path(bench, i, "", path, sizeof(path));
		unlinkat(bench->host.cgroup_fd, path, AT_REMOVEDIR);
	}
	snprintf(path, sizeof(path), "%s%spodjoule-tick", bench->hierarchy.dir,
		 bench->hierarchy.dir[0] ? "/" : "");
	unlinkat(bench->host.cgroup_fd, path, AT_REMOVEDIR);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void report(const struct bench *bench, const char *what, uint64_t *ns, double rows)
{
	qsort(ns, bench->ticks, sizeof(*ns), by_value);
	printf("%-28s %5u %6u %8.0f %10.1f %10.1f\n", what, bench->cgroups, bench->active, rows,
	       (double)ns[bench->ticks / 2] / 1e3, (double)ns[bench->ticks * 99 / 100] / 1e3);
}

static void run_ticks(struct bench *bench)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	uint64_t *read_ns = calloc(bench->ticks, sizeof(*read_ns));
	uint64_t *ledger_ns = calloc(bench->ticks, sizeof(*ledger_ns));
	uint64_t *whole_ns = calloc(bench->ticks, sizeof(*whole_ns));
	struct reading reading = { 0 };
	double rows = 0;
	unsigned int i;

	for (i = 0; i < bench->ticks; i++) {
		uint64_t t0, t1, t2;

		nanosleep(&pause, NULL);
		t0 = host_monotonic_ns();
		bench->source->driver->collect(bench->source);
		t1 = host_monotonic_ns();
		reading.t_ns = t1;
		reading.value += 5000000; /* 50 W */
		ledger_tick(bench->ledger, &bench->source->activity, &reading);
		t2 = host_monotonic_ns();
		read_ns[i] = t1 - t0;
		ledger_ns[i] = t2 - t1;
		whole_ns[i] = t2 - t0;
		rows += bench->source->activity.n_active;
	}
	printf("%-28s %5s %6s %8s %10s %10s   (microseconds, %u ticks)\n", "part", "cgroups",
	       "active", "rows", "median", "p99", bench->ticks);
	report(bench, "read of the activity", read_ns, rows / bench->ticks);
	report(bench, "attribution and ledger", ledger_ns, rows / bench->ticks);
	report(bench, "both", whole_ns, rows / bench->ticks);
	free(read_ns);
	free(ledger_ns);
	free(whole_ns);
}

static int open_all(struct bench *bench)
{
	static struct energy energy = { .n_zones = 1 };
	static struct energy_source source;
	const struct activity_sink sink = { .born = born, .gone = gone, .ctx = bench };
	struct activity_config activity = { .topology = &bench->topology,
					    .sink = &sink,
					    .max_cgroups = 16384 };
	struct ledger_config ledger = { .max_accounts = 20000,
					.max_rows = 16384 + _OWNER_FIXED,
					.tombstones = 1000,
					.keep_min_ns = 60000000000ull,
					.keep_max_ns = 900000000000ull,
					.n_packages = bench->topology.n_packages,
					.topology = &bench->topology };
	int r;

	energy.sources[0] = &source;
	energy.zones[0] = (struct zone){ .kind = ZONE_PACKAGE,
					 .device = "0",
					 .source = "bench",
					 .unit = ZONE_COUNTS_UJ,
					 .max_uw = 4000000000ull };
	r = ledger_new(&ledger, &energy, &bench->ledger);
	return r < 0 ? r : activity_open("bpf", &bench->host, &activity, &bench->source);
}

int main(int argc, char **argv)
{
	static struct bench bench = { .cgroups = 1000, .active = 100, .ticks = 100 };
	uint64_t value;
	int r;

	if (argc > 1 && parse_u64(argv[1], &value) == 0)
		bench.cgroups = (unsigned int)value;
	if (argc > 2 && parse_u64(argv[2], &value) == 0)
		bench.active = (unsigned int)value;
	log_open("bench_tick", LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	bench.workers = calloc(bench.active + 1, sizeof(*bench.workers));
	if (!bench.workers || host_open(NULL, NULL, NULL, &bench.host) < 0)
		return 1;
	topology_read(&bench.host, &bench.topology);
	r = hierarchy_find(&bench.host, NULL, &bench.hierarchy);
	if (r == 0)
		r = open_all(&bench);
	if (r == 0)
		r = make_cgroups(&bench);
	if (r == 0)
		run_ticks(&bench);
	else
		log_error("bench_tick: cannot set up: %s (needs root)", strerror(-r));
	remove_cgroups(&bench);
	if (bench.source)
		bench.source->driver->close(bench.source);
	ledger_free(bench.ledger);
	host_close(&bench.host);
	free(bench.workers);
	return r < 0;
}
