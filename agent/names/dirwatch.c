/* SPDX-License-Identifier: Apache-2.0 */
#include "names/dirwatch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "names/rootfs.h"
#include "platform/scope.h"

#define TRIES   8  /* of catching a directory that appears while we look elsewhere */
#define BATCHES 16 /* read in one go, before others have their turn */

#define SELF    (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)
#define ARRIVED (IN_CREATE | IN_MOVED_TO)
#define LEFT    (IN_DELETE | IN_MOVED_FROM)

struct place {
	const char *path;
	int wd;          /* of the directory, or of its nearest parent; -1: none */
	size_t awaited;  /* where the first component that is missing starts in path */
	bool is_waiting; /* wd is a parent's */
	int error;
};

struct dirwatch {
	struct loop *loop;
	int root_fd, fd; /* fd: -1 while the kernel gives us none */
	const struct dirwatch_calls *calls;
	void *ctx;
	size_t n;
	struct place places[DIRWATCH_MAX_PLACES];
};

static bool is_absent(int error)
{
	return error == -ENOENT || error == -ENOTDIR;
}

/* The first len bytes of a place's path; the root for none. */
static int open_start(struct dirwatch *watch, const struct place *place, size_t len)
{
	char path[PATH_MAX];

	if (len >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, place->path, len);
	path[len] = '\0';
	return rootfs_open(watch->root_fd, len ? path : ".", O_PATH | O_DIRECTORY);
}

/* inotify knows no *at(): the fd's name in /proc is the directory itself, whatever it is called. */
static int add_watch(struct dirwatch *watch, int fd, uint32_t mask)
{
	char path[32];
	int wd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* Two places may wait on one directory, which has one mask. */
	wd = inotify_add_watch(watch->fd, path, mask | IN_MASK_ADD | IN_ONLYDIR);
	return wd < 0 ? -errno : wd;
}

static void detach(struct dirwatch *watch, struct place *place)
{
	int wd = place->wd;

	place->wd = -1;
	for (size_t i = 0; i < watch->n; i++)
		if (watch->places[i].wd == wd)
			return;
	if (wd >= 0)
		inotify_rm_watch(watch->fd, wd);
}

/* Watch the deepest directory of a path that is there. */
static int attach_deepest(struct dirwatch *watch, struct place *place)
{
	size_t len = strlen(place->path), missing = len;

	for (;;) {
		_close_ int fd = open_start(watch, place, len);
		bool is_whole = place->path[len] == '\0';
		int wd;

		if (fd >= 0) {
			wd = add_watch(watch, fd, SELF | ARRIVED | (is_whole ? LEFT : 0));
			if (wd < 0)
				return wd;
			place->wd = wd;
			place->is_waiting = !is_whole;
			place->awaited = missing;
			return 0;
		}
		if (!is_absent(fd) || !len)
			return fd;
		while (len && place->path[len - 1] != '/')
			len--;
		missing = len;
		len -= len > 0;
	}
}

static void attach(struct dirwatch *watch, struct place *place)
{
	detach(watch, place);
	place->error = watch->fd < 0 ? watch->fd : 0;
	for (int i = 0; i < TRIES && !place->error; i++) {
		_close_ int fd = -1;

		place->error = attach_deepest(watch, place);
		if (place->error || !place->is_waiting)
			return;
		/* It may have come before its parent was watched. */
		fd = open_start(watch, place,
				place->awaited + strcspn(place->path + place->awaited, "/"));
		if (fd < 0)
			return;
		detach(watch, place);
	}
	/* It comes and goes faster than we look: the next retry finds it. */
	if (!place->error)
		place->error = -EAGAIN;
}

static bool is_attached(const struct place *place)
{
	return place->wd >= 0 && !place->is_waiting;
}

static void attach_and_scan(struct dirwatch *watch, size_t i)
{
	attach(watch, &watch->places[i]);
	watch->calls->scan(watch->ctx, i, watch->places[i].error);
}

