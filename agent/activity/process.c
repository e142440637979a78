/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process's CPU time comes from.  Of all threads, ended ones too, to the nanosecond, in one
 * system call and without a permission: its POSIX CPU clock.  That takes a pid of our own pid
 * namespace, so it is used only where /proc is that of this namespace.  Else /proc/PID/stat (all
 * threads, but in clock ticks of 10 ms) or schedstat (nanoseconds, but of the main thread alone),
 * the larger one: exact for one thread, never more than two ticks short for many, and each of the
 * two only grows.  Adding up task/TID/schedstat would lose the threads that ended and costs two
 * files a thread.
 */
#include "activity/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "activity/idmap.h"
#include "activity/proctext.h"
#include "platform/log.h"
#include "platform/parse.h"
#include "platform/scope.h"

/* Listed processes, kernel threads, and what has exec'ed since the last read. */
#define KNOWN_MAX  (2 * PROCESS_MAX)
#define ASK_LEAST  4000000000ull /* a process says again where it is after this long, */
#define ASK_SPREAD 4000000000ull /* and up to this much later, so that not all do at once */
#define NSEC       1000000000ull

/* A life of a pid. */
struct known {
	int32_t pid; /* 0: free */
	uint32_t scan;
	uint64_t inode; /* of its directory: another life, another inode */
	uint64_t start_ticks, cpu_ns, cgroup_id;
	uint64_t ask_ns; /* when to ask for its cgroup, and for its name, again */
	char comm[16];
	bool kernel;
	bool exec_seen;  /* comm is from its exec */
	bool exec_fresh; /* since the last read */
	bool young;      /* met once: what starts it may still be moving it */
};

struct process_reader {
	const struct host *host;
	char controllers[2][64]; /* lines of /proc/PID/cgroup to look for */
	DIR *dir;
	int hierarchy_fd;
	bool own; /* /proc is of this kernel and of our own pid namespace */
	uint64_t tick_ns, now_ns;
	uint32_t scan;
	struct known *known; /* [KNOWN_MAX] */
	uint32_t n_known;    /* those beyond have never been used */
	uint32_t *free, n_free;
	struct idmap by_pid;
	struct health full;
	char text[16384];
};

/* ---- known lives ----------------------------------------------------------------------------- */

/* 0, -ENOSPC or -ENOMEM. */
static int known_new(struct process_reader *reader, int32_t pid, struct known **ret)
{
	struct known *known;

	if (!reader->n_free && reader->n_known == KNOWN_MAX)
		return -ENOSPC;
	known = &reader->known[reader->n_free ? reader->free[reader->n_free - 1] : reader->n_known];
	if (idmap_put(&reader->by_pid, (uint64_t)pid, known) < 0)
		return -ENOMEM;
	if (reader->n_free)
		reader->n_free--;
	else
		reader->n_known++;
	*known = (struct known){ .pid = pid, .scan = reader->scan };
	*ret = known;
	return 0;
}

static void forget_dead(struct process_reader *reader)
{
	for (uint32_t i = 0; i < reader->n_known; i++) {
		struct known *known = &reader->known[i];

		if (!known->pid || known->scan == reader->scan)
			continue;
		idmap_remove(&reader->by_pid, (uint64_t)known->pid);
		known->pid = 0;
		reader->free[reader->n_free++] = i;
	}
}

/* ---- what one process says ------------------------------------------------------------------- */

static ssize_t read_of(struct process_reader *reader, const char *pid, const char *file)
{
	char path[32];

	snprintf(path, sizeof(path), "%.11s/%s", pid, file);
	return host_read(reader->host->proc_fd, path, reader->text, sizeof(reader->text));
}

static void read_comm(struct process_reader *reader, const char *pid, struct known *known)
{
	ssize_t n = read_of(reader, pid, "comm");

	if (n <= 0)
		return;
	if (reader->text[n - 1] == '\n')
		n--;
	memset(known->comm, 0, sizeof(known->comm));
	memcpy(known->comm, reader->text, MIN((size_t)n, sizeof(known->comm) - 1));
}

