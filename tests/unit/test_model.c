/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>

#include "energy/model.h"
#include "no_leaks.h"
#include "platform/scope.h"

TestSuite(model, .fini = no_leaks);

#define S 1000000000ull

static const struct machine_facts server = {
	.cpu = "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz",
	.sockets = 2,
	.cores = 64,
	.threads = 128,
	.nominal_mhz = 2000,
	.memory_gib = 256,
};
static struct topology topology;

static struct energy_source *open_model(struct host *host)
{
	const struct energy_config config = { .topology = &topology };
	struct energy_source *source = NULL;

	*host = (struct host){ .sys_fd = -1, .proc_fd = -1, .cgroup_fd = -1 };
	topology = (struct topology){ .n_cpus = 4, .n_online = 4, .n_packages = 1, .n_cores = 4 };
	cr_assert(eq(int, energy_model.open(host, &config, &source), 0));
	return source;
}

static struct reading read_at(struct energy_source *source, uint64_t t_ns, uint64_t busy_ns)
{
	struct node_load load = { .t_ns = t_ns, .busy_ns = busy_ns, .cpus = 4 };
	struct reading reading;

	energy_model.read(source, &load, NULL, &reading);
	return reading;
}

Test(model, gives_a_server_the_watts_of_a_server)
{
	struct curve curve;

	model_curve(&server, &curve);
	cr_assert(gt(dbl, curve.watts[0], 50));
	cr_assert(lt(dbl, curve.watts[0], 200));
	cr_assert(gt(dbl, curve.watts[10], 250));
	cr_assert(lt(dbl, curve.watts[10], 800));
	cr_assert(epsilon_eq(dbl, curve.error_ratio, 0.26, 1e-9));
}

Test(model, gives_a_guest_its_part_and_much_doubt)
{
	struct machine_facts guest = server;
	struct curve curve;

	guest.virtual = true;
	guest.sockets = 1;
	guest.cores = guest.threads = 2;
	guest.memory_gib = 8;
	model_curve(&guest, &curve);
	cr_assert(gt(dbl, curve.watts[0], 0.3));
	cr_assert(lt(dbl, curve.watts[10], 20));
	cr_assert(ge(dbl, curve.error_ratio, 0.5));
}

/* Whatever the facts: finite, positive, never falling with load, and never sure of itself. */
Test(model, has_a_curve_for_any_facts)
{
	static const unsigned int counts[] = { 0, 1, 2, 7, 96, 4096, 4294967295u };
	static const double doubles[] = { 0, -1, 1e-300, 3, 1e300, INFINITY, NAN };
	const size_t n = ARRAY_SIZE(counts);

	for (size_t i = 0; i < n * n * n * n * 2; i++) {
		struct machine_facts facts = {
			.sockets = counts[i % n],
			.cores = counts[i / n % n],
			.threads = counts[i / (n * n) % n],
			.nominal_mhz = doubles[i / (n * n * n) % n],
			.memory_gib = doubles[(i / n + i) % n],
			.virtual = i % 2,
		};
		struct curve curve;

		model_curve(&facts, &curve);
		cr_assert(gt(dbl, curve.watts[0], 0), "case %zu", i);
		for (int level = 1; level < CURVE_LEVELS; level++)
			cr_assert(ge(dbl, curve.watts[level], curve.watts[level - 1]), "case %zu",
				  i);
		cr_assert(isfinite(curve.watts[CURVE_LEVELS - 1]), "case %zu", i);
		cr_assert(ge(dbl, curve.error_ratio, 0.25));
		cr_assert(le(dbl, curve.error_ratio, 1));
	}
}

Test(model, knows_that_second_threads_add_little)
{
	cr_assert(epsilon_eq(dbl, model_load(0.5, 8, 4), 0.91, 1e-12));
	cr_assert(epsilon_eq(dbl, model_load(1, 8, 4), 1, 1e-12));
	cr_assert(epsilon_eq(dbl, model_load(0.5, 4, 4), 0.5, 1e-12));
	cr_assert(eq(dbl, model_load(NAN, 4, 4), 0));
	cr_assert(eq(dbl, model_load(-1, 8, 4), 0));
	cr_assert(eq(dbl, model_load(7, 8, 4), 1));
	for (double busy = 0; busy < 1; busy += 0.001)
		cr_assert(le(dbl, model_load(busy, 8, 4), model_load(busy + 0.001, 8, 4)));
}

