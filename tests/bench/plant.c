/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plant: a simulated RAPL.  Writes a powercap tree whose counters tick, jitter and wrap like real
 * ones, driven by what the real CPUs do or by a constant, and says at the end what it gave out.
 */
#include <argp.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "platform/parse.h"
#include "platform/scope.h"

#define NSEC_PER_SEC 1000000000ull
#define MAX_PACKAGES 2
#define UNIT_NJ      61035u /* 2^-14 J as the kernel keeps it: 262143328850 uJ at most */
#define RANGE_UJ     "262143328850"
#define UNITS        (UINT64_C(1) << 32)
#define STAT_NS      (NSEC_PER_SEC / 20) /* how often to look at the CPUs: they count in 10 ms */
#define DRAM_SHARE   0.12

struct plant_zone {
	int package;
	double share;   /* of its package's power */
	int fd;         /* of energy_uj */
	double rest;    /* of a unit */
	uint64_t first; /* the counter at the start */
	uint64_t units; /* given out since then */
};

struct plant {
	const char *dir;
	int packages; /* --machine */
	double seconds, idle_w, cpu_w, constant_w, tick_us, jitter_us;
	uint64_t tick_ns, jitter_ns, seed;
	bool wrap_soon;
	struct plant_zone zones[2 * MAX_PACKAGES];
	int n_zones, n_cpus;
	int stat_fd;
	uint64_t stat_ns, busy_ns[MAX_PACKAGES]; /* at the last look */
	double busy_cpus[MAX_PACKAGES];
	uint64_t start_ns, last_ns; /* the counters' first and newest tick */
};

