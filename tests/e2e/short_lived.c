/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short-lived: cgroups made one after the other below DIR, each with one process that burns CPU
 * for some milliseconds and is gone.  Prints "NAME CPU_NS" for each: what the kernel itself
 * charged to it, read before the directory is removed.
 *
 *	short_lived DIR COUNT MIN_US MAX_US
 */
#include "e2e/burner.h"

static int live_once(int dir_fd, uint64_t ns, const cpu_set_t *anywhere, uint64_t *ret_cpu_ns)
{
	char pid_text[24];
	pid_t pid = child_new(ns, anywhere);
	int r;

	if (pid < 0)
		return pid;
	waitpid(pid, NULL, WUNTRACED);
	snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
	r = write_word(dir_fd, "cgroup.procs", pid_text);
	kill(pid, r ? SIGKILL : SIGCONT);
	waitpid(pid, NULL, 0);
	return r ? r : read_cpu_ns(dir_fd, ret_cpu_ns);
}

static int group_once(int parent_fd, uint64_t ns, const cpu_set_t *anywhere)
{
	char name[NAME_HEX + 1];
	uint64_t cpu_ns = 0;
	int r, removed;

	random_id(name);
	if (mkdirat(parent_fd, name, 0755))
		return -errno;
	{
		_close_ int dir_fd = openat(parent_fd, name, O_DIRECTORY | O_CLOEXEC);

		r = dir_fd < 0 ? -errno : live_once(dir_fd, ns, anywhere, &cpu_ns);
	}
	removed = remove_group(parent_fd, name);
	if (!r && !removed)
		printf("%s %" PRIu64 "\n", name, cpu_ns);
	return r ? r : removed;
}

int main(int argc, char **argv)
{
	_close_ int parent_fd = -1;
	uint64_t count, min_us, max_us;
	cpu_set_t anywhere, here;

	if (argc != 5 || parse_u64(argv[2], &count) || parse_u64(argv[3], &min_us) ||
	    parse_u64(argv[4], &max_us) || min_us > max_us) {
		fputs("usage: short_lived DIR COUNT MIN_US MAX_US\n", stderr);
		return 2;
	}
	parent_fd = open(argv[1], O_DIRECTORY | O_CLOEXEC);
	if (parent_fd < 0) {
		fprintf(stderr, "short_lived: cannot open '%s': %s\n", argv[1], strerror(errno));
		return 1;
	}
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	if (sched_getaffinity(0, sizeof(anywhere), &anywhere) ||
	    sched_setaffinity(0, sizeof(here), &here)) {
		fprintf(stderr, "short_lived: cannot stay on one CPU: %s\n", strerror(errno));
		return 1;
	}
	for (uint64_t i = 0; i < count; i++) {
		double u = (double)(random_u64() >> 11) / (double)(1ULL << 53);
		/* Short ones are the hard ones: square the die. */
		uint64_t us = min_us + (uint64_t)(u * u * (double)(max_us - min_us));
		int r = group_once(parent_fd, us * 1000, &anywhere);

		if (r) {
			fprintf(stderr, "short_lived: '%s': %s\n", argv[1], strerror(-r));
			return 1;
		}
	}
	return 0;
}