/* Above the root of our cgroup namespace: its name in the tree is not to be had. */
static bool goes_up(const char *path)
{
	for (const char *at = strstr(path, "/.."); at; at = strstr(at + 1, "/.."))
		if (at[3] == '/' || !at[3])
			return true;
	return false;
}

/* The inode is looked up each time: a service that restarts has the old path and a new cgroup. */
static void read_cgroup(struct process_reader *reader, const char *pid, struct known *known)
{
	const char *path = NULL;
	char *own, *end;
	struct stat st;
	size_t len = 0;

	if (read_of(reader, pid, "cgroup") <= 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(reader->controllers); i++)
		if (proctext_cgroup(reader->text, reader->controllers[i], &path, &len) == 0)
			break;
	if (!len || path[0] != '/')
		return;
	own = &reader->text[path - reader->text];
	end = own + len;
	*end = '\0';
	if (goes_up(own))
		return;
	own += strspn(own, "/");
	if (fstatat(reader->hierarchy_fd, *own ? own : ".", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		known->cgroup_id = st.st_ino;
}

static void ask_again(struct process_reader *reader, const char *pid, struct known *known)
{
	/* Fibonacci hashing: those that came together ask at different times. */
	uint64_t spread = ((uint64_t)known->pid + reader->scan) * 0x9e3779b97f4a7c15u >> 32;

	read_cgroup(reader, pid, known);
	if (!known->exec_seen)
		read_comm(reader, pid, known);
	known->ask_ns = reader->now_ns + ASK_LEAST + ASK_SPREAD / 65536 * (spread & 65535);
	if (known->young)
		known->ask_ns = 0;
	known->young = false;
}

/* 0, or -errno when it is gone. */
static int read_clock(struct known *known)
{
	/* As clock_getcpuclockid() makes it, but without asking for a resolution first. */
	clockid_t clock = (clockid_t)(~(uint32_t)known->pid << 3 | 2);
	struct timespec used;
	uint64_t ns;

	if (clock_gettime(clock, &used) < 0)
		return -errno;
	ns = (uint64_t)used.tv_sec * NSEC + (uint64_t)used.tv_nsec;
	known->cpu_ns = MAX(known->cpu_ns, ns);
	return 0;
}

static void read_schedstat(struct process_reader *reader, const char *pid, struct known *known)
{
	uint64_t ns;

	if (read_of(reader, pid, "schedstat") <= 0)
		return;
	reader->text[strcspn(reader->text, " \n")] = '\0';
	if (parse_u64(reader->text, &ns) == 0)
		known->cpu_ns = MAX(known->cpu_ns, ns);
}

static void begin_life(struct known *known, const struct process_stat *stat)
{
	struct known before = *known;

	*known = (struct known){ .pid = before.pid,
				 .start_ticks = stat->start_ticks,
				 .kernel = stat->kernel_thread,
				 .young = true };
	/* Told of an exec before we met. */
	if (before.exec_fresh) {
		memcpy(known->comm, before.comm, sizeof(known->comm));
		known->exec_seen = true;
	}
}

/* Is it still the same life, and what has it used?  0, -ENOSPC, -ENOMEM, or
 * else it vanished. */
static int read_stat(struct process_reader *reader, const char *name, int32_t pid, uint64_t inode,
		     struct known **known)
{
	struct process_stat stat;
	uint64_t ns;
	int r;

	if (read_of(reader, name, "stat") < 0 || proctext_process(reader->text, &stat) < 0)
		return -ESRCH;
	r = *known ? 0 : known_new(reader, pid, known);
	if (r < 0)
		return stat.kernel_thread ? -ESRCH : r;
	if (!(*known)->inode || (*known)->start_ticks != stat.start_ticks)
		begin_life(*known, &stat);
	(*known)->inode = inode ? inode : 1;
	(*known)->kernel = stat.kernel_thread;
	if (!__builtin_mul_overflow(stat.ticks, reader->tick_ns, &ns) && !reader->own)
		(*known)->cpu_ns = MAX((*known)->cpu_ns, ns);
	return 0;
}

/* Bring what is known of a process up to now.  0, -ENOSPC, -ENOMEM, or else it vanished. */
static int look(struct process_reader *reader, const char *name, int32_t pid, uint64_t inode,
		struct known **known)
{
	int r = 0;

	/* One stat for a life, where the kernel tells lives apart for nothing. */
	if (!*known || !reader->own || (*known)->inode != inode)
		r = read_stat(reader, name, pid, inode, known);
	if (r < 0)
		return r;
	(*known)->scan = reader->scan;
	if ((*known)->kernel)
		return 0;
	if (reader->own)
		r = read_clock(*known);
	else
		read_schedstat(reader, name, *known);
	if (r == 0 && reader->now_ns >= (*known)->ask_ns)
		ask_again(reader, name, *known);
	(*known)->exec_fresh = false;
	return r;
}

/* ---- the list -------------------------------------------------------------------------------- */

static int list_grow(struct process_list *list)
{
	size_t capacity = list->capacity ? list->capacity * 2 : 256;
	struct process_time *bigger = realloc(list->all, capacity * sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	list->all = bigger;
	list->capacity = capacity;
	return 0;
}

static int visit(struct process_reader *reader, struct process_list *list, const char *name,
		 int32_t pid, uint64_t inode)
{
	struct known *known = idmap_get(&reader->by_pid, (uint64_t)pid);
	int r;

	/* Not even asked what they are: a bomb of processes must not take our time as well. */
	if (list->n == PROCESS_MAX) {
		list->truncated += !known || !known->kernel;
		if (known)
			known->scan = reader->scan;
		return 0;
	}
	r = look(reader, name, pid, inode, &known);
	list->truncated += r == -ENOSPC;
	if (r < 0 || known->kernel)
		return r == -ENOMEM ? r : 0;
	r = list->n == list->capacity ? list_grow(list) : 0;
	if (r < 0)
		return r;
	list->all[list->n] = (struct process_time){ .pid = pid,
						    .start_ticks = known->start_ticks,
						    .cgroup_id = known->cgroup_id,
						    .cpu_ns = known->cpu_ns };
	memcpy(list->all[list->n].comm, known->comm, sizeof(known->comm));
	list->n++;
	return 0;
}

/* A directory of digits: its pid, else 0. */
static int32_t pid_of(const char *name)
{
	int32_t pid = 0;

	for (const char *p = name; *p; p++) {
		if (*p < '0' || *p > '9' || p - name > 8)
			return 0;
		pid = pid * 10 + (*p - '0');
	}
	return pid;
}

int process_read(struct process_reader *reader, struct process_list *list)
{
	struct dirent *entry;
	int r = 0;

	reader->scan++;
	reader->now_ns = reader->host->now_ns();
	list->n = 0;
	list->truncated = 0;
	rewinddir(reader->dir);
	errno = 0;
	while (r == 0 && (entry = readdir(reader->dir))) {
		int32_t pid = pid_of(entry->d_name);

		if (pid)
			r = visit(reader, list, entry->d_name, pid, entry->d_ino);
		errno = 0;
	}
	if (r == 0)
		r = -errno;
	if (r < 0)
		return r;
	forget_dead(reader);
	if (health_changed(&reader->full, list->truncated ? -ENOSPC : 0) && list->truncated)
		log_warn("process: more than %d processes run here, leaving %llu out of "
			 "--processes (their joules stay with their cgroups)",
			 PROCESS_MAX, (unsigned long long)list->truncated);
	return 0;
}

void process_exec(struct process_reader *reader, int32_t pid, const char comm[16])
{
	struct known *known;

	if (pid <= 0)
		return;
	known = idmap_get(&reader->by_pid, (uint64_t)pid);
	if (!known && known_new(reader, pid, &known) < 0)
		return; /* /proc will tell */
	memcpy(known->comm, comm, sizeof(known->comm) - 1);
	known->comm[sizeof(known->comm) - 1] = '\0';
	known->exec_seen = known->exec_fresh = true;
	known->ask_ns = 0; /* who starts a service moves it first */
}

/* ---- open and close -------------------------------------------------------------------------- */

/* Pids of /proc mean the same to our system calls: "NSpid:" has one number a namespace down to
 * ours. */
static bool is_own_proc(const struct host *host, char *text, size_t size)
{
	const char *line;

	if (host->fixture || host_read(host->proc_fd, "self/status", text, size) <= 0)
		return false;
	line = strstr(text, "\nNSpid:\t");
	if (!line)
		return false;
	line += strlen("\nNSpid:\t");
	return line[strspn(line, "0123456789")] == '\n';
}

static int open_dir(const struct host *host, DIR **ret)
{
	_close_ int fd = -1;

	if (host->proc_fd < 0)
		return -ENODEV;
	fd = openat(host->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret = fdopendir(fd);
	if (!*ret)
		return -errno;
	TAKE_FD(fd);
	return 0;
}

static void choose_lines(struct process_reader *reader, const char *hierarchy)
{
	bool unified = strcmp(hierarchy, "unified") == 0;

	snprintf(reader->controllers[0], sizeof(reader->controllers[0]), "%s",
		 unified ? "" : hierarchy);
	snprintf(reader->controllers[1], sizeof(reader->controllers[1]), "%s%s",
		 unified ? "" : "name=", unified ? "" : hierarchy);
}

static void process_reader_freep(struct process_reader **reader)
{
	process_reader_close(*reader);
}

int process_reader_open(const struct process_config *config, struct process_reader **ret)
{
	_cleanup_(process_reader_freep) struct process_reader *reader = calloc(1, sizeof(*reader));
	const struct host *host = config->host;
	const char *dir = config->hierarchy_dir;
	long hz = sysconf(_SC_CLK_TCK);
	int r;

	if (!reader)
		return -ENOMEM;
	reader->host = host;
	reader->hierarchy_fd = -1;
	reader->tick_ns = NSEC / (uint64_t)(hz > 0 ? hz : 100);
	/* Touched only as far as there are processes. */
	reader->known = calloc(KNOWN_MAX, sizeof(*reader->known));
	reader->free = calloc(KNOWN_MAX, sizeof(*reader->free));
	if (!reader->known || !reader->free)
		return -ENOMEM;
	choose_lines(reader, config->hierarchy);
	r = open_dir(host, &reader->dir);
	if (r < 0)
		return log_errno(r, "process: cannot list /proc (mount it, or give --procfs=DIR)");
	if (host->cgroup_fd >= 0)
		reader->hierarchy_fd = openat(host->cgroup_fd, dir && *dir ? dir : ".",
					      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (reader->hierarchy_fd < 0)
		return log_errno(host->cgroup_fd < 0 ? -ENODEV : -errno,
				 "process: cannot open the cgroup hierarchy '%s' (its processes "
				 "cannot be told apart without it)",
				 config->hierarchy);
	reader->own = is_own_proc(host, reader->text, sizeof(reader->text));
	*ret = TAKE_PTR(reader);
	return 0;
}

void process_reader_close(struct process_reader *reader)
{
	if (!reader)
		return;
	close_dir(&reader->dir);
	close_fd(&reader->hierarchy_fd);
	idmap_free(&reader->by_pid);
	free(reader->known);
	free(reader->free);
	free(reader);
}

void process_list_free(struct process_list *list)
{
	free(list->all);
	*list = (struct process_list){ 0 };
}
