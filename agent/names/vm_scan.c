/* SPDX-License-Identifier: Apache-2.0 */
#include "names/vm_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "names/path.h"
#include "names/vm_proc.h"
#include "platform/log.h"
#include "platform/scope.h"

#define TEXT_MAX 65536 /* the names come early in a command line; some 8,000 pids */

/* A cgroup that a hypervisor is in, or was. */
struct hosted {
	uint64_t cgroup_id; /* 0: free */
	char *path;
	char told[PATH_MAX_UNIT]; /* as what; "" not yet */
	uint32_t look;            /* the last one that found a hypervisor in it */
	bool refused;             /* said so */
};

/* A hypervisor, as the running look has found it. */
struct sighting {
	int32_t pid;
	const struct hosted *in;
	struct vm_facts facts;
};

struct vm_scan {
	const struct host *host;
	struct mailbox *mailbox;
	char hierarchy[64];
	int hierarchy_fd;
	uint32_t look;
	struct hosted hosted[VM_SCAN_MAX];
	struct sighting sightings[VM_SCAN_MAX];
	size_t n_sightings;
	size_t left_out; /* by this look: no room */
	struct health listing, room, telling;
	char text[TEXT_MAX];
};

/* ---- cgroups --------------------------------------------------------------------------------- */

/* Below the mount; the path of the root of our cgroup namespace may go up and out of it. */
static const char *below(const char *path)
{
	for (const char *at = strstr(path, "/.."); at; at = strstr(at + 1, "/.."))
		if (at[3] == '/' || !at[3])
			return NULL;
	path += strspn(path, "/");
	return *path ? path : NULL; /* the root is everybody's */
}

static uint64_t id_of(const struct vm_scan *scan, const char *path)
{
	const char *inner = below(path);
	struct stat st;

	if (!inner || fstatat(scan->hierarchy_fd, inner, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode))
		return 0;
	return st.st_ino;
}

static struct hosted *hosted_of(struct vm_scan *scan, const char *path)
{
	uint64_t cgroup_id = id_of(scan, path);
	struct hosted *room = NULL;

	if (!cgroup_id)
		return NULL;
	for (size_t i = 0; i < VM_SCAN_MAX; i++) {
		struct hosted *hosted = &scan->hosted[i];

		if (hosted->cgroup_id == cgroup_id)
			return hosted;
		if (!hosted->cgroup_id && !room)
			room = hosted;
	}
	if (!room) {
		scan->left_out++;
		return NULL;
	}
	*room = (struct hosted){ .path = strdup(path) };
	if (!room->path) {
		scan->left_out++;
		return NULL;
	}
	room->cgroup_id = cgroup_id;
	return room;
}

static void forget_gone(struct vm_scan *scan)
{
	for (size_t i = 0; i < VM_SCAN_MAX; i++) {
		struct hosted *hosted = &scan->hosted[i];

		if (!hosted->cgroup_id || hosted->look == scan->look ||
		    id_of(scan, hosted->path) == hosted->cgroup_id)
			continue;
		free(hosted->path);
		*hosted = (struct hosted){ 0 };
	}
}

/* ---- processes ------------------------------------------------------------------------------- */

static ssize_t read_of(struct vm_scan *scan, const char *pid, const char *file)
{
	char path[32];

	snprintf(path, sizeof(path), "%.11s/%s", pid, file);
	return host_read(scan->host->proc_fd, path, scan->text, sizeof(scan->text));
}

/* A VM without a name is called by its UUID, else by what it runs in. */
static void complete(struct vm_facts *facts, const struct path_name *is)
{
	if (facts->name[0])
		return;
	if (facts->uuid[0])
		memcpy(facts->name, facts->uuid, sizeof(facts->uuid));
	else
		memcpy(facts->name, is->unit, sizeof(facts->name));
}

/* Does the path leave the question open?  Kata's VM is the sandbox of a pod: the pod's. */
static bool is_open(const struct path_name *is)
{
	return is->class != PATH_VM && strcmp(is->runtime, "kata") != 0;
}

