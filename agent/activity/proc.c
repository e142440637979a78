/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proc: CPU time of processes from /proc alone, summed by cgroup path: the last resort.
 *
 * A cgroup's id is a hash of its path.  Times have the resolution of the clock tick (10 ms).  What
 * /proc/stat saw busy and no process claims lived too short for us: OWNER_OVERFLOW, so that it
 * shows as unattributed instead of being lost.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "activity/activity.h"
#include "activity/cputime.h"
#include "activity/idmap.h"
#include "activity/proctext.h"
#include "activity/roster.h"
#include "platform/log.h"
#include "platform/scope.h"

#define SCAN_NS        500000000u
#define EMPTY_SCANS    4 /* scans without a process until a cgroup counts as gone */
#define MAX_PROCESSES  131072
#define GROUPS_PER_ROW 16

struct crew { /* the processes of one cgroup */
	uint64_t id;
	uint32_t row;
	uint32_t seen;     /* last scan with a living process in it */
	uint64_t delta_ns; /* found by the running scan */
};

struct process {
	uint64_t pid, start_ticks, ticks;
	uint32_t seen;
	struct crew *crew; /* NULL: a kernel thread, or no room */
	bool kernel_thread;
};

/* Pointers in no order; the last one fills a hole. */
struct herd {
	void **items;
	size_t n, capacity;
};

struct proc_source {
	struct activity_source base;
	const struct host *host;
	struct activity_sink sink;
	const char *controllers[4]; /* lines of /proc/PID/cgroup to look for, best first */
	DIR *dir;
	struct cputime time;
	struct roster roster;
	struct idmap by_pid, by_id;
	struct herd processes, crews;
	size_t max_crews;
	uint64_t now_ns, scanned_ns;
	uint32_t scan;
	bool starting;
	uint64_t kernel_ns, nobody_ns;     /* found by the running scan */
	uint64_t claimed_ns, unclaimed_ns; /* since the start: by processes, by none */
	char text[8192];
};

static struct proc_source *self_of(struct activity_source *source)
{
	return container_of(source, struct proc_source, base);
}

static int herd_add(struct herd *herd, void *item)
{
	if (herd->n == herd->capacity) {
		size_t capacity = herd->capacity ? herd->capacity * 2 : 64;
		void **bigger = realloc(herd->items, capacity * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		herd->items = bigger;
		herd->capacity = capacity;
	}
	herd->items[herd->n++] = item;
	return 0;
}

static void herd_free(struct herd *herd)
{
	for (size_t i = 0; i < herd->n; i++)
		free(herd->items[i]);
	free(herd->items);
	*herd = (struct herd){ 0 };
}

/* FNV-1a; the same path has the same id in every run. */
static uint64_t hash_path(const char *path, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)path[i]) * 0x100000001b3u;
	return hash ? hash : 1;
}

static struct crew *crew_of_path(struct proc_source *self, const char *path, size_t len)
{
	uint64_t id = hash_path(path, len);
	struct crew *known = idmap_get(&self->by_id, id);
	_free_ struct crew *crew = NULL;
	char name[4096];

	if (known)
		return known;
	if (self->crews.n >= self->max_crews)
		return NULL;
	crew = calloc(1, sizeof(*crew));
	if (!crew || herd_add(&self->crews, crew) < 0)
		return NULL;
	if (idmap_put(&self->by_id, id, crew) < 0) {
		self->crews.n--;
		return NULL;
	}
	crew->id = id;
	crew->seen = self->scan;
	crew->row = roster_take(&self->roster, id, self->now_ns);
	snprintf(name, sizeof(name), "%.*s", (int)MIN(len, sizeof(name) - 1), path);
	if (self->sink.born)
		self->sink.born(self->sink.ctx, id, name, self->now_ns);
	return TAKE_PTR(crew);
}

static struct crew *crew_of_pid(struct proc_source *self, const char *pid)
{
	const char *path = "/";
	char file[32];
	size_t len = 1;

	snprintf(file, sizeof(file), "%.16s/cgroup", pid);
	if (host_read(self->host->proc_fd, file, self->text, sizeof(self->text)) > 0) {
		for (size_t i = 0; i < ARRAY_SIZE(self->controllers) && self->controllers[i]; i++) {
			if (proctext_cgroup(self->text, self->controllers[i], &path, &len) == 0)
				break;
		}
	}
	return crew_of_path(self, path, len);
}

