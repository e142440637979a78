/* SPDX-License-Identifier: Apache-2.0 */
#include "names/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "platform/scope.h"

#define TRIES 8

static int open_in_root(int root_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	/* -EAGAIN: something was renamed while the kernel looked at a "..". */
	for (int i = 0; i < TRIES; i++) {
		long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	return -errno;
}

static int with_defaults(int flags)
{
	/* A FIFO in the place of a file must not hold us up; O_PATH takes no such flags. */
	return flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NONBLOCK | O_NOCTTY);
}

int rootfs_walk(int root_fd, const char *path, int flags)
{
	_close_ int fd = -1;

	while (*path) {
		size_t len = strcspn(path, "/"), slashes = strspn(path + len, "/");
		char name[256];
		int next;

		if (!len || len >= sizeof(name))
			return len ? -ENAMETOOLONG : -EINVAL;
		memcpy(name, path, len);
		name[len] = '\0';
		path += len + slashes;
		if (!strcmp(name, ".."))
			return -EXDEV;
		next = openat(fd < 0 ? root_fd : fd, name,
			      (*path ? O_PATH | O_DIRECTORY | O_CLOEXEC : with_defaults(flags)) |
				      O_NOFOLLOW);
		if (next < 0)
			return -errno;
		close_fd(&fd);
		fd = next;
	}
	return fd < 0 ? -ENOENT : TAKE_FD(fd);
}

int rootfs_open(int root_fd, const char *path, int flags)
{
	int r;

	/* An absolute path with -1 would be somebody else's root. */
	if (root_fd < 0)
		return -EBADF;
	r = open_in_root(root_fd, path, with_defaults(flags));
	/* Linux before 5.6, and system call filters that do not know the call. */
	return r == -ENOSYS || r == -EPERM ? rootfs_walk(root_fd, path, flags) : r;
}

int rootfs_read(int root_fd, const char *path, size_t max, char **ret, size_t *ret_len)
{
	_close_ int fd = rootfs_open(root_fd, path, O_RDONLY);
	_free_ char *text = NULL;
	size_t len = 0, size;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	size = (size_t)st.st_size;
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	/* What was appended behind the size is not waited for: the next look sees it. */
	while (len < size) {
		ssize_t n = read(fd, text + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';

	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}
