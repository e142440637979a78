/* SPDX-License-Identifier: Apache-2.0 */
#include "names/vm_proc.h"

#include <errno.h>
#include <string.h>

#include "platform/scope.h"

#define PF_KTHREAD 0x00200000u /* include/linux/sched.h; part of the ABI through /proc/PID/stat */

/* A name is cut after 15 bytes. */
static const char *const beginnings[] = { "qemu-system-", "qemu-kvm", "kvm",
					  "firecracker",  "jailer",   "cloud-hyperviso" };

bool vm_proc_may_be(const char *comm)
{
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (strncmp(comm, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

/* Is a hierarchy in this list of its controllers?  "name=systemd" is the one called systemd. */
static bool lists(const char *list, size_t len, const char *hierarchy)
{
	size_t want = strlen(hierarchy);

	while (len) {
		const char *comma = memchr(list, ',', len);
		size_t n = comma ? (size_t)(comma - list) : len;

		if ((n == want && !memcmp(list, hierarchy, n)) ||
		    (n == want + 5 && !memcmp(list, "name=", 5) &&
		     !memcmp(list + 5, hierarchy, want)))
			return true;
		list += n + (comma ? 1 : 0);
		len -= n + (comma ? 1 : 0);
	}
	return false;
}

int vm_proc_cgroup(char *text, const char *hierarchy, const char **ret)
{
	bool unified = strcmp(hierarchy, "unified") == 0;

	for (char *line = text; *line;) {
		char *end = line + strcspn(line, "\n");
		char *list = memchr(line, ':', (size_t)(end - line));
		char *path = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;

		if (path && path + 1 < end && path[1] == '/' &&
		    (unified ? list + 1 == path
			     : lists(list + 1, (size_t)(path - list - 1), hierarchy))) {
			*end = '\0';
			*ret = path + 1;
			return 0;
		}
		line = *end ? end + 1 : end;
	}
	return -ENOENT;
}

int vm_proc_ticks(const char *text, uint64_t *ret)
{
	const char *p = strrchr(text, ')');
	uint64_t field[16] = { 0 }, sum;

	if (!p || p[1] != ' ' || !p[2] || p[3] != ' ')
		return -EINVAL;
	p += 4;
	/* Counted as in proc(5): 3 is the state, behind the name, which may hold anything. */
	for (size_t i = 4; i < ARRAY_SIZE(field); i++) {
		const char *digits;

		p += *p == '-';
		for (digits = p; *p >= '0' && *p <= '9'; p++)
			if (__builtin_mul_overflow(field[i], 10, &field[i]) ||
			    __builtin_add_overflow(field[i], (uint64_t)(*p - '0'), &field[i]))
				return -EINVAL;
		if (p == digits || *p != ' ')
			return -EINVAL;
		p++;
	}
	if (__builtin_add_overflow(field[14], field[15], &sum))
		return -EINVAL;
	*ret = field[9] & PF_KTHREAD ? 0 : sum;
	return 0;
}
