/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rootfs: the host's files below a directory fd.  Links on the way are followed as if that
 * directory were the root, so that none leads out of the tree.
 */
#ifndef PODJOULE_ROOTFS_H
#define PODJOULE_ROOTFS_H

#include <stddef.h>

/* An fd of the caller's, or -errno.  O_CLOEXEC and O_NONBLOCK come by themselves. */
int rootfs_open(int root_fd, const char *path, int flags);
/* The same where openat2() is not to be had: it follows no link at all (-ELOOP, -ENOTDIR). */
int rootfs_walk(int root_fd, const char *path, int flags);
/* A whole regular file as text with a NUL behind it, the caller's to free.  -EFBIG beyond max
 * bytes, -EINVAL when it is no file. */
int rootfs_read(int root_fd, const char *path, size_t max, char **ret, size_t *ret_len);

#endif
