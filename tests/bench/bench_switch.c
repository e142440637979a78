/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a context switch costs with us watching, against the floor: an empty program on the same
 * tracepoint.  Protocol:
 *
 *   Loads, pinned to one CPU, yielding in turn: `change` two processes in two cgroups, `same` two
 * in one, `64 cold` sixty-four in sixty-four cgroups, each walking 16 KiB between yields. Arms:
 * none, empty, tp_btf, tp_btf with counters (where a PMU counts), raw_tp. Whole machine: each round
 * runs every arm for a window in random order; the cost of an arm is the median over rounds of
 * (nanoseconds a switch - those of `none` in the same round). Kernel: run_time_ns / run_cnt with
 * BPF statistics on, median over windows; net = arm - empty.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "activity/bpf_source.h"
#include "bpf/empty.skel.h"
#include "bpf/sched.skel.h"
#include "platform/log.h"
#include "platform/parse.h"

enum arm { ARM_NONE, ARM_EMPTY, ARM_BTF, ARM_COUNTERS, ARM_RAW, _ARM_MAX };
static const char *const arm_name[] = { "none", "empty", "tp_btf", "tp_btf + counters", "raw_tp" };

#define MAX_WORKERS 64
#define MAX_WINDOWS 4096

struct bench {
	struct host host;
	struct topology topology;
	struct hierarchy hierarchy;
	struct empty_bpf *empty;
	struct activity_source *sources[_ARM_MAX];
	struct bpf_link *link;     /* of the arm that is on */
	volatile uint64_t *yields; /* shared with the workers, one line each */
	pid_t workers[MAX_WORKERS];
	unsigned int n_workers;
	unsigned int cpu, rounds, runs, window_ms;
	bool json;
};

struct result {
	double e2e[_ARM_MAX], stats[_ARM_MAX]; /* ns a switch; median over runs */
	double base;                           /* ns a switch without any program */
};

/* ---- loads --------------------------------------------------------------------------------------
 */

static void born(void *ctx, uint64_t id, const char *path, uint64_t t_ns)
{
	(void)ctx, (void)id, (void)path, (void)t_ns;
}

static void gone(void *ctx, uint64_t id, uint64_t t_ns)
{
	(void)ctx, (void)id, (void)t_ns;
}

static void cgroup_path(const struct bench *bench, unsigned int i, const char *file, char *ret,
			size_t size)
{
	snprintf(ret, size, "%s%spodjoule-bench-%u%s", bench->hierarchy.dir,
		 bench->hierarchy.dir[0] ? "/" : "", i, file);
}

static int move_to(const struct bench *bench, pid_t pid, unsigned int cgroup)
{
	char path[256];
	FILE *file;
	int fd;

	cgroup_path(bench, cgroup, "", path, sizeof(path));
	mkdirat(bench->host.cgroup_fd, path, 0755);
	cgroup_path(bench, cgroup, "/cgroup.procs", path, sizeof(path));
	fd = openat(bench->host.cgroup_fd, path, O_WRONLY | O_CLOEXEC);
	file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file)
		return -errno;
	fprintf(file, "%d\n", (int)pid);
	return fclose(file) ? -errno : 0;
}

static void work(volatile uint64_t *yields, size_t walk)
{
	static volatile char memory[16384];
	size_t i;

	for (;;) {
		for (i = 0; i < walk; i += 64)
			memory[i]++;
		(*yields)++;
		sched_yield();
	}
}

static int start_load(struct bench *bench, unsigned int workers, unsigned int cgroups, size_t walk)
{
	cpu_set_t one;
	unsigned int i;
	int r;

	CPU_ZERO(&one);
	CPU_SET(bench->cpu, &one);
	bench->n_workers = workers;
	for (i = 0; i < workers; i++) {
		bench->yields[i * 8] = 0;
		bench->workers[i] = fork();
		if (bench->workers[i] == 0) {
			raise(SIGSTOP);
			work(&bench->yields[i * 8], walk);
		}
		waitpid(bench->workers[i], NULL, WUNTRACED);
		sched_setaffinity(bench->workers[i], sizeof(one), &one);
		r = move_to(bench, bench->workers[i], i % cgroups);
		if (r < 0)
			return log_errno(r, "bench_switch: cannot use cgroup %u", i % cgroups);
	}
	for (i = 0; i < workers; i++)
		kill(bench->workers[i], SIGCONT);
	return 0;
}

