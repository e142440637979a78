/* SPDX-License-Identifier: Apache-2.0 */
/* Local tree: a node's root directory that is ours, in a temporary directory. */
#ifndef PODJOULE_LOCAL_TREE_H
#define PODJOULE_LOCAL_TREE_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "no_leaks.h"
#include "platform/scope.h"

static char node_root[32];
static int node_fd = -1;

_printf_(3, 4)
static inline void node_path(char *ret, size_t size, const char *format, ...)
{
	size_t len = (size_t)snprintf(ret, size, "%s/", node_root);
	va_list args;

	va_start(args, format);
	vsnprintf(ret + len, size - len, format, args);
	va_end(args);
}

/* With all directories on the way. */
static inline void node_mkdirs(char *path)
{
	for (char *slash = path + strlen(node_root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

_printf_(1, 2)
static inline void node_mkdir(const char *format, ...)
{
	char path[1024];
	va_list args;
	size_t len = (size_t)snprintf(path, sizeof(path), "%s/", node_root);

	va_start(args, format);
	vsnprintf(path + len, sizeof(path) - len, format, args);
	va_end(args);
	node_mkdirs(path);
	cr_assert(zero(int, mkdir(path, 0755)), "%s", path);
}

_printf_(2, 3)
static inline void node_put(const char *text, const char *format, ...)
{
	char path[1024];
	va_list args;
	size_t len = (size_t)snprintf(path, sizeof(path), "%s/", node_root);
	FILE *file;

	va_start(args, format);
	vsnprintf(path + len, sizeof(path) - len, format, args);
	va_end(args);
	node_mkdirs(path);
	file = fopen(path, "w");
	cr_assert(file != NULL, "%s", path);
	fputs(text, file);
	fclose(file);
}

static inline void node_link(const char *target, const char *name)
{
	char path[1024];

	node_path(path, sizeof(path), "%s", name);
	node_mkdirs(path);
	cr_assert(zero(int, symlink(target, path)), "%s", path);
}

static inline int node_remove_one(const char *path, _unused_ const struct stat *st,
				  _unused_ int flag, struct FTW *ftw)
{
	return ftw->level ? remove(path) : 0;
}

/* Everything below it; itself only when there is a name. */
static inline void node_remove(const char *name)
{
	char path[1024];

	node_path(path, sizeof(path), "%s", name);
	nftw(path, node_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (*name)
		remove(path);
}

static inline void node_clear(void)
{
	node_remove("");
}

static inline void node_setup(void)
{
	snprintf(node_root, sizeof(node_root), "/tmp/node-XXXXXX");
	cr_assert(mkdtemp(node_root) != NULL);
	node_fd = open(node_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(ge(int, node_fd, 0));
}

static inline void node_teardown(void)
{
	node_clear();
	rmdir(node_root);
	close(node_fd);
	no_leaks();
}

#endif
