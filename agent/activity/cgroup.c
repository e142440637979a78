/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup: CPU time from the cgroup file system, where BPF cannot be had.
 *
 * v2 cpu.stat and v1 cpuacct.usage are totals that include descendants; tree.c makes them
 * exclusive.  Limits of this tier: kernel threads cannot be told from other tasks of the root
 * cgroup; what a cgroup used between our last look and its end goes to its parent; v2 has no split
 * by CPU, so time is shared out to packages as /proc/stat saw them busy, and its root is what
 * /proc/stat knows less what others used; nobody counts context switches.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>

#include "activity/activity.h"
#include "activity/cputime.h"
#include "activity/idmap.h"
#include "activity/proctext.h"
#include "activity/roster.h"
#include "activity/tree.h"
#include "platform/log.h"
#include "platform/parse.h"
#include "platform/scope.h"

#define SCAN_BLIND_NS  1000000000u  /* between scans when nothing tells of new directories */
#define SCAN_TOLD_NS   10000000000u /* with inotify: only to be sure */
#define SCAN_SHARE     20           /* scans use at most this part of one CPU: 5 % */
#define SPARE_FDS      256          /* left for everything else in the process */
#define GROUPS_PER_ROW 16           /* more cgroups than this are left to their parents */

struct cgroup_source {
	struct activity_source base;
	const struct host *host;
	const struct topology *topology;
	struct activity_sink sink;
	struct hierarchy hierarchy;
	struct cputime time;
	struct roster roster;
	struct tree tree;
	struct idmap groups; /* cgroup id to struct group */
	size_t max_groups;

	uint64_t now_ns;    /* of the running collect */
	uint32_t scan;      /* number of the running or last scan */
	struct group *near; /* of the running scan: the last directory */
	uint64_t scanned_ns, scan_cost_ns;
	int notify_fd; /* inotify, -1: blind */
	bool told;     /* a directory was made since the last scan */

	size_t fds, max_fds; /* usage files that are kept open */
	char *text;
	size_t size;
	struct health health, walk_health;
};

static struct cgroup_source *self_of(struct activity_source *source)
{
	return container_of(source, struct cgroup_source, base);
}

static bool is_root(const struct group *group)
{
	return group->path[1] == '\0';
}