static volatile sig_atomic_t stopped;
static void stop(int signal _unused_)
{
	stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static int package_of(const struct plant *plant, int cpu)
{
	return cpu * plant->packages / plant->n_cpus;
}

/* mkdir -p of all but the last part. */
static int make_parents(char *path)
{
	for (char *c = path + 1; (c = strchr(c, '/')); c++) {
		int r;

		*c = '\0';
		r = mkdir(path, 0755);
		*c = '/';
		if (r < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/* A new file DIR/sys/UNDER/NAME with a line of this text, by its fd or -errno. */
static int make_file(const struct plant *plant, const char *under, const char *name,
		     const char *text)
{
	_free_ char *path = NULL;
	_close_ int fd = -1;
	int r;

	if (asprintf(&path, "%s/sys/%s/%s", plant->dir, under, name) < 0)
		return -ENOMEM;
	r = make_parents(path);
	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || dprintf(fd, "%s\n", text) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int put(const struct plant *plant, const char *under, const char *name, const char *text)
{
	_close_ int fd = make_file(plant, under, name, text);

	return MIN(fd, 0);
}

static int make_cpus(const struct plant *plant)
{
	char under[64], text[32];
	int r = 0;

	for (int cpu = 0; cpu < plant->n_cpus && r == 0; cpu++) {
		snprintf(under, sizeof(under), "devices/system/cpu/cpu%d/topology", cpu);
		snprintf(text, sizeof(text), "%d", cpu);
		r = put(plant, under, "core_id", text);
		snprintf(text, sizeof(text), "%d", package_of(plant, cpu));
		r = r < 0 ? r : put(plant, under, "physical_package_id", text);
		r = r < 0 ? r : put(plant, under, "die_id", "0");
	}
	snprintf(text, sizeof(text), "0-%d", plant->n_cpus - 1);
	r = r < 0 ? r : put(plant, "devices/system/cpu", "possible", text);
	return r < 0 ? r : put(plant, "devices/system/cpu", "online", text);
}

/* Twelve digits always, so that a read beside the write never sees a shorter number's tail. */
static int show(const struct plant_zone *zone)
{
	uint64_t units = (zone->first + zone->units) % UNITS;
	char text[32];
	int len = snprintf(text, sizeof(text), "%012" PRIu64 "\n", units * UNIT_NJ / 1000);

	return pwrite(zone->fd, text, (size_t)len, 0) == len ? 0 : -EIO;
}

static int make_zone(struct plant *plant, int package, double share, const char *dir,
		     const char *name)
{
	struct plant_zone *zone = &plant->zones[plant->n_zones++];
	char under[64];
	int r;

	*zone = (struct plant_zone){ .package = package, .share = share, .fd = -1 };
	/* 200 J from the end: a few seconds at most. */
	zone->first = plant->wrap_soon ? UNITS - 200 * NSEC_PER_SEC / UNIT_NJ : 12345678;
	snprintf(under, sizeof(under), "class/powercap/%s", dir);
	r = put(plant, under, "name", name);
	r = r < 0 ? r : put(plant, under, "max_energy_range_uj", RANGE_UJ);
	if (r < 0)
		return r;
	zone->fd = make_file(plant, under, "energy_uj", "000000000000");
	return zone->fd < 0 ? zone->fd : show(zone);
}

static int make_tree(struct plant *plant)
{
	int r = make_cpus(plant);

	for (int package = 0; package < plant->packages && r == 0; package++) {
		char dir[32], name[32];

		snprintf(dir, sizeof(dir), "intel-rapl:%d", package);
		snprintf(name, sizeof(name), "package-%d", package);
		r = make_zone(plant, package, 1, dir, name);
		snprintf(dir, sizeof(dir), "intel-rapl:%d:0", package);
		r = r < 0 ? r : make_zone(plant, package, DRAM_SHARE, dir, "dram");
	}
	return r;
}

/* The number at *text, which moves behind it and the blanks around it. */
static uint64_t take_number(const char **text)
{
	uint64_t value = 0;

	*text += strspn(*text, " ");
	for (; **text >= '0' && **text <= '9'; (*text)++)
		value = value * 10 + (uint64_t)(**text - '0');
	return value;
}

/* Busy time of a line "cpuN user nice system idle iowait irq softirq steal …". */
static uint64_t busy_of(const char *text)
{
	uint64_t ticks = 0;

	for (int column = 0; column < 7; column++) {
		uint64_t value = take_number(&text);

		if (column != 3 && column != 4)
			ticks += value;
	}
	return ticks * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* How many CPUs of each package were busy since the last look. */
static int look_at_cpus(struct plant *plant, uint64_t t_ns)
{
	static char text[1 << 20];
	uint64_t busy_ns[MAX_PACKAGES] = { 0 };
	ssize_t n = pread(plant->stat_fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		uint64_t cpu;

		line += *line == '\n';
		if (strncmp(line, "cpu", 3) != 0)
			break;
		line += 3;
		if (*line == ' ')
			continue;
		cpu = take_number(&line);
		if (cpu < (uint64_t)plant->n_cpus)
			busy_ns[package_of(plant, (int)cpu)] += busy_of(line);
	}
	for (int package = 0; package < plant->packages; package++) {
		if (plant->stat_ns && busy_ns[package] >= plant->busy_ns[package])
			plant->busy_cpus[package] =
				(double)(busy_ns[package] - plant->busy_ns[package]) /
				(double)(t_ns - plant->stat_ns);
		plant->busy_ns[package] = busy_ns[package];
	}
	plant->stat_ns = t_ns;
	return 0;
}

static int tick(struct plant *plant, uint64_t t_ns, uint64_t dt_ns)
{
	int r = 0;

	if (plant->constant_w < 0 && t_ns - plant->stat_ns >= STAT_NS)
		r = look_at_cpus(plant, t_ns);
	for (int i = 0; i < plant->n_zones && r == 0; i++) {
		struct plant_zone *zone = &plant->zones[i];
		double watts = plant->constant_w, units;

		if (watts < 0)
			watts = plant->idle_w + plant->cpu_w * plant->busy_cpus[zone->package];
		units = watts * zone->share * (double)dt_ns / UNIT_NJ + zone->rest;
		zone->units += (uint64_t)units;
		zone->rest = units - floor(units);
		r = show(zone);
	}
	return r;
}

/* A deadline of its own for each tick: jitter does not add up, a late tick is not made up for. */
static struct timespec next_deadline(struct plant *plant)
{
	uint64_t n = (plant->last_ns - plant->start_ns + plant->jitter_ns) / plant->tick_ns + 1;
	uint64_t at_ns = plant->start_ns + n * plant->tick_ns - plant->jitter_ns;

	plant->seed = plant->seed * 6364136223846793005ull + 1442695040888963407ull;
	at_ns += (plant->seed >> 32) % (2 * plant->jitter_ns + 1);
	return (struct timespec){ .tv_sec = (time_t)(at_ns / NSEC_PER_SEC),
				  .tv_nsec = (long)(at_ns % NSEC_PER_SEC) };
}

static int run(struct plant *plant)
{
	uint64_t length_ns = (uint64_t)(plant->seconds * 1e9);
	int r = 0;

	plant->start_ns = plant->last_ns = now_ns();
	while (r == 0 && !stopped && (!length_ns || plant->last_ns - plant->start_ns < length_ns)) {
		struct timespec at = next_deadline(plant);
		uint64_t t_ns;

		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR &&
		       !stopped)
			;
		t_ns = now_ns();
		r = tick(plant, t_ns, t_ns - plant->last_ns);
		plant->last_ns = t_ns;
	}
	return r;
}

/* What a reader of the counters should have found, to the microjoule that they are cut to. */
static void print_truth(const struct plant *plant)
{
	printf("{\"start_ns\":%" PRIu64 ",\"end_ns\":%" PRIu64 ",\"zones\":[", plant->start_ns,
	       plant->last_ns);
	for (int i = 0; i < plant->n_zones; i++) {
		const struct plant_zone *zone = &plant->zones[i];
		unsigned __int128 nj = (unsigned __int128)zone->units * UNIT_NJ;

		printf("%s{\"zone\":\"%s\",\"device\":\"%d\",\"joules\":%" PRIu64 ".%09" PRIu64
		       ",\"wraps\":%" PRIu64 "}",
		       i ? "," : "", zone->share < 1 ? "dram" : "package", zone->package,
		       (uint64_t)(nj / NSEC_PER_SEC), (uint64_t)(nj % NSEC_PER_SEC),
		       (zone->first + zone->units) / UNITS);
	}
	printf("]}\n");
}

static const struct argp_option options[] = {
	{ "dir", 'd', "DIR", 0, "Write the tree to DIR/sys (needed)", 0 },
	{ "machine", 'm', "NAME", 0, "intel-1s (default) or intel-2s", 0 },
	{ "seconds", 's', "N", 0, "Stop after N seconds (default 0: on SIGTERM)", 0 },
	{ "watts-idle", 'i', "W", 0, "Power of an idle package (default 20)", 0 },
	{ "watts-per-cpu", 'c', "W", 0, "And for each busy CPU of its (default 15)", 0 },
	{ "constant-watts", 'p', "W", 0, "This, whatever the CPUs do", 0 },
	{ "tick-us", 't', "N", 0, "Counters move every N us (default 1000)", 0 },
	{ "jitter-us", 'j', "N", 0, "Up to N us early or late (default 70; Ice Lake 470)", 0 },
	{ "wrap-soon", 'w', NULL, 0, "Start 200 J before the counters wrap", 0 },
	{ 0 },
};

static void take_double(const char *arg, double *ret, struct argp_state *state)
{
	if (parse_double(arg, ret) < 0 || !(*ret >= 0 && *ret <= 1e6))
		argp_error(state, "numbers are from 0 to 1000000, not '%s'", arg);
}

static void check(struct plant *plant, struct argp_state *state)
{
	if (!plant->dir)
		argp_error(state, "--dir is needed");
	if (plant->tick_us < 100)
		argp_error(state, "--tick-us is 100 at least");
	if (plant->jitter_us * 2 > plant->tick_us)
		argp_error(state, "--jitter-us is half of --tick-us at most");
	if (plant->n_cpus < plant->packages)
		argp_error(state, "--machine=intel-2s needs two CPUs");
	plant->tick_ns = (uint64_t)(plant->tick_us * 1000);
	plant->jitter_ns = (uint64_t)(plant->jitter_us * 1000);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct plant *plant = state->input;

	if (key == 'd')
		plant->dir = arg;
	else if (key == 'm' && (!strcmp(arg, "intel-1s") || !strcmp(arg, "intel-2s")))
		plant->packages = strcmp(arg, "intel-1s") ? 2 : 1;
	else if (key == 'm')
		argp_error(state, "--machine takes intel-1s or intel-2s, not '%s'", arg);
	else if (key == 's')
		take_double(arg, &plant->seconds, state);
	else if (key == 'i')
		take_double(arg, &plant->idle_w, state);
	else if (key == 'c')
		take_double(arg, &plant->cpu_w, state);
	else if (key == 'p')
		take_double(arg, &plant->constant_w, state);
	else if (key == 't')
		take_double(arg, &plant->tick_us, state);
	else if (key == 'j')
		take_double(arg, &plant->jitter_us, state);
	else if (key == 'w')
		plant->wrap_soon = true;
	else if (key == ARGP_KEY_END)
		check(plant, state);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse_option, NULL, "A simulated RAPL below a directory.", NULL, NULL, NULL
	};
	static struct plant plant = { .packages = 1,
				      .idle_w = 20,
				      .cpu_w = 15,
				      .constant_w = -1,
				      .tick_us = 1000,
				      .jitter_us = 70,
				      .seed = 1 };
	const struct sigaction action = { .sa_handler = stop };
	int r;

	argp_err_exit_status = 2;
	plant.n_cpus = (int)sysconf(_SC_NPROCESSORS_CONF);
	argp_parse(&argp, argc, argv, 0, NULL, &plant);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);

	plant.stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	if (plant.stat_fd < 0 && plant.constant_w < 0)
		error(EXIT_FAILURE, errno, "cannot open '/proc/stat' (try --constant-watts)");
	r = make_tree(&plant);
	r = r < 0 ? r : run(&plant);
	if (r < 0)
		error(EXIT_FAILURE, -r, "cannot write below '%s'", plant.dir);
	print_truth(&plant);
	return EXIT_SUCCESS;
}
