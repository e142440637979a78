/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's accounting files: /proc/stat, /proc/PID/stat, /proc/PID/cgroup, percpu, cpu.stat. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "activity/proctext.h"
#include "platform/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void read_cpus(const char *text)
{
	const char *p = text;
	struct cpu_ticks ticks;

	for (;;) {
		const char *before = p;
		int r = proctext_cpu(&p, &ticks);

		if (r != 1) {
			require(p == before);
			return;
		}
		/* It moves on, line by line, and never beyond the text. */
		require(p > before && p[-1] == '\n' && ticks.cpu >= -1);
		require(p <= text + strlen(text));
	}
}

static void read_process(const char *text)
{
	struct process_stat stat = { .ticks = 1, .start_ticks = 2, .kernel_thread = true };

	if (proctext_process(text, &stat) < 0)
		require(stat.ticks == 1 && stat.start_ticks == 2 && stat.kernel_thread);
	else
		require(strchr(text, ')') != NULL);
}

static void read_cgroup(const char *text)
{
	static const char *const controllers[] = { "", "cpuacct", "cpu", "name=systemd" };

	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		const char *path = NULL;
		size_t len = 0;
		int id = -1;

		if (proctext_cgroup(text, controllers[i], &path, &len) == 0) {
			require(path > text && path[-1] == ':');
			require(path + len <= text + strlen(text));
			require(memchr(path, '\n', len) == NULL);
		}
		if (proctext_cgroup_id(text, controllers[i], &id) == 0)
			require(id >= 0);
	}
}

static void in_order(void *ctx, unsigned int cpu, uint64_t ns)
{
	unsigned int *next = ctx;

	(void)ns;
	require(cpu == *next);
	(*next)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	unsigned int cpus = 0;
	uint64_t value = 42;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	read_cpus(text);
	read_process(text);
	read_cgroup(text);
	if (proctext_percpu(text, in_order, &cpus) == 0)
		require(cpus > 0);
	if (parse_flat_keyed(text, "usage_usec", &value) < 0)
		require(value == 42);
	free(text);
	return 0;
}
