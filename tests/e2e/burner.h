/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Burner: a child that burns CPU in a cgroup that it was moved to while it stood still.  What a
 * task runs while it is being moved is charged to either group, as the kernel pleases, by up to a
 * tick; so nothing of ours runs then: the child has stopped itself, and it shares the one CPU of
 * its parent, who is running, until it is told to go on.
 */
#ifndef PODJOULE_BURNER_H
#define PODJOULE_BURNER_H

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

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline uint64_t random_u64(void)
{
	static uint64_t state;

	if (!state)
		state = now_ns() ^ (uint64_t)getpid() << 32;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static inline void burn(uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() < end)
		;
}

static inline void pause_us(long us)
{
	const struct timespec pause = { .tv_nsec = us * 1000 };

	nanosleep(&pause, NULL);
}

static inline int write_word(int dir_fd, const char *name, const char *word)
{
	_close_ int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, word, strlen(word)) < 0)
		return -errno;
	return 0;
}

/* CPU time of the cgroup: v1 cpuacct.usage in nanoseconds, v2 cpu.stat in microseconds. */
static inline int read_cpu_ns(int dir_fd, uint64_t *ret)
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
static inline pid_t child_new(uint64_t ns, const cpu_set_t *anywhere)
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

/* The kernel may still be taking the dead process out of the group. */
static inline int remove_group(int parent_fd, const char *name)
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

/* Sixty-four hex digits. */
static inline void random_id(char ret[NAME_HEX + 1])
{
	for (int i = 0; i < NAME_HEX; i += 16)
		snprintf(ret + i, 17, "%016" PRIx64, random_u64());
}

#endif
