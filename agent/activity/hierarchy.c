/* SPDX-License-Identifier: Apache-2.0 */
/* Hierarchy: which cgroup tree owns tasks, and every directory in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "activity/activity.h"
#include "activity/proctext.h"
#include "platform/log.h"
#include "platform/parse.h"
#include "platform/scope.h"

/* What is mounted below host->cgroup_fd. */
struct mounts {
	bool unified, v1;
	char unified_dir[96];
	char wanted[96], cpuacct[96], cpu[96]; /* directory of the v1 controller, "" when absent */
	char list[512];                        /* names, for the error line */
};

static bool has_file(int dir_fd, const char *dir, const char *file)
{
	char path[300];

	snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", file);
	return faccessat(dir_fd, path, F_OK, 0) == 0;
}

static void note_controller(char ret[96], const char *dir, const char *controller)
{
	/* A directory of its own beats a link or a combined one, but any will do. */
	if (proctext_in_list(dir, strlen(dir), controller) &&
	    (!*ret || strcmp(dir, controller) == 0))
		memcpy(ret, dir, strlen(dir) + 1); /* note_dir() has seen that it fits */
}

static void note_dir(int fd, const char *dir, const char *wanted, struct mounts *mounts)
{
	size_t len = strlen(mounts->list);

	if (strlen(dir) >= sizeof(mounts->wanted))
		return;
	if (has_file(fd, dir, "cgroup.controllers")) {
		mounts->unified = true;
		memcpy(mounts->unified_dir, dir, strlen(dir) + 1);
		dir = "unified";
	} else if (has_file(fd, dir, "cgroup.procs")) {
		mounts->v1 = true;
		note_controller(mounts->cpuacct, dir, "cpuacct");
		note_controller(mounts->cpu, dir, "cpu");
		if (wanted)
			note_controller(mounts->wanted, dir, wanted);
	} else {
		return;
	}
	snprintf(mounts->list + len, sizeof(mounts->list) - len, "%s%s", len ? ", " : "", dir);
}

static int read_mounts(const struct host *host, const char *wanted, struct mounts *ret)
{
	_close_ int fd = -1;
	_dir_ DIR *dir = NULL;
	struct dirent *entry;

	*ret = (struct mounts){ 0 };
	if (host->cgroup_fd < 0)
		return 0;
	if (has_file(host->cgroup_fd, "", "cgroup.controllers")) {
		ret->unified = true;
		snprintf(ret->list, sizeof(ret->list), "unified");
		return 0;
	}
	fd = openat(host->cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return log_errno(-errno, "hierarchy: cannot open the cgroup mounts");
	dir = fdopendir(fd);
	if (!dir)
		return log_errno(-errno, "hierarchy: cannot list the cgroup mounts");
	TAKE_FD(fd);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			note_dir(host->cgroup_fd, entry->d_name, wanted, ret);
	}
	return 0;
}

/* The hierarchy id of a v1 controller: column 2 of /proc/cgroups; named ones are in
 * /proc/self/cgroup alone.  0 when neither tells. */
static int read_id(const struct host *host, const char *controller)
{
	char text[8192], name[64];
	int id = 0;

	if (host->proc_fd < 0)
		return 0;
	if (host_read(host->proc_fd, "cgroups", text, sizeof(text)) > 0) {
		for (const char *line = text; *line;) {
			size_t len = strcspn(line, "\n"), word = strcspn(line, "\t ");
			char number[24];
			uint64_t value;

			if (word == strlen(controller) && memcmp(line, controller, word) == 0) {
				const char *p = line + word + strspn(line + word, "\t ");

				snprintf(number, sizeof(number), "%.*s",
					 (int)MIN(strcspn(p, "\t \n"), sizeof(number) - 1), p);
				if (parse_u64(number, &value) == 0 && value && value <= INT32_MAX)
					return (int)value;
			}
			line += len + (line[len] == '\n');
		}
	}
	if (host_read(host->proc_fd, "self/cgroup", text, sizeof(text)) <= 0)
		return 0;
	snprintf(name, sizeof(name), "name=%s", controller);
	if (proctext_cgroup_id(text, controller, &id) < 0 &&
	    proctext_cgroup_id(text, name, &id) < 0)
		return 0;
	return id;
}

static int refuse(const char *wanted, const struct mounts *mounts)
{
	log_error("hierarchy: '%s' is not mounted (mounted here: %s)", wanted,
		  *mounts->list ? mounts->list : "none");
	return -EINVAL;
}

