/* SPDX-License-Identifier: Apache-2.0 */
#include "activity/proctext.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "platform/scope.h"

#define PF_KTHREAD 0x00200000u /* include/linux/sched.h; part of the ABI through this file */

/* Digits at *pos after blanks; *pos moves behind them.  0, -EINVAL or -ERANGE. */
static int take_u64(const char **pos, uint64_t *ret)
{
	const char *p = *pos;
	uint64_t value = 0;

	while (*p == ' ' || *p == '\t')
		p++;
	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	}
	*pos = p;
	*ret = value;
	return 0;
}

int proctext_cpu(const char **pos, struct cpu_ticks *ret)
{
	struct cpu_ticks ticks = { .cpu = -1 };
	uint64_t *const fields[] = { &ticks.user,   &ticks.nice, &ticks.system,  &ticks.idle,
				     &ticks.iowait, &ticks.irq,  &ticks.softirq, &ticks.steal };
	const char *p = *pos;
	size_t n = 0;

	if (strncmp(p, "cpu", 3) != 0)
		return 0;
	p += 3;
	if (*p >= '0' && *p <= '9') {
		uint64_t cpu;

		if (take_u64(&p, &cpu) < 0 || cpu > INT_MAX)
			return -EINVAL;
		ticks.cpu = (int)cpu;
	}
	/* Kernels before 2.6.11 had fewer fields: four are the least, the others stay 0. */
	while (n < ARRAY_SIZE(fields) && *p == ' ' && take_u64(&p, fields[n]) == 0)
		n++;
	if (n < 4)
		return -EINVAL;
	while (*p && *p != '\n')
		p++;
	if (*p != '\n')
		return -EINVAL;
	*pos = p + 1;
	*ret = ticks;
	return 1;
}

int proctext_process(const char *text, struct process_stat *ret)
{
	const char *p = strrchr(text, ')');
	uint64_t field[23] = { 0 }, ticks;

	if (!p || p[1] != ' ' || !p[2] || p[3] != ' ')
		return -EINVAL;
	p += 4;
	/* Fields are counted as in proc(5): 1 pid, 2 comm, 3 state; some may be negative. */
	for (size_t i = 4; i < ARRAY_SIZE(field); i++) {
		if (*p == '-')
			p++;
		if (take_u64(&p, &field[i]) < 0 || (*p != ' ' && *p != '\n' && *p))
			return -EINVAL;
		if (*p)
			p++;
	}
	if (__builtin_add_overflow(field[14], field[15], &ticks))
		return -EINVAL;
	ret->ticks = ticks;
	ret->start_ticks = field[22];
	ret->kernel_thread = field[9] & PF_KTHREAD;
	return 0;
}

int proctext_percpu(const char *text, void (*each)(void *ctx, unsigned int cpu, uint64_t ns),
		    void *ctx)
{
	const char *p = text;
	unsigned int cpu = 0;

	for (;;) {
		uint64_t ns;
		int r;

		while (*p == ' ' || *p == '\n')
			p++;
		if (!*p)
			return cpu ? 0 : -EINVAL;
		r = take_u64(&p, &ns);
		if (r < 0)
			return r;
		if (*p && *p != ' ' && *p != '\n')
			return -EINVAL;
		each(ctx, cpu++, ns);
	}
}

bool proctext_in_list(const char *list, size_t len, const char *word)
{
	size_t want = strlen(word);

	for (;;) {
		const char *comma = memchr(list, ',', len);
		size_t n = comma ? (size_t)(comma - list) : len;

		if (n == want && memcmp(list, word, n) == 0)
			return true;
		if (!comma)
			return false;
		list += n + 1;
		len -= n + 1;
	}
}

/* "ID:CONTROLLERS:PATH" lines: the one of the controller, in parts. */
static int find_line(const char *text, const char *controller, uint64_t *ret_id,
		     const char **ret_path, size_t *ret_len)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		const char *p = line, *colon;
		uint64_t id;

		if (take_u64(&p, &id) == 0 && *p == ':') {
			p++;
			colon = memchr(p, ':', len - (size_t)(p - line));
			if (colon && proctext_in_list(p, (size_t)(colon - p), controller)) {
				*ret_id = id;
				*ret_path = colon + 1;
				*ret_len = len - (size_t)(colon + 1 - line);
				return 0;
			}
		}
		line += len + (line[len] == '\n');
	}
	return -ENOENT;
}

int proctext_cgroup(const char *text, const char *controller, const char **ret, size_t *ret_len)
{
	uint64_t id;

	return find_line(text, controller, &id, ret, ret_len);
}

int proctext_cgroup_id(const char *text, const char *controller, int *ret)
{
	const char *path;
	size_t len;
	uint64_t id;
	int r = find_line(text, controller, &id, &path, &len);

	if (r < 0 || id > INT_MAX)
		return -ENOENT;
	*ret = (int)id;
	return 0;
}
