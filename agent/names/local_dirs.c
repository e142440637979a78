/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "names/local_state.h"
#include "names/rootfs.h"
#include "platform/host.h"
#include "platform/scope.h"

#define RESCAN_NS UINT64_C(1000000000) /* after a scan for which there was no memory or no fd */

/* In the order that they are scanned in: links first, for a full table prefers their pods. */
static const char *const places[_PLACE_MAX] = {
	[PLACE_CONTAINERS] = LOG_CONTAINERS,
	[PLACE_PODS] = LOG_PODS,
};

static void report_place(struct local *local, size_t place, int error)
{
	if (!health_changed(&local->place_health[place], error))
		return;
	if (error)
		log_warn("local: cannot read '/%s': %s (%s)", places[place],
			 strerrordesc_np(-error), local_remedy(error));
	else
		log_info("local: reading '/%s' again", places[place]);
}

static int open_place(struct local *local, size_t place)
{
	if (local->dirs[place] < 0)
		local->dirs[place] =
			rootfs_open(local->root_fd, places[place], O_RDONLY | O_DIRECTORY);
	return local->dirs[place];
}

void local_dirs_rest(struct local *local)
{
	for (size_t i = 0; i < _PLACE_MAX; i++) {
		close_fd(&local->dirs[i]);
		local->dirs[i] = -1;
	}
}