static struct process *process_new(struct proc_source *self, uint64_t pid,
				   const struct process_stat *stat)
{
	_free_ struct process *process = NULL;

	if (self->processes.n >= MAX_PROCESSES)
		return NULL;
	process = calloc(1, sizeof(*process));
	if (!process || herd_add(&self->processes, process) < 0)
		return NULL;
	if (idmap_put(&self->by_pid, pid, process) < 0) {
		self->processes.n--;
		return NULL;
	}
	process->pid = pid;
	process->start_ticks = stat->start_ticks;
	return TAKE_PTR(process);
}

static void book_process(struct proc_source *self, struct process *process, uint64_t ns)
{
	self->claimed_ns += ns;
	if (process->kernel_thread)
		self->kernel_ns += ns;
	else if (process->crew)
		process->crew->delta_ns += ns;
	else
		self->nobody_ns += ns;
}

static void visit(struct proc_source *self, const char *name, uint64_t pid)
{
	struct process *process = idmap_get(&self->by_pid, pid);
	struct process_stat stat;
	bool fresh = !process;
	char file[32];

	snprintf(file, sizeof(file), "%.16s/stat", name);
	if (host_read(self->host->proc_fd, file, self->text, sizeof(self->text)) < 0 ||
	    proctext_process(self->text, &stat) < 0)
		return; /* it ended; what it used since the last scan nobody claims */
	if (fresh)
		process = process_new(self, pid, &stat);
	if (!process) {
		self->base.activity.lost_events++;
		return;
	}
	if (process->start_ticks != stat.start_ticks) { /* the pid has a new owner */
		*process = (struct process){ .pid = pid, .start_ticks = stat.start_ticks };
		fresh = true;
	}
	if (fresh && self->starting)
		process->ticks = stat.ticks;
	process->kernel_thread = stat.kernel_thread;
	/* One that sleeps has not moved to another cgroup on its own; ask only for those that ran.
	 */
	if (!stat.kernel_thread && (fresh || stat.ticks != process->ticks))
		process->crew = crew_of_pid(self, name);
	if (stat.ticks > process->ticks) {
		book_process(self, process, (stat.ticks - process->ticks) * self->time.tick_ns);
		process->ticks = stat.ticks;
	}
	process->seen = self->scan;
	if (process->crew)
		process->crew->seen = self->scan;
}

static void forget_dead(struct proc_source *self)
{
	for (size_t i = self->processes.n; i-- > 0;) {
		struct process *process = self->processes.items[i];

		if (process->seen == self->scan)
			continue;
		idmap_remove(&self->by_pid, process->pid);
		self->processes.items[i] = self->processes.items[--self->processes.n];
		free(process);
	}
	for (size_t i = self->crews.n; i-- > 0;) {
		struct crew *crew = self->crews.items[i];

		if (self->scan - crew->seen < EMPTY_SCANS || crew->delta_ns)
			continue;
		roster_give(&self->roster, crew->row, self->now_ns);
		idmap_remove(&self->by_id, crew->id);
		self->crews.items[i] = self->crews.items[--self->crews.n];
		if (self->sink.gone)
			self->sink.gone(self->sink.ctx, crew->id, self->now_ns);
		free(crew);
	}
}

static void scan(struct proc_source *self)
{
	struct dirent *entry;

	self->scan++;
	self->scanned_ns = self->now_ns;
	rewinddir(self->dir);
	while ((entry = readdir(self->dir))) {
		uint64_t pid = 0;
		const char *p = entry->d_name;

		for (; *p >= '0' && *p <= '9' && pid < UINT32_MAX; p++)
			pid = pid * 10 + (uint64_t)(*p - '0');
		if (!*p && pid)
			visit(self, entry->d_name, pid);
	}
}

