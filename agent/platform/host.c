/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#include "platform/log.h"
#include "platform/parse.h"
#include "platform/scope.h"

#define SMALL_READ 2048 /* half a page: far longer than a line of what is polled */

static int open_tree(const char *flag, const char *given, const char *usual, int *ret_fd)
{
	int fd = open(given ? given : usual, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && given)
		return log_errno(-errno, "host: cannot open %s=%s (needs the directory of a mount)",
				 flag, given);

	/* What a bare machine lacks, the sources that need it will say. */
	*ret_fd = fd;
	return 0;
}

/* A container has the host's own /sys at another path: the file system tells, not the flag. */
static bool is_foreign(int fd, const char *given, long magic)
{
	struct statfs fs;

	return given && (fstatfs(fd, &fs) < 0 || fs.f_type != magic);
}

uint64_t host_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int host_open(const char *sysfs, const char *procfs, const char *cgroupfs, struct host *ret)
{
	_close_ int sys_fd = -1, proc_fd = -1, cgroup_fd = -1;
	int r;

	r = open_tree("--sysfs", sysfs, "/sys", &sys_fd);
	if (r < 0)
		return r;
	r = open_tree("--procfs", procfs, "/proc", &proc_fd);
	if (r < 0)
		return r;
	r = open_tree("--cgroupfs", cgroupfs, "/sys/fs/cgroup", &cgroup_fd);
	if (r < 0)
		return r;

	ret->fixture = is_foreign(sys_fd, sysfs, SYSFS_MAGIC) ||
		       is_foreign(proc_fd, procfs, PROC_SUPER_MAGIC);
	ret->sys_fd = TAKE_FD(sys_fd);
	ret->proc_fd = TAKE_FD(proc_fd);
	ret->cgroup_fd = TAKE_FD(cgroup_fd);
	ret->now_ns = host_monotonic_ns;
	return 0;
}

void host_close(struct host *host)
{
	close_fd(&host->sys_fd);
	close_fd(&host->proc_fd);
	close_fd(&host->cgroup_fd);
	host->sys_fd = host->proc_fd = host->cgroup_fd = -1;
}

/*
 * Read from the start until the file ends or the buffer is full.  Kernel files hand out records by
 * the page, so a read that got less than enough bytes was the last one: no second call to hear so.
 */
static ssize_t read_all(int fd, char *buf, size_t size, size_t enough)
{
	size_t len = 0;

	if (!size)
		return -EINVAL;
	while (len < size - 1) {
		ssize_t n = pread(fd, buf + len, size - 1 - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if ((size_t)n <= enough)
			break;
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

ssize_t host_pread(int fd, char *buf, size_t size)
{
	return read_all(fd, buf, size, SMALL_READ);
}

ssize_t host_read(int dir_fd, const char *path, char *buf, size_t size)
{
	_close_ int fd = -1;

	/* openat() would take -1 with an absolute path, and AT_FDCWD means another tree. */
	if (dir_fd < 0)
		return -ENOENT;
	fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	return read_all(fd, buf, size, 0);
}

int host_read_u64(int dir_fd, const char *path, uint64_t *ret)
{
	char text[32];
	ssize_t n = host_read(dir_fd, path, text, sizeof(text));

	return n < 0 ? (int)n : parse_u64(text, ret);
}

int host_read_word(int dir_fd, const char *path, char *buf, size_t size)
{
	ssize_t n = host_read(dir_fd, path, buf, size);

	if (n < 0)
		return (int)n;
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}
