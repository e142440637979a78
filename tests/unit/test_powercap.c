/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "energy/zone_name.h"
#include "no_leaks.h"
#include "platform/log.h"
#include "platform/scope.h"

TestSuite(powercap, .fini = no_leaks);

static struct topology topology;
static struct probe_list probe;
static uint64_t fake_ns;
static char last_line[256];
static int n_lines;

static uint64_t fake_now_ns(void)
{
	return fake_ns;
}

static void keep_line(enum log_level level _unused_, const char *line)
{
	n_lines++;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static struct host host_at(const char *path)
{
	struct host host = { .proc_fd = -1, .cgroup_fd = -1, .fixture = true };

	log_set_sink(keep_line);
	fake_ns = 1000000000;
	host.now_ns = fake_now_ns;
	host.sys_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(ge(int, host.sys_fd, 0), "no '%s'", path);
	topology_read(&host, &topology);
	return host;
}

static struct host fixture(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "tests/fixtures/%s/sys", name);
	return host_at(path);
}

static int open_powercap(const struct host *host, struct energy_source **ret)
{
	const struct energy_config config = { .topology = &topology, .probe = &probe };

	return energy_powercap.open(host, &config, ret);
}

/* "package-0@0 dram-0@0": kind, device and the topology's package of each zone, in order. */
static const char *zones_of(const struct energy_source *source)
{
	static char text[512];

	text[0] = '\0';
	for (size_t i = 0; i < source->n_zones; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s-%s@%d", i ? " " : "",
			 zone_kind_name(source->zones[i].kind), source->zones[i].device,
			 source->zones[i].package);
	}
	return text;
}

static void finish(struct host *host, struct energy_source *source)
{
	energy_powercap.close(source);
	host_close(host);
	probe_list_free(&probe);
}

static void write_file(const char *dir, const char *path, const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", dir, path);
	for (char *c = full + strlen(dir) + 1; (c = strchr(c, '/')); c++) {
		*c = '\0';
		mkdir(full, 0755);
		*c = '/';
	}
	file = fopen(full, "w");
	cr_assert(file != NULL, "cannot write '%s'", full);
	fputs(text, file);
	fclose(file);
}

static void make_zone(const char *dir, const char *zone, const char *name)
{
	static const char *const files[][2] = { { "energy_uj", "1000\n" },
						{ "max_energy_range_uj", "262143328850\n" } };
	char path[128];

	snprintf(path, sizeof(path), "class/powercap/%s/name", zone);
	write_file(dir, path, name);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "class/powercap/%s/%s", zone, files[i][0]);
		write_file(dir, path, files[i][1]);
	}
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
		      struct FTW *ftw _unused_)
{
	return remove(path);
}