static bool is_awaited(const struct place *place, const char *name)
{
	const char *awaited = place->path + place->awaited;
	size_t len = strcspn(awaited, "/");

	return strlen(name) == len && !memcmp(name, awaited, len);
}

static void handle_at(struct dirwatch *watch, size_t i, const struct inotify_event *event)
{
	struct place *place = &watch->places[i];
	const char *name = event->len ? event->name : "";

	if (event->mask & SELF) {
		attach_and_scan(watch, i);
	} else if (!place->is_waiting) {
		if (*name && event->mask & (ARRIVED | LEFT))
			watch->calls->entry(watch->ctx, i, name, event->mask & ARRIVED);
	} else if (event->mask & ARRIVED && is_awaited(place, name)) {
		attach(watch, place);
		if (is_attached(place) || place->error)
			watch->calls->scan(watch->ctx, i, place->error);
	}
}

static void handle(struct dirwatch *watch, const struct inotify_event *event)
{
	int wd = event->wd;
	bool is_for[DIRWATCH_MAX_PLACES] = { false };

	if (event->mask & IN_Q_OVERFLOW) {
		for (size_t i = 0; i < watch->n; i++)
			attach_and_scan(watch, i);
		return;
	}
	/* Asked first: one that moves on takes the watch of another with the same event. */
	for (size_t i = 0; i < watch->n; i++)
		is_for[i] = watch->places[i].wd >= 0 && watch->places[i].wd == wd;
	for (size_t i = 0; i < watch->n; i++)
		if (is_for[i])
			handle_at(watch, i, event);
}

static void read_events(void *ctx, uint32_t events _unused_)
{
	struct dirwatch *watch = ctx;

	for (int i = 0; i < BATCHES; i++) {
		_Alignas(struct inotify_event) char buf[8192];
		ssize_t len = read(watch->fd, buf, sizeof(buf));

		if (len <= 0)
			break;
		for (ssize_t at = 0; at < len;) {
			const struct inotify_event *event = (void *)(buf + at);

			at += (ssize_t)(sizeof(*event) + event->len);
			handle(watch, event);
		}
	}
	if (watch->calls->done)
		watch->calls->done(watch->ctx);
}

static void open_inotify(struct dirwatch *watch)
{
	int r;

	if (watch->fd >= 0)
		return;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		watch->fd = -errno;
		return;
	}
	r = loop_add(watch->loop, watch->fd, EPOLLIN, read_events, watch);
	if (r < 0) {
		close(watch->fd);
		watch->fd = r;
	}
}

int dirwatch_open(struct loop *loop, int root_fd, const char *const *paths, size_t n,
		  const struct dirwatch_calls *calls, void *ctx, struct dirwatch **ret)
{
	struct dirwatch *watch;

	if (n > DIRWATCH_MAX_PLACES)
		return -EINVAL;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	*watch = (struct dirwatch){
		.loop = loop, .root_fd = root_fd, .fd = -1, .calls = calls, .ctx = ctx, .n = n
	};
	for (size_t i = 0; i < n; i++)
		watch->places[i] = (struct place){ .path = paths[i], .wd = -1 };
	open_inotify(watch);
	for (size_t i = 0; i < n; i++)
		attach_and_scan(watch, i);

	*ret = watch;
	return 0;
}

void dirwatch_retry(struct dirwatch *watch)
{
	open_inotify(watch);
	for (size_t i = 0; i < watch->n; i++) {
		struct place *place = &watch->places[i];

		if (is_attached(place))
			continue;
		attach(watch, place);
		if (is_attached(place) || place->error)
			watch->calls->scan(watch->ctx, i, place->error);
	}
	if (watch->calls->done)
		watch->calls->done(watch->ctx);
}

void dirwatch_close(struct dirwatch *watch)
{
	if (!watch)
		return;
	if (watch->fd >= 0) {
		loop_remove(watch->loop, watch->fd);
		close(watch->fd);
	}
	free(watch);
}