/* "DIR/PATH/FILE" below cgroup_fd, without the parts that are empty. */
static int path_below(const struct cgroup_source *self, const char *path, const char *file,
		      char *ret, size_t size)
{
	const char *dir = self->hierarchy.dir, *rel = path + 1;
	int n = snprintf(ret, size, "%s%s%s%s%s", *dir ? dir : ".", *rel ? "/" : "", rel,
			 *file ? "/" : "", file);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int open_usage(const struct cgroup_source *self, const char *path)
{
	const char *file = self->tree.n_parts > 1 ? "cpuacct.usage_percpu" : "cpuacct.usage";
	char below[4096];
	int r, fd;

	if (self->hierarchy.unified)
		file = "cpu.stat";
	r = path_below(self, path, file, below, sizeof(below));
	if (r < 0)
		return r;
	fd = openat(self->host->cgroup_fd, below, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct by_package {
	const struct cgroup_source *self;
	uint64_t parts[HOST_MAX_PACKAGES];
};

static void add_cpu(void *ctx, unsigned int cpu, uint64_t ns)
{
	struct by_package *by = ctx;
	const struct topology *topology = by->self->topology;
	unsigned int package = cpu < topology->n_cpus ? topology->package_of[cpu] : 0;

	by->parts[package < by->self->tree.n_parts ? package : 0] += ns;
}

/* -EINVAL for any text that is not what the kernel writes: a file that is there is not gone. */
static int parse_usage(const struct cgroup_source *self, struct by_package *ret)
{
	uint64_t usec;
	int r;

	if (self->hierarchy.unified) {
		r = parse_flat_keyed(self->text, "usage_usec", &usec);
		if (r == 0 && __builtin_mul_overflow(usec, 1000, &ret->parts[0]))
			r = -ERANGE;
	} else if (self->tree.n_parts > 1) {
		r = proctext_percpu(self->text, add_cpu, ret);
	} else {
		r = parse_u64(self->text, &ret->parts[0]);
	}
	return r < 0 ? -EINVAL : 0;
}

/* Bring a group's totals up to now.  -ENODEV or -ENOENT: it is gone. */
static int read_group(struct cgroup_source *self, struct group *group)
{
	struct by_package by = { .self = self };
	_close_ int once = -1;
	int fd = group->fd, r;
	ssize_t n;

	/* The root's own cpu.stat is /proc/stat again, with steal mixed in, and only since 5.8. */
	if (self->hierarchy.unified && is_root(group)) {
		group->part[0].total = self->time.boot_task_ns + self->time.task_ns;
		return 0;
	}
	if (fd < 0)
		fd = once = open_usage(self, group->path);
	if (fd < 0)
		return fd;
	n = host_pread(fd, self->text, self->size);
	if (n < 0)
		return (int)n;
	r = parse_usage(self, &by);
	for (unsigned int p = 0; r == 0 && p < self->tree.n_parts; p++)
		group->part[p].total = MAX(group->part[p].total, by.parts[p]);
	return r;
}

static void read_groups(struct cgroup_source *self)
{
	int error = 0;

	for (size_t i = 0; i < self->tree.n; i++) {
		struct group *group = self->tree.groups[i];
		int r = group->dead ? 0 : read_group(self, group);

		if (r == 0)
			continue;
		if ((r == -ENODEV || r == -ENOENT) && !is_root(group))
			group->dead = true;
		else
			error = r; /* its last total stands until it can be read again */
	}
	if (!health_changed(&self->health, error))
		return;
	if (error)
		log_warn("cgroup: cannot read the usage of some cgroups: %s", strerror(-error));
	else
		log_info("cgroup: the usage of all cgroups can be read again");
}

/* Before its children are listed, so that none can be made unseen. */
static void watch(struct cgroup_source *self, const char *path)
{
	char rel[4096 - 64], below[4096];

	if (self->notify_fd < 0 || path_below(self, path, "", rel, sizeof(rel)) < 0)
		return;
	snprintf(below, sizeof(below), "/proc/self/fd/%d/%s", self->host->cgroup_fd, rel);
	if (inotify_add_watch(self->notify_fd, below, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) >= 0 ||
	    errno == ENOENT)
		return;
	log_info("cgroup: cannot watch '%s': %s (looking for new cgroups once a second instead)",
		 path, strerror(errno));
	close(TAKE_FD(self->notify_fd));
}

/* Is there reason to look for new directories? */
static bool scan_is_due(struct cgroup_source *self, uint64_t now_ns)
{
	uint64_t past_ns = now_ns - self->scanned_ns;
	char events[4096] __attribute__((aligned(8)));
	ssize_t n;

	while (self->notify_fd >= 0 && (n = read(self->notify_fd, events, sizeof(events))) > 0) {
		for (ssize_t at = 0; at < n;) {
			struct inotify_event *event = (void *)(events + at);

			/* IN_IGNORED comes when a directory goes; its file tells that as well. */
			self->told |= !!(event->mask & (IN_CREATE | IN_MOVED_TO | IN_Q_OVERFLOW));
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	if (self->told)
		return past_ns >= SCAN_SHARE * self->scan_cost_ns;
	return past_ns >= (self->notify_fd >= 0 ? SCAN_TOLD_NS : SCAN_BLIND_NS);
}

static void found_new(struct cgroup_source *self, uint64_t id, const char *path)
{
	struct group *parent = tree_parent_of(self->near, path), *group;
	int fd = -1;

	if (self->tree.n >= self->max_groups) {
		self->base.activity.lost_events++;
		return;
	}
	if (self->fds < self->max_fds && !(self->hierarchy.unified && path[1] == '\0')) {
		fd = open_usage(self, path);
		if (fd == -ENOENT || fd == -ENODEV)
			return; /* gone already; what it used is its parent's */
	}
	watch(self, path);
	group = tree_add(&self->tree, parent, id, path);
	if (!group || idmap_put(&self->groups, id, group) < 0) {
		self->base.activity.lost_events++;
		close_fd(&fd);
		if (group)
			group->dead = true; /* it leaves with the next settle */
		return;
	}
	group->fd = fd;
	group->seen = self->scan;
	group->row = roster_take(&self->roster, id, self->now_ns);
	self->fds += fd >= 0;
	self->near = group;
	if (self->sink.born)
		self->sink.born(self->sink.ctx, id, path, self->now_ns);
}

static void found(void *ctx, uint64_t id, const char *path)
{
	struct cgroup_source *self = ctx;
	struct group *group = idmap_get(&self->groups, id);

	if (!group) {
		found_new(self, id, path);
		return;
	}
	group->seen = self->scan;
	if (group->row == OWNER_OVERFLOW) /* perhaps somebody made room */
		group->row = roster_take(&self->roster, id, self->now_ns);
	self->near = group;
}

static int scan(struct cgroup_source *self)
{
	int r;

	self->scan++;
	self->told = false;
	self->near = NULL;
	self->scanned_ns = self->host->now_ns();
	r = hierarchy_walk(self->host, &self->hierarchy, found, self);
	self->scan_cost_ns = self->host->now_ns() - self->scanned_ns;
	/* A walk that broke off (no fd left) proves nothing about what it did not see. */
	for (size_t i = 0; r == 0 && i < self->tree.n; i++)
		self->tree.groups[i]->dead |= self->tree.groups[i]->seen != self->scan;
	return r;
}

static void settled(void *ctx, struct group *group, const uint64_t *booked_ns)
{
	struct cgroup_source *self = ctx;

	if (booked_ns && self->tree.n_parts == self->base.activity.n_packages) {
		roster_book(&self->roster, group->row, booked_ns);
	} else if (booked_ns) {
		roster_book_spread(&self->roster, group->row, booked_ns[0],
				   self->time.package_delta_ns);
	} else {
		if (group->fd >= 0) {
			close(TAKE_FD(group->fd));
			self->fds--;
		}
		roster_give(&self->roster, group->row, self->now_ns);
		if (idmap_get(&self->groups, group->id) != group)
			return; /* never announced */
		idmap_remove(&self->groups, group->id);
		if (self->sink.gone)
			self->sink.gone(self->sink.ctx, group->id, self->now_ns);
	}
}

/*
 * Interrupt time where the kernel keeps it apart (IRQ_TIME_ACCOUNTING): tasks' clocks then run
 * short of what /proc/stat saw busy.  v2's root has been freed of it, so there all of it counts.
 */
static uint64_t irq_apart_ns(const struct cgroup_source *self)
{
	const struct activity *activity = &self->base.activity;
	uint64_t seen = self->time.task_ns + self->time.irq_ns, booked = 0;

	if (self->hierarchy.unified)
		return self->time.irq_ns;
	for (unsigned int p = 0; p < activity->n_packages; p++)
		booked += activity->package_busy_ns[p];
	booked -= activity->rows[OWNER_IRQ].usage.busy_ns;
	return seen > booked ? MIN(seen - booked, self->time.irq_ns) : 0;
}

static int collect(struct activity_source *source)
{
	struct cgroup_source *self = self_of(source);
	int r;

	self->now_ns = self->host->now_ns();
	if (scan_is_due(self, self->now_ns)) {
		r = scan(self);
		if (health_changed(&self->walk_health, r))
			log_warn("cgroup: hierarchy '%s' can %s", source->hierarchy,
				 r ? "not be listed to its end; new cgroups stay with their parents"
				   : "be listed again");
	}
	r = cputime_update(&self->time);
	if (r < 0)
		return r;
	roster_begin(&self->roster);
	read_groups(self);
	tree_settle(&self->tree, settled, self);
	cputime_settle(&self->time, &self->roster, self->host->now_ns(), irq_apart_ns(self), 0);
	return 0;
}

static int pollfd(_unused_ struct activity_source *source)
{
	return -1;
}

static void close_source(struct activity_source *source)
{
	struct cgroup_source *self;

	if (!source)
		return;
	self = self_of(source);
	for (size_t i = 0; i < self->tree.n; i++)
		close_fd(&self->tree.groups[i]->fd);
	tree_free(&self->tree);
	idmap_free(&self->groups);
	roster_close(&self->roster);
	cputime_close(&self->time);
	close_fd(&self->notify_fd);
	activity_free(&source->activity);
	free(self->text);
	free(self);
}

static void free_source(struct cgroup_source **self)
{
	if (*self)
		close_source(&(*self)->base);
}

/* As many files as we may: a kept fd makes a read ten times cheaper than open, read, close. */
static size_t raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return limit.rlim_cur > SPARE_FDS ? limit.rlim_cur - SPARE_FDS : 0;
}

static int alloc_tables(struct cgroup_source *self, const struct activity_config *config)
{
	unsigned int n_packages = config->topology->n_packages;
	_close_ int percpu = -1;
	int r;

	r = activity_alloc(&self->base.activity, config->max_cgroups + _OWNER_FIXED, n_packages);
	if (r == 0)
		r = roster_open(&self->base.activity, &self->roster);
	if (r < 0)
		return r;
	/* A number per CPU in the worst case; the cpu.stat of today has some 400 bytes. */
	self->size = 4096 + (size_t)config->topology->n_cpus * 21;
	self->text = malloc(self->size);
	self->max_groups = (size_t)config->max_cgroups * GROUPS_PER_ROW + 1;
	self->max_fds = raise_fd_limit();
	self->tree.n_parts = n_packages;
	if (!self->hierarchy.unified && n_packages > 1)
		percpu = open_usage(self, "/");
	if (percpu < 0)
		self->tree.n_parts = 1;
	return self->text ? 0 : -ENOMEM;
}

/* Everything that is there before us, at its present total. */
static int take_stock(struct cgroup_source *self)
{
	int r;

	self->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	self->now_ns = self->host->now_ns();
	r = scan(self);
	if (r < 0)
		return r;
	read_groups(self);
	tree_start(&self->tree);
	self->base.activity.t_ns = self->time.t_ns;
	self->base.activity.cpus = self->time.cpus;
	return 0;
}

static int refuse_no_usage(const struct activity_config *config, const struct hierarchy *hierarchy,
			   int error)
{
	if (error == -ENOENT)
		return activity_refuse(config, "cgroup", -ENODEV, "mount cpuacct or cgroup2",
				       "hierarchy '%s' counts no CPU time (no cpuacct.usage)",
				       hierarchy->name);
	return activity_refuse(config, "cgroup", error, "run as root or give CAP_DAC_READ_SEARCH",
			       "cannot read usage of hierarchy '%s': %s", hierarchy->name,
			       strerror(-error));
}

static int open_source(const struct host *host, const struct activity_config *config,
		       struct activity_source **ret)
{
	_cleanup_(free_source) struct cgroup_source *self = calloc(1, sizeof(*self));
	_close_ int usage = -1;
	int r;

	if (!self)
		return -ENOMEM;
	self->base.driver = &activity_cgroup;
	self->host = host;
	self->topology = config->topology;
	self->notify_fd = self->time.fd = -1;
	if (config->sink)
		self->sink = *config->sink;
	r = hierarchy_find(host, config->hierarchy, &self->hierarchy);
	if (r < 0)
		return activity_refuse(config, "cgroup", r, "mount cgroup2 at /sys/fs/cgroup",
				       "cgroup hierarchy '%s' is not mounted",
				       config->hierarchy ? config->hierarchy : "unified");
	self->base.hierarchy = self->hierarchy.name;
	r = cputime_open(host, config->topology, &self->time);
	if (r < 0)
		return activity_refuse(config, "cgroup", r, "mount /proc",
				       "cannot read 'stat' of /proc: %s", strerror(-r));
	r = alloc_tables(self, config);
	if (r < 0)
		return r;
	if (!self->hierarchy.unified) {
		usage = open_usage(self, "/");
		if (usage < 0)
			return refuse_no_usage(config, &self->hierarchy, usage);
	}
	r = take_stock(self);
	if (r < 0)
		return activity_refuse(config, "cgroup", r, "", "cannot list hierarchy '%s': %s",
				       self->hierarchy.name, strerror(-r));
	*ret = &TAKE_PTR(self)->base;
	return 0;
}

const struct activity_driver activity_cgroup = {
	.name = "cgroup",
	.open = open_source,
	.collect = collect,
	.pollfd = pollfd,
	.close = close_source,
};