static void remove_tree(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

Test(powercap, knows_each_machine)
{
	static const struct {
		const char *machine, *zones;
		size_t rows; /* of probe: what was passed over */
	} cases[] = {
		{ "intel-1s", "package-0@0 core-0@0 uncore-0@0 dram-0@0", 0 },
		{ "intel-2s", "package-1@1 dram-1@1 package-0@0 dram-0@0", 0 },
		{ "intel-psys", "package-0@0 core-0@0 uncore-0@0 psys-0@-1", 0 },
		{ "mmio-twin", "package-0@0 core-0@0 dram-0@0", 1 },
		{ "amd-1s", "package-0@0 core-0@0", 0 },
		{ "amd-mirrored-dies", "package-0@0 core-0@0", 6 },
		{ "multi-die", "package-0-die-0@0 package-0-die-1@0", 0 },
		{ "garbage", "package-0@0 psys-0@-1", 7 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct host host = fixture(cases[i].machine);
		struct energy_source *source = NULL;

		cr_assert(eq(int, open_powercap(&host, &source), 0), "%s", cases[i].machine);
		cr_expect(eq(str, (char *)zones_of(source), (char *)cases[i].zones), "%s",
			  cases[i].machine);
		cr_expect(eq(sz, probe.n, cases[i].rows), "%s", cases[i].machine);
		finish(&host, source);
	}
}

Test(powercap, is_absent_without_powercap)
{
	char dir[] = "/tmp/powercap-XXXXXX";
	struct energy_source *source = NULL;
	struct host host;

	cr_assert(mkdtemp(dir) != NULL);
	host = host_at(dir);
	cr_assert(eq(int, open_powercap(&host, &source), -ENODEV));
	cr_assert(eq(int, (int)probe.rows[0].state, PROBE_ABSENT));
	cr_assert(eq(int, n_lines, 0), "absent is no news");
	cr_assert(source == NULL);
	finish(&host, NULL);
	remove_tree(dir);
}

Test(powercap, reads_values_with_their_time)
{
	struct host host = fixture("intel-1s");
	struct energy_source *source = NULL;
	struct reading readings[ENERGY_MAX_ZONES];
	bool want[4] = { true, true, true, false };

	cr_assert(eq(int, open_powercap(&host, &source), 0));
	cr_assert(eq(u64, source->zones[0].wrap, 262143328911));
	fake_ns = 42;
	energy_powercap.read(source, NULL, want, readings);
	cr_assert(eq(int, readings[0].error, 0));
	cr_assert(eq(u64, readings[0].value, 184467440737));
	cr_assert(eq(u64, readings[0].t_ns, 42));
	cr_assert(eq(int, readings[3].error, -EAGAIN));
	finish(&host, source);
}

Test(powercap, says_who_may_read_what_it_may_not)
{
	char dir[] = "/tmp/powercap-XXXXXX", path[64];
	struct energy_source *source = NULL;
	struct host host;

	cr_assert(mkdtemp(dir) != NULL);
	make_zone(dir, "intel-rapl:0", "package-0\n");
	make_zone(dir, "intel-rapl:1", "package-1\n");
	cr_assert(eq(int, chmod(dir, 0755), 0));
	snprintf(path, sizeof(path), "%s/class/powercap/intel-rapl:0/energy_uj", dir);
	cr_assert(eq(int, chmod(path, 0400), 0));
	/* One of two first, then both, as somebody who does not own them. */
	if (geteuid() == 0)
		cr_assert(eq(int, seteuid(65534), 0));
	else
		cr_assert(eq(int, chmod(path, 0), 0));
	host = host_at(dir);
	cr_assert(eq(int, open_powercap(&host, &source), 0));
	cr_assert(eq(sz, source->n_zones, 1));
	energy_powercap.close(source);
	source = NULL;

	if (getuid() == 0)
		cr_assert(eq(int, seteuid(0), 0));
	path[strlen(dir) + strlen("/class/powercap/intel-rapl:")] = '1';
	cr_assert(eq(int, chmod(path, getuid() == 0 ? 0400 : 0), 0));
	if (getuid() == 0)
		cr_assert(eq(int, seteuid(65534), 0));
	n_lines = 0;
	cr_assert(eq(int, open_powercap(&host, &source), -EACCES));
	cr_assert(eq(int, n_lines, 1));
	cr_assert(strstr(last_line, "intel-rapl:0/energy_uj': Permission denied (needs root or "
				    "CAP_DAC_READ_SEARCH)") != NULL,
		  "%s", last_line);
	cr_assert(eq(int, (int)probe.rows[probe.n - 1].state, PROBE_BROKEN));
	cr_assert(
		eq(str, probe.rows[probe.n - 1].fix, (char *)"needs root or CAP_DAC_READ_SEARCH"));
	if (getuid() == 0)
		cr_assert(eq(int, seteuid(0), 0));
	finish(&host, NULL);
	remove_tree(dir);
}

Test(powercap, calls_garbage_an_error_and_never_a_number)
{
	static const char *const garbage[] = { "",
					       "\n",
					       "-5\n",
					       "12 apples\n",
					       "0x10\n",
					       "1e9\n",
					       "1.5\n",
					       "nan\n",
					       "18446744073709551616\n",
					       "99999999999999999999999999999999999999999999\n" };
	char dir[] = "/tmp/powercap-XXXXXX";
	struct energy_source *source = NULL;
	struct reading reading;
	struct host host;

	cr_assert(mkdtemp(dir) != NULL);
	make_zone(dir, "intel-rapl:0", "package-0\n");
	host = host_at(dir);
	cr_assert(eq(int, open_powercap(&host, &source), 0));
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		write_file(dir, "class/powercap/intel-rapl:0/energy_uj", garbage[i]);
		energy_powercap.read(source, NULL, NULL, &reading);
		cr_expect(eq(int, reading.error, -EINVAL), "'%s'", garbage[i]);
	}
	cr_assert(eq(int, n_lines, 1), "said once");
	write_file(dir, "class/powercap/intel-rapl:0/energy_uj", "18446744073709551615\n");
	energy_powercap.read(source, NULL, NULL, &reading);
	cr_assert(eq(int, reading.error, 0));
	cr_assert(eq(u64, reading.value, UINT64_MAX));
	cr_assert(eq(int, n_lines, 2));
	finish(&host, source);
	remove_tree(dir);
}

Test(powercap, finds_a_zone_again_that_went_away)
{
	char dir[] = "/tmp/powercap-XXXXXX", zone[64];
	struct energy_source *source = NULL;
	struct reading readings[2];
	struct host host;

	cr_assert(mkdtemp(dir) != NULL);
	make_zone(dir, "intel-rapl:0", "package-0\n");
	make_zone(dir, "intel-rapl:1", "package-1\n");
	host = host_at(dir);
	cr_assert(eq(int, open_powercap(&host, &source), 0));
	snprintf(zone, sizeof(zone), "%s/class/powercap/intel-rapl:1", dir);
	remove_tree(zone);
	energy_powercap.read(source, NULL, NULL, readings);
	cr_assert(eq(int, readings[0].error, 0), "its neighbour goes on");
	cr_assert(eq(int, readings[1].error, -ENODEV));

	make_zone(dir, "intel-rapl:1", "package-7\n");
	fake_ns += 1000000000;
	energy_powercap.read(source, NULL, NULL, readings);
	cr_assert(eq(int, readings[1].error, -ENODEV), "another package has its number now");
	make_zone(dir, "intel-rapl:1", "package-1\n");
	fake_ns += 999999999;
	energy_powercap.read(source, NULL, NULL, readings);
	cr_assert(eq(int, readings[1].error, -ENODEV), "not more than once a second");
	fake_ns += 1;
	energy_powercap.read(source, NULL, NULL, readings);
	cr_assert(eq(int, readings[1].error, 0));
	cr_assert(eq(int, n_lines, 2), "gone and back");
	finish(&host, source);
	remove_tree(dir);
}

Test(powercap, knows_where_counters_wrap)
{
	static const struct {
		uint64_t range, wrap;
	} cases[] = {
		{ 262143328850, 262143328911 },         /* 2^-14 J */
		{ 65532610987, 65532611002 },           /* 2^-16 J */
		{ 65712999613, 65712999628 },           /* DRAM, 15.3 uJ */
		{ 4294967295000000, 4294967296000000 }, /* psys of Sapphire Rapids, 1 J */
		{ 1000000, 1000001 },
		{ 0, 0 },
		{ UINT64_MAX, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect(eq(u64, zone_wrap_uj(cases[i].range), cases[i].wrap));
}

Test(powercap, takes_names_whole_or_not_at_all)
{
	static const char *const good[] = { "package-0", "package-1-die-12\n",
					    "core\n",    "uncore",
					    "dram",      "psys\n" };
	static const char *const bad[] = { "",
					   "\n",
					   "package",
					   "package-",
					   "package-x",
					   "package--1",
					   "package-12345",
					   "package-0-die",
					   "package-0-die-",
					   "package-0\n\n",
					   "package-0 ",
					   "dram0",
					   "Core",
					   "core\ndram",
					   "\"core\"",
					   "\xff" };
	static const char *const bad_dirs[] = {
		"intel-rapl",       "intel-rapl:",   "intel-rapl:0:",
		"intel-rapl:0:0:0", "intel-rapl:-1", "intel-rapl:0 ",
		"intel-rapl-mmio",  "dtpm:0",        ""
	};
	struct zone_name name = { .package = 77 };
	struct zone_dir dir = { .sub = 77 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect(eq(int, zone_name_parse(bad[i], &name), -EINVAL), "'%s'", bad[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad_dirs); i++)
		cr_expect(eq(int, zone_dir_parse(bad_dirs[i], &dir), -EINVAL), "'%s'", bad_dirs[i]);
	cr_assert(eq(int, name.package, 77), "untouched on failure");
	cr_assert(eq(int, dir.sub, 77), "untouched on failure");
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cr_expect(eq(int, zone_name_parse(good[i], &name), 0), "'%s'", good[i]);
	cr_assert(eq(int, zone_dir_parse("intel-rapl-mmio:3:2", &dir), 0));
	cr_assert(dir.mmio && dir.index == 3 && dir.sub == 2);
}