static void stop_load(struct bench *bench)
{
	char path[256];
	unsigned int i;

	for (i = 0; i < bench->n_workers; i++) {
		kill(bench->workers[i], SIGKILL);
		waitpid(bench->workers[i], NULL, 0);
	}
	usleep(20000);
	for (i = 0; i < bench->n_workers; i++) {
		cgroup_path(bench, i, "", path, sizeof(path));
		unlinkat(bench->host.cgroup_fd, path, AT_REMOVEDIR);
	}
}

/* ---- arms ---------------------------------------------------------------------------------------
 */

static struct bpf_program *program_of(struct bench *bench, enum arm arm)
{
	struct bpf_source *source;

	if (arm == ARM_EMPTY)
		return bench->empty->progs.empty_btf;
	source = (struct bpf_source *)bench->sources[arm];
	return arm == ARM_RAW ? source->sched->progs.switch_raw : source->sched->progs.switch_btf;
}

static void switch_arm(struct bench *bench, enum arm arm)
{
	if (bench->link)
		bpf_link__destroy(bench->link);
	bench->link = NULL;
	if (arm != ARM_NONE)
		bench->link = bpf_program__attach(program_of(bench, arm));
}

static bool have_arm(const struct bench *bench, enum arm arm)
{
	return arm < ARM_BTF || bench->sources[arm];
}

static struct activity_source *open_source(struct bench *bench, bool raw, bool counters)
{
	static const struct activity_sink sink = { .born = born, .gone = gone };
	struct activity_config config = {
		.topology = &bench->topology,
		.sink = &sink,
		.max_cgroups = 4096,
		.raw_tracepoint = raw,
		.no_counters = !counters,
		.any_counters = counters,
	};
	struct activity_source *source = NULL;
	struct bpf_source *bpf;

	if (activity_bpf.open(&bench->host, &config, &source) < 0)
		return NULL;
	if (counters && !source->activity.has_counters) {
		activity_bpf.close(source);
		return NULL;
	}
	/* The arms attach and detach it themselves. */
	bpf = (struct bpf_source *)source;
	if (raw) {
		bpf_link__destroy(bpf->sched->links.switch_raw);
		bpf->sched->links.switch_raw = NULL;
	} else {
		bpf_link__destroy(bpf->sched->links.switch_btf);
		bpf->sched->links.switch_btf = NULL;
	}
	return source;
}

/* ---- measuring
 * ------------------------------------------------------------------------------------ */

