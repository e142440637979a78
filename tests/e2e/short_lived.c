/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short-lived: cgroups made one after the other below DIR, each with one process that burns CPU
 * for some milliseconds and is gone.  Prints "NAME CPU_NS" for each: what the kernel itself
 * charged to it, read before the directory is removed.
 *
 *	short_lived DIR COUNT MIN_US MAX_US
 *
 * What a task runs while it is being moved is charged to either group, as the kernel pleases, by up
 * to a tick.  So nothing of ours runs then: the process has stopped itself, and it shares the one
 * CPU of its parent, who is running, until it is told to go on.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/parse.h"
#include "platform/scope.h"

#define NAME_HEX 64 /* as container ids are */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t random_u64(void)
{
	static uint64_t state;

	if (!state)
		state = now_ns() ^ (uint64_t)getpid() << 32;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void burn(uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() < end)
		;
}

static void pause_us(long us)
{
	const struct timespec pause = { .tv_nsec = us * 1000 };

	nanosleep(&pause, NULL);
}

static int write_word(int dir_fd, const char *name, const char *word)
{
	_close_ int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, word, strlen(word)) < 0)
		return -errno;
	return 0;
}

/* CPU time of the cgroup: v1 cpuacct.usage in nanoseconds, v2 cpu.stat in microseconds. */
static int read_cpu_ns(int dir_fd, uint64_t *ret)
{
	_close_ int fd = openat(dir_fd, "cpuacct.usage", O_RDONLY | O_CLOEXEC);
	bool v1 = fd >= 0;
	char text[4096];
	ssize_t n;
	int r;

	if (!v1)
		fd = openat(dir_fd, "cpu.stat", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	if (v1)
		return parse_u64(text, ret);
	r = parse_flat_keyed(text, "usage_usec", ret);
	if (!r)
		*ret *= 1000;
	return r;
}

/* A child that stops itself; told to go on, it may run anywhere, burns and is gone. */
static pid_t child_new(uint64_t ns, const cpu_set_t *anywhere)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		raise(SIGSTOP);
		sched_setaffinity(0, sizeof(*anywhere), anywhere);
		burn(ns);
		_exit(0);
	}
	return pid < 0 ? -errno : pid;
}

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

/* The kernel may still be taking the dead process out of the group. */
static int remove_group(int parent_fd, const char *name)
{
	for (int tries = 0; tries < 1000; tries++) {
		if (!unlinkat(parent_fd, name, AT_REMOVEDIR))
			return 0;
		if (errno != EBUSY)
			break;
		pause_us(200);
	}
	return -errno;
}

static int group_once(int parent_fd, uint64_t ns, const cpu_set_t *anywhere)
{
	char name[NAME_HEX + 1];
	uint64_t cpu_ns = 0;
	int r, removed;

	for (int i = 0; i < NAME_HEX; i += 16)
		snprintf(name + i, 17, "%016" PRIx64, random_u64());
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