static void see(struct vm_scan *scan, const char *pid, int32_t number)
{
	struct sighting *sighting = &scan->sightings[scan->n_sightings];
	struct vm_facts facts;
	struct path_name is;
	struct hosted *hosted;
	const char *path;
	ssize_t n;

	if (read_of(scan, pid, "comm") <= 0 || !vm_proc_may_be(scan->text))
		return;
	n = read_of(scan, pid, "cmdline");
	if (n <= 0 || !vm_of_cmdline(scan->text, (size_t)n, &facts))
		return;
	if (read_of(scan, pid, "cgroup") <= 0 ||
	    vm_proc_cgroup(scan->text, scan->hierarchy, &path) < 0)
		return;
	path_parse(path, &is);
	if (!is_open(&is) || !below(path))
		return;
	if (scan->n_sightings == VM_SCAN_MAX) {
		scan->left_out++;
		return;
	}
	hosted = hosted_of(scan, path);
	if (!hosted)
		return;
	complete(&facts, &is);
	hosted->look = scan->look;
	*sighting = (struct sighting){ .pid = number, .in = hosted, .facts = facts };
	scan->n_sightings++;
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

static int see_all(struct vm_scan *scan)
{
	_close_ int fd = openat(scan->host->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_dir_ DIR *dir = NULL;
	struct dirent *entry;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	TAKE_FD(fd);
	errno = 0;
	while ((entry = readdir(dir))) {
		int32_t pid = pid_of(entry->d_name);

		if (pid)
			see(scan, entry->d_name, pid);
		errno = 0;
	}
	return -errno;
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static bool is_hypervisor(const struct vm_scan *scan, int32_t pid, const struct hosted *hosted)
{
	for (size_t i = 0; i < scan->n_sightings; i++)
		if (scan->sightings[i].pid == pid && scan->sightings[i].in == hosted)
			return true;
	return false;
}

static uint64_t ticks_of(const struct vm_scan *scan, const char *pid)
{
	char path[32], text[2048];
	uint64_t ticks;

	snprintf(path, sizeof(path), "%.11s/stat", pid);
	if (host_read(scan->host->proc_fd, path, text, sizeof(text)) <= 0 ||
	    vm_proc_ticks(text, &ticks) < 0)
		return 0;
	return MIN(ticks, (uint64_t)1 << 48);
}

/* Did hypervisors do at least half of what the processes that are in it now have done?  0 no, 1
 * yes, or -errno. */
static int did_most(struct vm_scan *scan, const struct hosted *hosted)
{
	uint64_t all = 0, theirs = 0;
	char path[4096];
	ssize_t n;

	if ((size_t)snprintf(path, sizeof(path), "%s/cgroup.procs", below(hosted->path)) >=
	    sizeof(path))
		return -ENAMETOOLONG;
	n = host_read(scan->hierarchy_fd, path, scan->text, sizeof(scan->text));
	if (n < 0)
		return (int)n;
	if (n == sizeof(scan->text) - 1)
		return -E2BIG;
	for (char *pid = scan->text; *pid;) {
		char *end = pid + strcspn(pid, "\n"), *next = *end ? end + 1 : end;
		uint64_t ticks;

		*end = '\0';
		ticks = pid_of(pid) ? ticks_of(scan, pid) : 0;
		all += ticks;
		theirs += is_hypervisor(scan, pid_of(pid), hosted) ? ticks : 0;
		pid = next;
	}
	return theirs >= all - theirs;
}

static int compare(const void *a, const void *b)
{
	const struct sighting *left = a, *right = b;

	if (left->in != right->in)
		return left->in < right->in ? -1 : 1;
	return strcmp(left->facts.name, right->facts.name);
}

/* Sightings first to last are of one cgroup and sorted: "a+b", each name once. */
static void join(const struct sighting *first, size_t n, struct vm_facts *ret)
{
	size_t len = strlen(first->facts.name);

	*ret = first->facts;
	for (size_t i = 1; i < n; i++) {
		const char *name = first[i].facts.name;

		if (strcmp(name, first[i - 1].facts.name) == 0) {
			if (!ret->uuid[0] && len == strlen(name))
				memcpy(ret->uuid, first[i].facts.uuid, sizeof(ret->uuid));
			continue;
		}
		ret->uuid[0] = '\0'; /* of several, none */
		if (len + 1 + strlen(name) < sizeof(ret->name)) {
			ret->name[len] = '+';
			memcpy(ret->name + len + 1, name, strlen(name) + 1);
			len += 1 + strlen(name);
		}
	}
}

static void tell(struct vm_scan *scan, struct hosted *hosted, const struct vm_facts *facts)
{
	struct name *name = name_new_vm(hosted->path, facts->hypervisor, facts->name, facts->uuid);
	int r = name ? mailbox_vm(scan->mailbox, hosted->cgroup_id, name) : -ENOMEM;

	name_unref(name);
	if (health_changed(&scan->telling, r) && r < 0)
		log_warn("vm: cannot tell of '%s' in '%s': %s, trying again", facts->name,
			 hosted->path, strerror(-r));
	if (r < 0)
		return;
	memcpy(hosted->told, facts->name, sizeof(hosted->told));
	log_debug("vm: '%s' is the virtual machine '%s' (%s)", hosted->path, facts->name,
		  facts->hypervisor);
}

static void judge(struct vm_scan *scan, struct hosted *hosted, const struct vm_facts *facts)
{
	int r;

	if (strcmp(hosted->told, facts->name) == 0)
		return;
	r = did_most(scan, hosted);
	if (r > 0) {
		tell(scan, hosted, facts);
		hosted->refused = false;
	} else if (!hosted->refused) {
		log_debug("vm: leaving '%s' alone: %s", hosted->path,
			  r < 0 ? strerror(-r)
				: "a hypervisor runs in it, but others did more than half of the "
				  "work");
		hosted->refused = true;
	}
}

void vm_scan_look(struct vm_scan *scan)
{
	struct sighting *all = scan->sightings;
	int r;

	scan->look++;
	scan->n_sightings = scan->left_out = 0;
	r = see_all(scan);
	if (health_changed(&scan->listing, r) && r < 0)
		log_errno(r, "vm: cannot list /proc (virtual machines that no cgroup path names "
			     "stay unnamed)");
	if (r < 0)
		return;
	if (health_changed(&scan->room, scan->left_out ? -ENOSPC : 0) && scan->left_out)
		log_warn("vm: more than %d hypervisors run here, leaving %zu out (their cgroups "
			 "keep the names of their paths)",
			 VM_SCAN_MAX, scan->left_out);
	qsort(all, scan->n_sightings, sizeof(*all), compare);
	for (size_t i = 0, n; i < scan->n_sightings; i += n) {
		struct vm_facts facts;

		for (n = 1; i + n < scan->n_sightings && all[i + n].in == all[i].in;)
			n++;
		join(&all[i], n, &facts);
		judge(scan, &scan->hosted[all[i].in - scan->hosted], &facts);
	}
	forget_gone(scan);
}

/* ---- open and close -------------------------------------------------------------------------- */

static void vm_scan_freep(struct vm_scan **scan)
{
	vm_scan_free(*scan);
}

int vm_scan_new(const struct vm_config *config, struct mailbox *mailbox, struct vm_scan **ret)
{
	_cleanup_(vm_scan_freep) struct vm_scan *scan = calloc(1, sizeof(*scan));
	const char *dir = config->hierarchy_dir;

	if (!scan)
		return -ENOMEM;
	scan->host = config->host;
	scan->mailbox = mailbox;
	scan->hierarchy_fd = -1;
	snprintf(scan->hierarchy, sizeof(scan->hierarchy), "%s", config->hierarchy);
	if (config->host->proc_fd < 0 || config->host->cgroup_fd < 0)
		return -ENODEV;
	scan->hierarchy_fd = openat(config->host->cgroup_fd, dir && *dir ? dir : ".",
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (scan->hierarchy_fd < 0)
		return log_errno(-errno, "vm: cannot open the cgroup hierarchy '%s'",
				 config->hierarchy);
	*ret = TAKE_PTR(scan);
	return 0;
}

void vm_scan_free(struct vm_scan *scan)
{
	if (!scan)
		return;
	for (size_t i = 0; i < VM_SCAN_MAX; i++)
		free(scan->hosted[i].path);
	close_fd(&scan->hierarchy_fd);
	free(scan);
}