static uint64_t total_yields(const struct bench *bench)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < bench->n_workers; i++)
		sum += bench->yields[i * 8];
	return sum;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned int n)
{
	if (!n)
		return 0;
	qsort(values, n, sizeof(*values), by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double window_ns(struct bench *bench)
{
	uint64_t t0 = host_monotonic_ns(), n0 = total_yields(bench), n;
	struct timespec length = { .tv_nsec = (long)bench->window_ms * 1000000L };

	nanosleep(&length, NULL);
	n = total_yields(bench) - n0;
	return n ? (double)(host_monotonic_ns() - t0) / (double)n : 0;
}

static void shuffle(enum arm *arms)
{
	int i;

	for (i = _ARM_MAX - 1; i > 0; i--) {
		int j = (int)(random() % (i + 1));
		enum arm swap = arms[i];

		arms[i] = arms[j];
		arms[j] = swap;
	}
}

static void measure_e2e(struct bench *bench, double ret[_ARM_MAX], double *ret_base)
{
	static double cost[_ARM_MAX][MAX_WINDOWS], base[MAX_WINDOWS];
	enum arm order[_ARM_MAX];
	unsigned int round;
	int i;

	for (i = 0; i < _ARM_MAX; i++)
		order[i] = (enum arm)i;
	for (round = 0; round < bench->rounds; round++) {
		double ns[_ARM_MAX] = { 0 };

		shuffle(order);
		for (i = 0; i < _ARM_MAX; i++) {
			if (!have_arm(bench, order[i]))
				continue;
			switch_arm(bench, order[i]);
			ns[order[i]] = window_ns(bench);
		}
		base[round] = ns[ARM_NONE];
		for (i = 0; i < _ARM_MAX; i++)
			cost[i][round] = ns[i] - ns[ARM_NONE];
	}
	for (i = 0; i < _ARM_MAX; i++)
		ret[i] = have_arm(bench, (enum arm)i) ? median(cost[i], bench->rounds) : 0;
	*ret_base = median(base, bench->rounds);
}

static bool run_counts(struct bench *bench, enum arm arm, uint64_t *ret_ns, uint64_t *ret_n)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program_of(bench, arm)), &info, &size) < 0)
		return false;
	*ret_ns = info.run_time_ns;
	*ret_n = info.run_cnt;
	return true;
}

static void measure_stats(struct bench *bench, double ret[_ARM_MAX])
{
	static double cost[_ARM_MAX][MAX_WINDOWS];
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME), i;
	unsigned int round, windows = bench->rounds / 2 + 1;

	for (round = 0; round < windows; round++) {
		for (i = ARM_EMPTY; i < _ARM_MAX; i++) {
			uint64_t ns0 = 0, n0 = 0, ns = 0, n = 0;

			if (!have_arm(bench, (enum arm)i))
				continue;
			switch_arm(bench, (enum arm)i);
			run_counts(bench, (enum arm)i, &ns0, &n0);
			window_ns(bench);
			run_counts(bench, (enum arm)i, &ns, &n);
			cost[i][round] = n > n0 ? (double)(ns - ns0) / (double)(n - n0) : 0;
		}
	}
	for (i = ARM_EMPTY; i < _ARM_MAX; i++)
		ret[i] = have_arm(bench, (enum arm)i) ? median(cost[i], windows) : 0;
	if (fd >= 0)
		close(fd);
}

static void measure(struct bench *bench, struct result *ret)
{
	double e2e[_ARM_MAX][16], stats[_ARM_MAX][16], base[16];
	unsigned int run;
	int i;

	for (run = 0; run < bench->runs; run++) {
		double e[_ARM_MAX], s[_ARM_MAX] = { 0 };

		measure_e2e(bench, e, &base[run]);
		measure_stats(bench, s);
		for (i = 0; i < _ARM_MAX; i++) {
			e2e[i][run] = e[i];
			stats[i][run] = s[i];
		}
	}
	for (i = 0; i < _ARM_MAX; i++) {
		ret->e2e[i] = median(e2e[i], bench->runs);
		ret->stats[i] = median(stats[i], bench->runs);
	}
	ret->base = median(base, bench->runs);
	switch_arm(bench, ARM_NONE);
}

/* ---- output
 * ---------------------------------------------------------------------------------------- */

static void print_row(const struct bench *bench, const char *load, const struct result *result)
{
	int i;

	for (i = ARM_EMPTY; i < _ARM_MAX; i++) {
		double net = result->stats[i] - result->stats[ARM_EMPTY];

		if (!have_arm(bench, (enum arm)i))
			continue;
		if (bench->json)
			printf("{\"load\":\"%s\",\"arm\":\"%s\",\"switch_ns\":%.1f,\"cost_ns\":%."
			       "1f,"
			       "\"ratio_to_empty\":%.3f,\"kernel_ns\":%.1f,\"net_ns\":%.1f}\n",
			       load, arm_name[i], result->base, result->e2e[i],
			       result->e2e[i] / result->e2e[ARM_EMPTY], result->stats[i], net);
		else
			printf("%-10s %-18s %9.0f %9.1f %7.2f x %9.1f %8.1f\n", load, arm_name[i],
			       result->base, result->e2e[i],
			       result->e2e[i] / result->e2e[ARM_EMPTY], result->stats[i], net);
	}
	fflush(stdout);
}

