/* SPDX-License-Identifier: Apache-2.0 */
#include "energy/machine.h"

#include <string.h>

#include "platform/parse.h"
#include "platform/scope.h"

/* The first CPU's block of cpuinfo is under 4 KiB; the whole file is megabytes on a large node. */
#define HEAD_SIZE 8192

/* The value of the first "KEY <blanks> : value" line, cut to size; false when there is none. */
static bool value_of(const char *text, const char *key, char *ret, size_t size)
{
	size_t key_len = strlen(key), len;

	while (text && (strncmp(text, key, key_len) != 0 || !strchr(" \t:", text[key_len]))) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	if (!text)
		return false;
	text += key_len;
	text += strspn(text, " \t:");
	len = MIN(strcspn(text, "\n"), size - 1);
	memcpy(ret, text, len);
	ret[len] = '\0';
	return true;
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
		if ((at == text || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	}
	return false;
}

/* ARM has no CPU flag for it; these say so in DMI.  EC2's "metal" sizes are whole machines. */
static bool is_virtual_by_dmi(const struct host *host)
{
	static const char *const products[] = { "Virtual Machine", "VirtualBox", "VMware", "KVM",
						"HVM domU" };
	char vendor[64] = "", product[64] = "";

	if (host_read_word(host->sys_fd, "class/dmi/id/sys_vendor", vendor, sizeof(vendor)) < 0)
		vendor[0] = '\0';
	if (host_read_word(host->sys_fd, "class/dmi/id/product_name", product, sizeof(product)) < 0)
		product[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(products); i++) {
		if (strstr(product, products[i]))
			return true;
	}
	if (!strcmp(vendor, "Amazon EC2"))
		return !strstr(product, "metal");
	return !strcmp(vendor, "QEMU");
}

/* "2.50" of "Intel(R) Xeon(R) Platinum 8180 CPU @ 2.50GHz"; 0 when the name has no clock. */
static double mhz_of_name(const char *cpu)
{
	const char *at = strstr(cpu, "@ ");
	const char *end = at ? strstr(at, "GHz") : NULL;
	char text[16];
	double ghz;

	if (!end || (size_t)(end - at - 2) >= sizeof(text))
		return 0;
	memcpy(text, at + 2, (size_t)(end - at - 2));
	text[end - at - 2] = '\0';
	return parse_double(text, &ghz) < 0 ? 0 : ghz * 1000;
}

static void read_clock(const struct host *host, const char *cpuinfo, struct machine_facts *facts)
{
	char text[64];
	uint64_t khz;

	facts->nominal_mhz = mhz_of_name(facts->cpu);
	if (host_read_u64(host->sys_fd, "devices/system/cpu/cpu0/cpufreq/base_frequency", &khz) ==
	    0)
		facts->nominal_mhz = (double)khz / 1000;
	/* The clock of this moment says nothing on a machine that scales it; a guest's does not. */
	if (!facts->nominal_mhz && facts->virtual &&
	    value_of(cpuinfo, "cpu MHz", text, sizeof(text)) &&
	    parse_double(text, &facts->nominal_mhz) < 0)
		facts->nominal_mhz = 0;
	/* A negative clock or a terahertz is no clock. */
	if (facts->nominal_mhz < 100 || facts->nominal_mhz > 10000)
		facts->nominal_mhz = 0;
}

static double memory_gib(const struct host *host)
{
	char text[HEAD_SIZE], value[64];
	uint64_t kib;

	if (host_read(host->proc_fd, "meminfo", text, sizeof(text)) < 0 ||
	    !value_of(text, "MemTotal", value, sizeof(value)))
		return 0;
	value[strspn(value, "0123456789")] = '\0';
	return parse_u64(value, &kib) < 0 ? 0 : (double)kib / (1024 * 1024);
}

void machine_facts_read(const struct host *host, const struct topology *topology,
			struct machine_facts *ret)
{
	char cpuinfo[HEAD_SIZE] = "", flags[HEAD_SIZE] = "";

	*ret = (struct machine_facts){
		.sockets = topology->n_packages,
		.cores = topology->n_cores,
		.threads = topology->n_online,
		.memory_gib = memory_gib(host),
	};
	if (host_read(host->proc_fd, "cpuinfo", cpuinfo, sizeof(cpuinfo)) < 0)
		cpuinfo[0] = '\0';
	if (!value_of(cpuinfo, "model name", ret->cpu, sizeof(ret->cpu)))
		ret->cpu[0] = '\0';
	for (char *c = ret->cpu; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	ret->virtual = (value_of(cpuinfo, "flags", flags, sizeof(flags)) &&
			has_word(flags, "hypervisor")) ||
		       is_virtual_by_dmi(host);
	read_clock(host, cpuinfo, ret);
}