int local_dirs_find(struct local *local, const struct log_pod *pod)
{
	int dir_fd = open_place(local, PLACE_PODS);
	char entry[LOG_MAX_NAME + 1];
	struct stat st;

	if (dir_fd < 0)
		return dir_fd;
	if (log_pod_format(pod, entry, sizeof(entry)) < 0)
		return -ENOENT;
	if (fstatat(dir_fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* What is missing now may be there in a moment. */
static bool is_passing(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

static int read_pod(struct local *local, const char *name, bool is_dir)
{
	struct table_pod *pod;
	struct log_pod parsed;
	int r = log_pod_parse(name, &parsed);

	if (r == 0 && !is_dir)
		r = local_dirs_find(local, &parsed);
	if (r == -EINVAL || r == -ENOTDIR)
		local_ignore(local, name, "/" LOG_PODS);
	if (r < 0)
		return r;
	r = local_add_pod(local, &parsed, false, &pod);
	if (r < 0)
		return r;
	pod->has_dir = pod->marked = true;
	return 0;
}

static int read_link(struct local *local, int dir_fd, const char *name)
{
	struct table_container container = { .linked = true };
	char target[LOG_MAX_TARGET];
	struct table_pod *pod;
	struct log_link link;
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target) - 1);
	bool has_dir;
	int r;

	if (len < 0 && errno == ENOENT)
		return 0;
	target[MAX(len, 0)] = '\0';
	if (len < 0 || log_link_parse(name, target, &link) < 0) {
		local_ignore(local, name, "/" LOG_CONTAINERS);
		return 0;
	}
	/* Links outlive their pods; where the directories cannot be read, they are all we have. */
	pod = table_find(&local->table, link.pod.uid);
	r = pod && pod->has_dir ? 0 : local_dirs_find(local, &link.pod);
	if ((r == -ENOENT || r == -ENOTDIR) && local->dirs[PLACE_PODS] >= 0)
		return 0;
	has_dir = r == 0;
	r = local_add_pod(local, &link.pod, true, &pod);
	if (r < 0)
		return r;
	pod->has_dir = pod->has_dir || has_dir;
	pod->was_linked = pod->marked = true;
	if (!link.id[0])
		return 0;
	container.id = link.id;
	container.name = link.container;
	asks_drop(&local->asks, link.id);
	return table_add_container(&local->table, pod, &container);
}

/* 0: all of it was read.  What is only garbage or has no room does not count. */
static int scan_entries(struct local *local, size_t place)
{
	_dir_ DIR *dir = NULL;
	struct dirent *entry;
	int fd, r;

	fd = rootfs_open(local->root_fd, places[place], O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((errno = 0, entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		r = place == PLACE_PODS ? read_pod(local, entry->d_name, entry->d_type == DT_DIR)
					: read_link(local, dirfd(dir), entry->d_name);
		if (is_passing(r))
			return r;
	}
	return -errno;
}

/* Begin to find out who is not there any more. */
static void mark(struct local *local, size_t place)
{
	for (struct table_pod *pod = local->table.all.first; pod; pod = pod->next) {
		pod->marked = false;
		for (size_t i = 0; i < pod->n && place == PLACE_CONTAINERS; i++)
			pod->containers[i].linked = false;
	}
}

static void sweep(struct local *local, size_t place)
{
	struct table_pod *pod, *next;

	for (pod = local->table.all.first; pod; pod = next) {
		bool is_from =
			place == PLACE_PODS ? pod->has_dir : pod->was_linked && !pod->has_dir;

		next = pod->next;
		if (is_from && !pod->marked)
			table_set_gone(&local->table, pod);
	}
}

static void scan_place(struct local *local, size_t place)
{
	int r;

	/* It may not be the one that it was. */
	local_dirs_rest(local);
	mark(local, place);
	r = scan_entries(local, place);
	if (r == 0 || r == -ENOENT || r == -ENOTDIR)
		sweep(local, place);
	if (is_passing(r))
		local->rescan_ns = host_monotonic_ns() + RESCAN_NS;
	report_place(local, place,
		     r < 0 && r != -ENOENT && r != -ENOTDIR ? r : local->watch_error[place]);
}

static void scan(void *ctx, size_t place, int error)
{
	struct local *local = ctx;

	local->watch_error[place] = error;
	scan_place(local, place);
}

void local_dirs_rescan(struct local *local)
{
	for (size_t i = 0; i < _PLACE_MAX; i++)
		scan_place(local, i);
	local_dirs_rest(local);
}

static void drop_pod(struct local *local, const char *name)
{
	struct table_pod *pod;
	struct log_pod parsed;

	if (log_pod_parse(name, &parsed) < 0)
		return;
	pod = table_find(&local->table, parsed.uid);
	if (pod && pod->has_dir && !strcmp(pod->name, parsed.name) &&
	    !strcmp(pod->namespace, parsed.namespace))
		table_set_gone(&local->table, pod);
}

/* The container keeps its name: what it used is still shown. */
static void drop_link(struct local *local, const char *name)
{
	struct table_container *container;
	struct table_pod *pod;
	struct log_link link;

	if (log_name_parse(name, &link) < 0)
		return;
	container = table_find_container(&local->table, link.id, &pod);
	if (!container || strcmp(pod->name, link.pod.name) ||
	    strcmp(pod->namespace, link.pod.namespace))
		return;
	container->linked = false;
	if (!pod->has_dir && !table_pod_is_linked(pod))
		table_set_gone(&local->table, pod);
}

static void entry_changed(void *ctx, size_t place, const char *name, bool is_there)
{
	struct local *local = ctx;
	int r;

	if (name[0] == '.')
		return;
	r = open_place(local, place);
	if (place == PLACE_PODS && is_there)
		r = read_pod(local, name, false);
	else if (place == PLACE_PODS)
		drop_pod(local, name);
	else if (is_there && r >= 0)
		r = read_link(local, r, name);
	else if (!is_there)
		drop_link(local, name);
	if (is_passing(r))
		local->rescan_ns = host_monotonic_ns() + RESCAN_NS;
}

static void events_done(void *ctx)
{
	struct local *local = ctx;

	local_dirs_rest(local);
	local_settle(local);
}

static const struct dirwatch_calls calls = { scan, entry_changed, events_done };

int local_dirs_open(struct local *local, struct loop *loop)
{
	int r;

	for (size_t i = 0; i < _PLACE_MAX; i++)
		local->dirs[i] = -1;
	r = dirwatch_open(loop, local->root_fd, places, _PLACE_MAX, &calls, local, &local->watch);
	local_dirs_rest(local);
	return r;
}

void local_dirs_close(struct local *local)
{
	dirwatch_close(local->watch);
	local->watch = NULL;
}

bool local_dirs_usable(const struct local *local)
{
	for (size_t i = 0; i < _PLACE_MAX; i++) {
		_close_ int fd = rootfs_open(local->root_fd, places[i], O_RDONLY | O_DIRECTORY);

		if (fd >= 0)
			return true;
	}
	return false;
}
