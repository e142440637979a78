/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "platform/scope.h"

/* Numbers of include/uapi/linux/capability.h; older headers lack the last two. */
const struct kernel_capability kernel_capabilities[] = {
	{ "CAP_DAC_READ_SEARCH", 2, "energy_uj" },
	{ "CAP_SYS_ADMIN", 21, "BPF before 5.8" },
	{ "CAP_SYS_NICE", 23, "--realtime" },
	{ "CAP_SYS_RESOURCE", 24, "BPF maps before 5.11" },
	{ "CAP_PERFMON", 38, "BPF tracing, CPU counters" },
	{ "CAP_BPF", 39, "BPF" },
};
const size_t kernel_n_capabilities = ARRAY_SIZE(kernel_capabilities);

static int read_sysctl(const struct host *host, const char *path)
{
	char text[32];
	bool negative;
	int value = 0;

	if (host_read_word(host->proc_fd, path, text, sizeof(text)) < 0)
		return -1;
	negative = text[0] == '-';
	for (const char *p = text + negative; *p >= '0' && *p <= '9' && value < 1000000; p++)
		value = value * 10 + (*p - '0');
	return negative ? -1 : value;
}

/* Our own, whatever tree --procfs names. */
static uint64_t read_capabilities(void)
{
	_fclose_ FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t mask = 0;

	while (file && fgets(line, sizeof(line), file)) {
		const char *p = line + 7;

		if (strncmp(line, "CapEff:", 7) != 0)
			continue;
		p += strspn(p, " \t");
		for (; strchr("0123456789abcdef", *p) && *p; p++)
			mask = mask << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
		return mask;
	}
	return 0;
}

static int open_cycles(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_CPU_CYCLES,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

int kernel_pmu_counts(void)
{
	/* As the agent uses it: all of a CPU; the one that we run on is surely not idle. */
	for (int attempt = 0; attempt < 3; attempt++) {
		int cpu = sched_getcpu();
		_close_ int fd = open_cycles(cpu < 0 ? 0 : cpu);
		uint64_t cycles = 0;

		if (fd < 0)
			return fd;
		for (int i = 0; i < 100000; i++)
			__asm__ volatile("" : : "r"(i));
		if (read(fd, &cycles, sizeof(cycles)) != sizeof(cycles))
			return -EIO;
		if (cycles > 0)
			return 0;
	}
	return -ENODATA;
}

void kernel_facts_read(const struct host *host, struct kernel_facts *ret)
{
	struct kernel_facts facts = { .pmu = kernel_pmu_counts() };
	struct utsname name;

	if (uname(&name) == 0)
		snprintf(facts.release, sizeof(facts.release), "%s", name.release);
	facts.btf =
		host->sys_fd >= 0 && faccessat(host->sys_fd, "kernel/btf/vmlinux", R_OK, 0) == 0;
	facts.capabilities = read_capabilities();
	facts.jit = read_sysctl(host, "sys/net/core/bpf_jit_enable");
	facts.unprivileged_bpf_disabled = read_sysctl(host, "sys/kernel/unprivileged_bpf_disabled");
	facts.bpf_stats = read_sysctl(host, "sys/kernel/bpf_stats_enabled");
	facts.perf_event_paranoid = read_sysctl(host, "sys/kernel/perf_event_paranoid");
	*ret = facts;
}
