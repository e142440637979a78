/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "platform/log.h"
#include "platform/parse.h"
#include "platform/scope.h"

#define LOCK_FILE "agent.lock"

static int open_file(const char *dir)
{
	_close_ int dir_fd = -1;
	int fd;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	fd = openat(dir_fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

/* The pid that the holder wrote; it writes right after it locked, so wait a moment for it. */
static pid_t read_holder(int fd)
{
	for (int i = 0; i < 20; i++) {
		const struct timespec wait = { .tv_nsec = 5000000 };
		char text[32] = "";
		uint64_t pid;
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		if (n > 0 && parse_u64(text, &pid) == 0 && pid <= INT32_MAX)
			return (pid_t)pid;
		nanosleep(&wait, NULL);
	}
	return 0;
}

static int write_pid(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return -errno;
	return 0;
}

int lock_take(const char *dir, struct node_lock *ret)
{
	/* An OFD lock: not lost when some library closes the file, not inherited by exec. */
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_close_ int fd = -1;
	int r = 0;

	if (!dir)
		dir = LOCK_DIR;
	fd = open_file(dir);
	if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) < 0)
		r = -errno;
	if (fd >= 0 && (r == -EAGAIN || r == -EACCES)) {
		*ret = (struct node_lock){ .fd = -1, .pid = read_holder(fd) };
		return -EBUSY;
	}
	if (fd < 0 || r < 0) {
		log_warn("lock: cannot lock '%s/" LOCK_FILE
			 "': %s (going on; nothing stops a second agent)",
			 dir, strerror(fd < 0 ? -fd : -r));
		*ret = (struct node_lock){ .fd = -1 };
		return 0;
	}
	if (write_pid(fd) < 0)
		log_warn("lock: cannot write our pid into '%s/" LOCK_FILE "'", dir);
	*ret = (struct node_lock){ .fd = TAKE_FD(fd), .pid = getpid() };
	return 0;
}

void lock_release(struct node_lock *lock)
{
	if (!lock || lock->fd < 0)
		return;
	/* The file stays: removing it would let a third one lock a file that nobody can see. */
	if (ftruncate(lock->fd, 0) < 0)
		log_debug("lock: cannot empty the lock file");
	close(TAKE_FD(lock->fd));
	lock->pid = 0;
}