static void book_scan(struct proc_source *self)
{
	const uint64_t *share = self->time.package_delta_ns;
	uint64_t known_ns;

	for (size_t i = 0; i < self->crews.n; i++) {
		struct crew *crew = self->crews.items[i];

		if (crew->row == OWNER_OVERFLOW && crew->seen == self->scan)
			crew->row = roster_take(&self->roster, crew->id, self->now_ns);
		roster_book_spread(&self->roster, crew->row, crew->delta_ns, share);
		crew->delta_ns = 0;
	}
	roster_book_spread(&self->roster, OWNER_KERNEL, self->kernel_ns, share);
	roster_book_spread(&self->roster, OWNER_OVERFLOW, self->nobody_ns, share);
	self->kernel_ns = self->nobody_ns = 0;

	known_ns = self->claimed_ns + self->unclaimed_ns;
	if (self->time.task_ns > known_ns) {
		uint64_t ns = self->time.task_ns - known_ns;

		self->unclaimed_ns += ns;
		roster_book_spread(&self->roster, OWNER_OVERFLOW, ns, share);
	}
}

static int collect(struct activity_source *source)
{
	struct proc_source *self = self_of(source);
	uint64_t known_ns;
	int r;

	self->now_ns = self->host->now_ns();
	/* Before the processes: what they use meanwhile must not look like nobody's. */
	r = cputime_update(&self->time);
	if (r < 0)
		return r;
	roster_begin(&self->roster);
	if (self->now_ns - self->scanned_ns >= SCAN_NS) {
		scan(self);
		book_scan(self);
		forget_dead(self);
	}
	known_ns = self->claimed_ns + self->unclaimed_ns;
	cputime_settle(&self->time, &self->roster, self->host->now_ns(), self->time.irq_ns,
		       self->time.task_ns > known_ns ? self->time.task_ns - known_ns : 0);
	return 0;
}

static int pollfd(_unused_ struct activity_source *source)
{
	return -1;
}

static void close_source(struct activity_source *source)
{
	struct proc_source *self;

	if (!source)
		return;
	self = self_of(source);
	herd_free(&self->processes);
	herd_free(&self->crews);
	idmap_free(&self->by_pid);
	idmap_free(&self->by_id);
	roster_close(&self->roster);
	cputime_close(&self->time);
	close_dir(&self->dir);
	activity_free(&source->activity);
	free(self);
}

static void free_source(struct proc_source **self)
{
	if (*self)
		close_source(&(*self)->base);
}

static int open_dir(const struct host *host, DIR **ret)
{
	_close_ int fd = openat(host->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret = fdopendir(fd);
	if (!*ret)
		return -errno;
	TAKE_FD(fd);
	return 0;
}

static void choose_lines(struct proc_source *self, const char *hierarchy)
{
	size_t n = 0;

	if (hierarchy) {
		self->controllers[n++] = strcmp(hierarchy, "unified") == 0 ? "" : hierarchy;
		return;
	}
	self->controllers[n++] = "cpuacct";
	self->controllers[n++] = "cpu";
	self->controllers[n++] = "";
}

static int open_source(const struct host *host, const struct activity_config *config,
		       struct activity_source **ret)
{
	_cleanup_(free_source) struct proc_source *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return -ENOMEM;
	self->base.driver = &activity_proc;
	self->base.hierarchy = "";
	self->host = host;
	self->time.fd = -1;
	self->max_crews = (size_t)config->max_cgroups * GROUPS_PER_ROW + 1;
	if (config->sink)
		self->sink = *config->sink;
	choose_lines(self, config->hierarchy);
	r = cputime_open(host, config->topology, &self->time);
	if (r == 0)
		r = open_dir(host, &self->dir);
	if (r < 0)
		return activity_refuse(config, "proc", r, "mount /proc", "cannot read /proc: %s",
				       strerror(-r));
	r = activity_alloc(&self->base.activity, config->max_cgroups + _OWNER_FIXED,
			   config->topology->n_packages);
	if (r == 0)
		r = roster_open(&self->base.activity, &self->roster);
	if (r < 0)
		return r;
	self->now_ns = host->now_ns();
	self->starting = true;
	scan(self);
	self->starting = false;
	if (self->processes.n == 0)
		return activity_refuse(config, "proc", -ENODEV, "mount /proc of the host",
				       "no process is visible in /proc");
	self->base.activity.t_ns = self->time.t_ns;
	self->base.activity.cpus = self->time.cpus;
	*ret = &TAKE_PTR(self)->base;
	return 0;
}

const struct activity_driver activity_proc = {
	.name = "proc",
	.open = open_source,
	.collect = collect,
	.pollfd = pollfd,
	.close = close_source,
};