Test(model, integrates_its_curve_and_loses_nothing)
{
	struct host host;
	struct energy_source *source = open_model(&host);
	double idle = model_idle_watts(source);
	uint64_t t_ns = S;

	cr_assert(gt(dbl, idle, 0));
	cr_assert(eq(int, (int)source->zones[0].quality, QUALITY_MODELLED));
	cr_assert(eq(u64, read_at(source, t_ns, 77 * S).value, 0));
	/* A thousand uneven intervals of an idle machine are one long one. */
	for (int i = 0; i < 1000; i++) {
		t_ns += 999983 + (uint64_t)i;
		read_at(source, t_ns, 77 * S);
	}
	cr_assert(epsilon_eq(dbl, (double)read_at(source, t_ns, 77 * S).value,
			     idle * (double)(t_ns - S), 2));
	energy_model.close(source);
}

Test(model, costs_more_when_busy_and_never_goes_back)
{
	struct host host;
	struct energy_source *source = open_model(&host);
	uint64_t last, idle_nj, seed = 99;

	read_at(source, S, 0);
	idle_nj = read_at(source, 2 * S, 0).value;
	last = read_at(source, 3 * S, 4 * S).value;
	cr_assert(gt(u64, last - idle_nj, 2 * idle_nj));

	for (int i = 0; i < 10000; i++) {
		struct reading reading;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		reading = read_at(source, (seed >> 20) % (1000 * S), seed >> (seed % 64));
		cr_assert(eq(int, reading.error, 0));
		cr_assert(ge(u64, reading.value, last));
		last = reading.value;
	}
	energy_model.close(source);
	energy_model.close(NULL);
}

Test(model, has_no_reading_without_a_load)
{
	struct host host;
	struct energy_source *source = open_model(&host);
	struct node_load load = { .t_ns = S, .cpus = 4 };
	struct reading reading = { 0 };
	bool want = false;

	energy_model.read(source, NULL, NULL, &reading);
	cr_assert(eq(int, reading.error, -ENODATA));
	energy_model.read(source, &load, &want, &reading);
	cr_assert(eq(int, reading.error, -EAGAIN));
	energy_model.close(source);
}

static struct machine_facts facts_of(const char *cpuinfo, const char *meminfo)
{
	char dir[] = "/tmp/model-XXXXXX", path[64];
	struct machine_facts facts;
	struct host host = { .sys_fd = -1, .cgroup_fd = -1 };
	static const char *const names[] = { "cpuinfo", "meminfo" };
	const char *const texts[] = { cpuinfo, meminfo };

	cr_assert(mkdtemp(dir) != NULL);
	for (int i = 0; i < 2; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		file = fopen(path, "w");
		fputs(texts[i], file);
		fclose(file);
	}
	host.proc_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	topology = (struct topology){ .n_cpus = 8, .n_online = 8, .n_packages = 2, .n_cores = 4 };
	machine_facts_read(&host, &topology, &facts);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	host_close(&host);
	return facts;
}

Test(model, reads_what_the_machine_says)
{
	struct machine_facts facts =
		facts_of("processor\t: 0\nmodel\t\t: 106\n"
			 "model name\t: Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz\n"
			 "cpu MHz\t\t: 3200.123\nflags\t\t: fpu vme hypervisor_x sse\n",
			 "MemTotal:       263912345 kB\nMemFree: 1 kB\n");

	cr_assert(eq(str, facts.cpu, (char *)"Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz"));
	cr_assert(eq(dbl, facts.nominal_mhz, 2000));
	cr_assert(epsilon_eq(dbl, facts.memory_gib, 251.69, 0.01));
	cr_assert(not(facts.virtual));
	cr_assert(eq(uint, facts.sockets, 2));
	cr_assert(eq(uint, facts.cores, 4));
	cr_assert(eq(uint, facts.threads, 8));
}

Test(model, knows_a_guest_by_its_flag)
{
	struct machine_facts facts = facts_of("model name : AMD EPYC\ncpu MHz : 2250.004\n"
					      "flags : fpu rdrand hypervisor\n",
					      "MemTotal: 4000000 kB\n");

	cr_assert(facts.virtual);
	cr_assert(epsilon_eq(dbl, facts.nominal_mhz, 2250, 0.1));
}

Test(model, takes_no_nonsense_for_facts)
{
	struct machine_facts facts =
		facts_of("model name : \x1b[31m\xff @ -1GHz\ncpu MHz : nan\n", "MemTotal: lots\n");

	cr_assert(eq(str, facts.cpu, (char *)"?[31m? @ -1GHz"));
	cr_assert(eq(dbl, facts.nominal_mhz, 0));
	cr_assert(eq(dbl, facts.memory_gib, 0));
	facts = facts_of("", "");
	cr_assert(eq(str, facts.cpu, (char *)""));
}
