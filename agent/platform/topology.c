/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "platform/host.h"
#include "platform/parse.h"
#include "platform/scope.h"

#define DIE_UNKNOWN UINT16_MAX

struct mask {
	bool cpus[HOST_MAX_CPUS];
	unsigned int n, end; /* how many, and the highest + 1 */
};

static void mask_add(unsigned int cpu, void *ctx)
{
	struct mask *mask = ctx;

	if (cpu >= HOST_MAX_CPUS)
		return;
	mask->cpus[cpu] = true;
	mask->n++;
	mask->end = cpu + 1;
}

/* The list in devices/system/cpu/NAME, or the first n CPUs where there is none. */
static void read_mask(const struct host *host, const char *path, long n, struct mask *ret)
{
	char text[4096];

	memset(ret, 0, sizeof(*ret));
	if (host_read(host->sys_fd, path, text, sizeof(text)) > 0 &&
	    parse_cpulist(text, mask_add, ret) == 0 && ret->n)
		return;

	memset(ret, 0, sizeof(*ret));
	for (long cpu = 0; cpu < MIN(MAX(n, 1), HOST_MAX_CPUS); cpu++)
		mask_add((unsigned int)cpu, ret);
}

static void read_online(const struct host *host, struct mask *ret)
{
	read_mask(host, "devices/system/cpu/online", sysconf(_SC_NPROCESSORS_ONLN), ret);
}

/* What a file of cpuN/topology says; 0 where it is absent or -1 ("unknown", as VMs say). */
static uint32_t read_id(const struct host *host, unsigned int cpu, const char *name)
{
	char path[96];
	uint64_t id;

	snprintf(path, sizeof(path), "devices/system/cpu/cpu%u/topology/%s", cpu, name);
	if (host_read_u64(host->sys_fd, path, &id) < 0)
		return 0;
	return (uint32_t)MIN(id, UINT32_MAX);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int compare_cores(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The index of a physical package; 0 for one that is not known. */
static uint8_t package_index(const struct topology *topology, uint32_t id)
{
	for (unsigned int i = 0; i < topology->n_packages; i++)
		if (topology->package_id[i] == id)
			return (uint8_t)i;
	return 0;
}

static void number_packages(struct topology *topology, const uint32_t *package)
{
	uint32_t ids[HOST_MAX_CPUS];
	unsigned int n = 0;

	for (unsigned int cpu = 0; cpu < topology->n_cpus; cpu++)
		if (topology->online[cpu])
			ids[n++] = package[cpu];
	qsort(ids, n, sizeof(ids[0]), compare_ids);

	for (unsigned int i = 0; i < n; i++) {
		if (i && ids[i] == ids[i - 1])
			continue;
		if (topology->n_packages == HOST_MAX_PACKAGES)
			break;
		topology->package_id[topology->n_packages++] = ids[i];
	}
	if (!topology->n_packages)
		topology->n_packages = 1;
}

static unsigned int count_cores(const struct host *host, const struct topology *topology)
{
	uint64_t cores[HOST_MAX_CPUS];
	unsigned int n = 0, distinct = 0;

	for (unsigned int cpu = 0; cpu < topology->n_cpus; cpu++) {
		if (!topology->online[cpu])
			continue;
		cores[n++] = (uint64_t)topology->package_of[cpu] << 48 |
			     (uint64_t)topology->die_of[cpu] << 32 | read_id(host, cpu, "core_id");
	}
	qsort(cores, n, sizeof(cores[0]), compare_cores);
	for (unsigned int i = 0; i < n; i++)
		distinct += !i || cores[i] != cores[i - 1];
	return distinct;
}

static uint16_t read_die(const struct host *host, unsigned int cpu)
{
	return (uint16_t)MIN(read_id(host, cpu, "die_id"), DIE_UNKNOWN - 1);
}

void topology_read(const struct host *host, struct topology *ret)
{
	uint32_t package[HOST_MAX_CPUS];
	struct mask mask;

	memset(ret, 0, sizeof(*ret));
	memset(package, 0, sizeof(package));
	read_mask(host, "devices/system/cpu/possible", sysconf(_SC_NPROCESSORS_CONF), &mask);
	ret->n_cpus = mask.end;
	read_online(host, &mask);
	ret->n_cpus = MAX(ret->n_cpus, mask.end);
	ret->n_online = mask.n;
	memcpy(ret->online, mask.cpus, sizeof(ret->online));

	for (unsigned int cpu = 0; cpu < ret->n_cpus; cpu++) {
		ret->die_of[cpu] = DIE_UNKNOWN;
		if (!ret->online[cpu])
			continue;
		package[cpu] = read_id(host, cpu, "physical_package_id");
		ret->die_of[cpu] = read_die(host, cpu);
	}
	number_packages(ret, package);
	for (unsigned int cpu = 0; cpu < ret->n_cpus; cpu++)
		if (ret->online[cpu])
			ret->package_of[cpu] = package_index(ret, package[cpu]);
	ret->n_cores = count_cores(host, ret);
}

bool topology_refresh(const struct host *host, struct topology *topology)
{
	struct mask mask;

	read_online(host, &mask);
	if (!memcmp(topology->online, mask.cpus, sizeof(mask.cpus)))
		return false;

	memcpy(topology->online, mask.cpus, sizeof(mask.cpus));
	topology->n_online = mask.n;
	/* A CPU that was offline at the start says only now which package it is in.  It has booked
	 * nothing yet, so learning it moves no weight from one package to another. */
	for (unsigned int cpu = 0; cpu < topology->n_cpus; cpu++) {
		if (!topology->online[cpu] || topology->die_of[cpu] != DIE_UNKNOWN)
			continue;
		topology->die_of[cpu] = read_die(host, cpu);
		topology->package_of[cpu] =
			package_index(topology, read_id(host, cpu, "physical_package_id"));
	}
	return true;
}