int hierarchy_find(const struct host *host, const char *wanted, struct hierarchy *ret)
{
	struct hierarchy found = { .mode = "v1" };
	struct mounts mounts;
	const char *name, *dir;
	int r;

	r = read_mounts(host, wanted, &mounts);
	if (r < 0)
		return r;
	if (mounts.unified)
		found.mode = mounts.v1 ? "hybrid" : "v2";

	if (wanted && strcmp(wanted, "unified") != 0) {
		if (!*mounts.wanted || strlen(wanted) >= sizeof(found.name))
			return refuse(wanted, &mounts);
		name = wanted;
		dir = mounts.wanted;
	} else if (!wanted && *mounts.cpuacct) {
		name = "cpuacct";
		dir = mounts.cpuacct;
	} else if (!wanted && *mounts.cpu) {
		name = "cpu";
		dir = mounts.cpu;
	} else if (mounts.unified) {
		name = "unified";
		dir = mounts.unified_dir;
		found.unified = true;
	} else {
		return wanted ? refuse(wanted, &mounts) : -ENODEV;
	}
	snprintf(found.name, sizeof(found.name), "%s", name);
	snprintf(found.dir, sizeof(found.dir), "%s", dir);
	if (!found.unified)
		found.id = read_id(host, found.name);
	*ret = found;
	return 0;
}

/*
 * The walk allocates nothing (it runs in ticks): directories are read with getdents64 into frames
 * on the stack.  What lies deeper, or has a longer path than the kernel can open by name, is left
 * to its ancestor, whose totals include it.
 */
#define WALK_DEPTH    64
#define WALK_PATH_MAX (4096 - 256) /* leaves room to open a file in it by path */

struct frame {
	int fd;
	size_t path_len;
	ssize_t len, pos;
	char dents[1024] __attribute__((aligned(8)));
};

struct walk {
	void (*each)(void *ctx, uint64_t cgroup_id, const char *path);
	void *ctx;
	dev_t dev;
	int depth; /* frames in use */
	char path[WALK_PATH_MAX];
	struct frame frames[WALK_DEPTH];
};

/* Errors of one directory that do not make the walk a failure: it went, or is not ours. */
static bool is_passing(int error)
{
	return error == ENOENT || error == ENODEV || error == ENOTDIR || error == ELOOP ||
	       error == EACCES || error == EPERM;
}

static int enter(struct walk *walk, int parent_fd, const char *name, size_t path_len)
{
	size_t name_len = strlen(name);
	_close_ int fd = -1;
	struct frame *frame;
	struct stat st;

	if (walk->depth == WALK_DEPTH || path_len + 1 + name_len >= sizeof(walk->path))
		return 0;
	/* The root alone may be a link: "cpuacct" is one to "cpu,cpuacct" on many hosts. */
	fd = openat(parent_fd, name,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | (walk->depth ? O_NOFOLLOW : 0));
	if (fd < 0)
		return is_passing(errno) && walk->depth ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return is_passing(errno) ? 0 : -errno;
	if (walk->depth == 0) {
		walk->dev = st.st_dev;
		walk->each(walk->ctx, st.st_ino, "/");
	} else {
		if (st.st_dev != walk->dev)
			return 0; /* something else is mounted there */
		walk->path[path_len] = '/';
		memcpy(walk->path + path_len + 1, name, name_len + 1);
		path_len += 1 + name_len;
		walk->each(walk->ctx, st.st_ino, walk->path);
	}
	frame = &walk->frames[walk->depth++];
	frame->fd = TAKE_FD(fd);
	frame->path_len = path_len;
	frame->len = frame->pos = 0;
	return 0;
}

/* The next subdirectory of the innermost frame, or NULL when it has been read to its end. */
static const char *next_child(struct frame *frame)
{
	for (;;) {
		struct dirent64 *entry;

		if (frame->pos >= frame->len) {
			frame->len = getdents64(frame->fd, frame->dents, sizeof(frame->dents));
			frame->pos = 0;
			if (frame->len <= 0)
				return NULL; /* the end, or removed meanwhile */
		}
		entry = (struct dirent64 *)(void *)(frame->dents + frame->pos);
		frame->pos += entry->d_reclen;
		if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
			continue;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return entry->d_name;
	}
}

int hierarchy_walk(const struct host *host, const struct hierarchy *hierarchy,
		   void (*each)(void *ctx, uint64_t cgroup_id, const char *path), void *ctx)
{
	struct walk walk; /* 70 KiB of which only the depth in use is touched: not zeroed */
	int r;

	walk.each = each;
	walk.ctx = ctx;
	walk.depth = 0;
	r = enter(&walk, host->cgroup_fd, *hierarchy->dir ? hierarchy->dir : ".", 0);
	while (walk.depth > 0) {
		struct frame *frame = &walk.frames[walk.depth - 1];
		const char *name = r < 0 ? NULL : next_child(frame);

		if (name) {
			r = enter(&walk, frame->fd, name, frame->path_len);
		} else {
			close(frame->fd);
			walk.depth--;
		}
	}
	return r;
}
