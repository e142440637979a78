/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "energy/energy.h"
#include "no_leaks.h"
#include "oom.h"
#include "platform/log.h"
#include "platform/scope.h"

TestSuite(energy, .fini = no_leaks);

static struct topology topology;
static char lines[1024];

static void keep_lines(enum log_level level _unused_, const char *line)
{
	size_t len = strlen(lines);

	snprintf(lines + len, sizeof(lines) - len, "%s\n", line);
}

static struct host machine(const char *path)
{
	struct host host = { .proc_fd = -1, .cgroup_fd = -1, .fixture = true };

	host.now_ns = host_monotonic_ns;
	host.sys_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(ge(int, host.sys_fd, 0), "no '%s'", path);
	topology_read(&host, &topology);
	lines[0] = '\0';
	log_open("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_set_sink(keep_lines);
	return host;
}

Test(energy, prefers_what_is_measured)
{
	struct host host = machine("tests/fixtures/intel-1s/sys");
	struct probe_list probe = { 0 };
	struct energy energy;

	for (int i = 0; i < 2; i++) {
		const char *order = i ? "model,powercap" : "auto";

		cr_assert(eq(int, energy_open(order, &host, &topology, &probe, &energy), 0));
		cr_assert(eq(sz, energy.n_zones, 4));
		cr_assert(eq(sz, energy.n_sources, 1));
		cr_assert(eq(str, (char *)energy.zones[0].source, (char *)"powercap"));
		cr_assert(zone_is_split(&energy, 0));
		cr_assert(not(zone_is_split(&energy, 1)), "core is in package");
		cr_assert(zone_is_split(&energy, 3));
		energy_close(&energy);
	}
	cr_assert(
		strstr(lines, "energy: powercap: package-0, core-0, uncore-0, dram-0 (measured)") !=
			NULL,
		"%s", lines);
	cr_assert(eq(sz, probe.n, 10));
	cr_assert(eq(int, (int)probe.rows[0].state, PROBE_CHOSEN));
	cr_assert(eq(int, (int)probe.rows[4].state, PROBE_USABLE));
	cr_assert(eq(str, probe.rows[4].why, (char *)"package 0 is measured by powercap"));
	probe_list_free(&probe);
	host_close(&host);
}

Test(energy, models_where_nothing_is_measured)
{
	struct host host = machine("tests/unit");
	struct energy energy;
	struct node_load load = { .t_ns = 5, .cpus = 1 };
	struct reading reading;

	cr_assert(eq(int, energy_open("auto", &host, &topology, NULL, &energy), 0));
	cr_assert(eq(sz, energy.n_zones, 1));
	cr_assert(eq(int, (int)energy.zones[0].kind, ZONE_PLATFORM));
	cr_assert(zone_is_split(&energy, 0));
	energy_read(&energy, &load, NULL, &reading);
	cr_assert(eq(int, reading.error, 0));
	energy_close(&energy);
	cr_assert(eq(int, energy_open("powercap", &host, &topology, NULL, &energy), -ENODEV));
	host_close(&host);
}

Test(energy, reads_each_zone_from_its_source)
{
	struct host host = machine("tests/fixtures/intel-2s/sys");
	struct energy energy;
	struct reading readings[ENERGY_MAX_ZONES];
	bool want[4] = { true, false, true, true };

	cr_assert(eq(int, energy_open("auto", &host, &topology, NULL, &energy), 0));
	energy_read(&energy, NULL, want, readings);
	cr_assert(eq(u64, readings[0].value, 50123456789));
	cr_assert(eq(int, readings[1].error, -EAGAIN));
	cr_assert(eq(u64, readings[2].value, 251234567890));
	cr_assert(eq(u64, readings[3].value, 45678901234));
	energy_close(&energy);
	host_close(&host);
}

Test(energy, refuses_sources_that_do_not_exist)
{
	struct host host = machine("tests/fixtures/intel-1s/sys");
	struct energy energy = { .n_zones = 77 };

	cr_assert(eq(int, energy_open("powercap,magic", &host, &topology, NULL, &energy), -EINVAL));
	cr_assert(strstr(lines, "'magic'") != NULL, "%s", lines);
	cr_assert(eq(sz, energy.n_zones, 77), "untouched on failure");
	cr_assert(eq(int, energy_open("powercap,powercap", &host, &topology, NULL, &energy), 0));
	cr_assert(eq(sz, energy.n_zones, 4));
	energy_close(&energy);
	host_close(&host);
}

Test(energy, sums_only_what_does_not_overlap)
{
	static const struct {
		enum zone_kind kinds[3];
		bool split[3];
	} cases[] = {
		{ { ZONE_PACKAGE, ZONE_PLATFORM, ZONE_GPU }, { true, false, true } },
		{ { ZONE_PLATFORM, ZONE_DRAM, ZONE_GPU }, { true, false, false } },
		{ { ZONE_DRAM, ZONE_GPU, ZONE_PSYS }, { true, true, false } },
		{ { ZONE_PACKAGE, ZONE_CORE, ZONE_UNCORE }, { true, false, false } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct energy energy = { .n_zones = 3 };

		for (size_t z = 0; z < 3; z++)
			energy.zones[z].kind = cases[i].kinds[z];
		for (size_t z = 0; z < 3; z++)
			cr_expect(eq(int, zone_is_split(&energy, z), cases[i].split[z]), "%zu.%zu",
				  i, z);
	}
}

/* Short of memory it may fail or do with less, but what it gives has zones and can be closed. */
Test(energy, survives_starvation)
{
	struct host host = machine("tests/fixtures/garbage/sys");

	OOM_SWEEP(n)
	{
		struct probe_list probe = { 0 };
		struct energy energy = { .n_zones = 77 };
		int r = energy_open("auto", &host, &topology, &probe, &energy);

		oom_stop();
		cr_assert(r == 0 || r == -ENODEV, "allocation %ld: %d", n, r);
		cr_assert(r == 0 ? energy.n_zones > 0 : energy.n_zones == 77);
		if (r == 0)
			energy_close(&energy);
		probe_list_free(&probe);
	}
	host_close(&host);
}

Test(energy, names_every_kind)
{
	for (int kind = 0; kind < _ZONE_KIND_MAX; kind++)
		cr_assert(zone_kind_name((enum zone_kind)kind) != NULL);
	for (int quality = 0; quality < _QUALITY_MAX; quality++)
		cr_assert(quality_name((enum quality)quality) != NULL);
	for (int state = PROBE_CHOSEN; state <= PROBE_BROKEN; state++)
		cr_assert(probe_state_name((enum probe_state)state) != NULL);
	cr_assert(energy_driver_names[0] != NULL);
}