static int run_loads(struct bench *bench)
{
	static const struct {
		const char *name;
		unsigned int workers, cgroups;
		size_t walk;
	} loads[] = { { "change", 2, 2, 0 }, { "same", 2, 1, 0 }, { "64 cold", 64, 64, 16384 } };
	unsigned int i;
	int r = 0;

	if (!bench->json)
		printf("%-10s %-18s %9s %9s %9s %9s %8s   (ns a switch; median of %u runs of %u "
		       "rounds of %u ms)\n",
		       "load", "program", "without", "cost", "to empty", "in kernel", "net",
		       bench->runs, bench->rounds, bench->window_ms);
	for (i = 0; i < sizeof(loads) / sizeof(loads[0]) && r == 0; i++) {
		struct result result;

		r = start_load(bench, loads[i].workers, loads[i].cgroups, loads[i].walk);
		if (r == 0) {
			measure(bench, &result);
			print_row(bench, loads[i].name, &result);
		}
		stop_load(bench);
	}
	return r;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct bench *bench = state->input;
	unsigned int *number = key == 'r'   ? &bench->runs
			       : key == 'n' ? &bench->rounds
					    : &bench->window_ms;
	uint64_t value;

	if (key == 'j') {
		bench->json = true;
		return 0;
	}
	if (key != 'r' && key != 'n' && key != 'w')
		return ARGP_ERR_UNKNOWN;
	if (parse_u64(arg, &value) < 0 || value < 1 || value > (key == 'r' ? 15 : 1000))
		argp_error(state, "'%s' is not a number that fits", arg);
	*number = (unsigned int)value;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "runs", 'r', "N", 0, "Median of N runs (default 5)", 0 },
		{ "rounds", 'n', "N", 0, "Rounds a run (default 30)", 0 },
		{ "window", 'w', "MS", 0, "Length of a window (default 25)", 0 },
		{ "json", 'j', NULL, 0, "One JSON object a line", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Cost of a context switch with podjoule watching"
	};
	static struct bench bench = { .runs = 5, .rounds = 30, .window_ms = 25 };
	int r;

	argp_parse(&argp, argc, argv, 0, NULL, &bench);
	log_open("bench_switch", LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	if (host_open(NULL, NULL, NULL, &bench.host) < 0)
		return 1;
	topology_read(&bench.host, &bench.topology);
	bench.cpu = bench.topology.n_cpus - 1;
	bench.yields = mmap(NULL, MAX_WORKERS * 64, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bench.empty = empty_bpf__open_and_load();
	if (bench.yields == MAP_FAILED || !bench.empty ||
	    hierarchy_find(&bench.host, NULL, &bench.hierarchy) < 0) {
		log_error("bench_switch: cannot set up: %s (needs root)", strerror(errno));
		return 1;
	}
	bench.sources[ARM_BTF] = open_source(&bench, false, false);
	bench.sources[ARM_COUNTERS] = open_source(&bench, false, true);
	bench.sources[ARM_RAW] = open_source(&bench, true, false);
	r = bench.sources[ARM_BTF] ? run_loads(&bench) : -ENODEV;
	if (bench.sources[ARM_COUNTERS])
		activity_bpf.close(bench.sources[ARM_COUNTERS]);
	if (bench.sources[ARM_RAW])
		activity_bpf.close(bench.sources[ARM_RAW]);
	if (bench.sources[ARM_BTF])
		activity_bpf.close(bench.sources[ARM_BTF]);
	empty_bpf__destroy(bench.empty);
	host_close(&bench.host);
	return r < 0;
}
