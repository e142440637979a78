/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "activity/activity.h"
#include "no_leaks.h"
#include "platform/log.h"
#include "platform/scope.h"

static char root[] = "/tmp/hierarchy-XXXXXX";
static struct host host;
static char last_line[512];

static void keep_line(enum log_level level, const char *line)
{
	if (level == LOG_LEVEL_ERROR)
		snprintf(last_line, sizeof(last_line), "%s", line);
}

static void put(const char *path, const char *text)
{
	char full[4096];
	_fclose_ FILE *file = NULL;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	file = fopen(full, "w");
	cr_assert(file != NULL, "%s", full);
	fputs(text, file);
}

static void make(const char *path)
{
	char full[4096];

	snprintf(full, sizeof(full), "%s/%s", root, path);
	cr_assert(eq(int, mkdir(full, 0755), 0), "%s", full);
}

static void setup(void)
{
	cr_assert(mkdtemp(root) != NULL);
	make("cgroup");
	make("proc");
	put("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
			    "cpu\t4\t1\t1\ncpuacct\t7\t1\t1\nmemory\t0\t1\t1\n");
	host = (struct host){ .sys_fd = -1, .fixture = true, .now_ns = host_monotonic_ns };
	char path[64];
	snprintf(path, sizeof(path), "%s/cgroup", root);
	host.cgroup_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/proc", root);
	host.proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	log_set_sink(keep_line);
}

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int flag,
		      _unused_ struct FTW *ftw)
{
	return remove(path);
}

static void teardown(void)
{
	host_close(&host);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	no_leaks();
}

TestSuite(hierarchy, .init = setup, .fini = teardown);

Test(hierarchy, is_absent_where_nothing_is_mounted)
{
	struct hierarchy found;

	cr_assert(eq(int, hierarchy_find(&host, NULL, &found), -ENODEV));
	cr_assert(eq(int, hierarchy_find(&host, "unified", &found), -EINVAL));
	host_close(&host);
	cr_assert(eq(int, hierarchy_find(&host, NULL, &found), -ENODEV));
}

Test(hierarchy, is_unified_where_the_root_is_cgroup2)
{
	struct hierarchy found;

	put("cgroup/cgroup.controllers", "cpu memory\n");
	cr_assert(eq(int, hierarchy_find(&host, NULL, &found), 0));
	cr_assert(found.unified);
	cr_assert(eq(str, found.name, "unified"));
	cr_assert(eq(str, (char *)found.mode, "v2"));
	cr_assert(eq(str, found.dir, ""));
	cr_assert(eq(int, found.id, 0));
	cr_assert(eq(int, hierarchy_find(&host, "cpuacct", &found), -EINVAL));
}

Test(hierarchy, prefers_v1_on_hybrid_hosts_and_obeys_a_wish)
{
	struct hierarchy found;

	make("cgroup/cpu");
	put("cgroup/cpu/cgroup.procs", "");
	make("cgroup/cpuacct");
	put("cgroup/cpuacct/cgroup.procs", "");
	make("cgroup/unified");
	put("cgroup/unified/cgroup.procs", "");
	put("cgroup/unified/cgroup.controllers", "");

	cr_assert(eq(int, hierarchy_find(&host, NULL, &found), 0));
	cr_assert(eq(str, found.name, "cpuacct"));
	cr_assert(eq(str, (char *)found.mode, "hybrid"));
	cr_assert(eq(int, found.id, 7));
	cr_assert(not(found.unified));

	cr_assert(eq(int, hierarchy_find(&host, "unified", &found), 0));
	cr_assert(found.unified);
	cr_assert(eq(str, found.dir, "unified"));
	cr_assert(eq(int, found.id, 0));

	cr_assert(eq(int, hierarchy_find(&host, "cpu", &found), 0));
	cr_assert(eq(int, found.id, 4));
}

Test(hierarchy, finds_controllers_that_share_a_directory)
{
	struct hierarchy found;
	char link[64];

	make("cgroup/cpu,cpuacct");
	put("cgroup/cpu,cpuacct/cgroup.procs", "");
	cr_assert(eq(int, hierarchy_find(&host, NULL, &found), 0));
	cr_assert(eq(str, found.name, "cpuacct"));
	cr_assert(eq(str, found.dir, "cpu,cpuacct"));
	cr_assert(eq(str, (char *)found.mode, "v1"));

	/* Distributions add links; the walk has to follow that one and no other. */
	snprintf(link, sizeof(link), "%s/cgroup/cpuacct", root);
	cr_assert(eq(int, symlink("cpu,cpuacct", link), 0));
	cr_assert(eq(int, hierarchy_find(&host, NULL, &found), 0));
	cr_assert(eq(str, found.name, "cpuacct"));
}

Test(hierarchy, names_what_is_mounted_when_a_wish_is_not)
{
	struct hierarchy found = { .name = "untouched" };

	make("cgroup/memory");
	put("cgroup/memory/cgroup.procs", "");
	make("cgroup/no-cgroup");
	cr_assert(eq(int, hierarchy_find(&host, "cpuset", &found), -EINVAL));
	cr_assert(strstr(last_line, "'cpuset'") != NULL, "%s", last_line);
	cr_assert(strstr(last_line, "memory") != NULL, "%s", last_line);
	cr_assert(strstr(last_line, "no-cgroup") == NULL, "%s", last_line);
	cr_assert(eq(str, found.name, "untouched"));
	cr_assert(eq(int, hierarchy_find(&host, NULL, &found), -ENODEV));
}

struct seen {
	size_t n;
	char path[256][512];
	uint64_t id[256];
	const char *remove; /* directory to remove when it is told of */
};

static void see(void *ctx, uint64_t cgroup_id, const char *path)
{
	struct seen *seen = ctx;

	cr_assert(lt(sz, seen->n, ARRAY_SIZE(seen->path)));
	snprintf(seen->path[seen->n], sizeof(seen->path[0]), "%s", path);
	seen->id[seen->n++] = cgroup_id;
	if (seen->remove && strcmp(path, "/a") == 0)
		cr_assert(eq(int, rmdir(seen->remove), 0));
}

static int index_of(const struct seen *seen, const char *path)
{
	for (size_t i = 0; i < seen->n; i++) {
		if (strcmp(seen->path[i], path) == 0)
			return (int)i;
	}
	return -1;
}

Test(hierarchy, walks_parents_first_with_the_inode_as_id)
{
	struct hierarchy v2 = { .unified = true };
	_free_ struct seen *seen = calloc(1, sizeof(*seen));
	struct stat st;

	make("cgroup/a");
	make("cgroup/a/b");
	make("cgroup/a/b/c");
	make("cgroup/d");
	put("cgroup/a/cpu.stat", "usage_usec 1\n");
	for (int i = 0; i < 60; i++) { /* more than one read of a directory */
		char path[64];

		snprintf(path, sizeof(path), "cgroup/d/child-with-a-long-name-%d", i);
		make(path);
	}
	cr_assert(eq(int, hierarchy_walk(&host, &v2, see, seen), 0));
	cr_assert(eq(sz, seen->n, 65));
	cr_assert(eq(int, index_of(seen, "/"), 0));
	cr_assert(lt(int, index_of(seen, "/a"), index_of(seen, "/a/b")));
	cr_assert(lt(int, index_of(seen, "/a/b"), index_of(seen, "/a/b/c")));
	cr_assert(ge(int, index_of(seen, "/d/child-with-a-long-name-59"), 0));
	cr_assert(eq(int, fstatat(host.cgroup_fd, "a/b/c", &st, 0), 0));
	cr_assert(eq(u64, seen->id[index_of(seen, "/a/b/c")], st.st_ino));
}

Test(hierarchy, walk_survives_any_name_links_and_directories_that_vanish)
{
	static const char *const names[] = { "new\nline", "spa ce", "quo\"te",
					     "\xff\xfe",  "-",      "..." };
	struct hierarchy v2 = { .unified = true };
	_free_ struct seen *seen = calloc(1, sizeof(*seen));
	char path[128], victim[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "cgroup/%s", names[i]);
		make(path);
	}
	make("cgroup/a");
	make("cgroup/a/victim");
	snprintf(victim, sizeof(victim), "%s/cgroup/a/victim", root);
	seen->remove = victim;
	snprintf(path, sizeof(path), "%s/cgroup/loop", root);
	cr_assert(eq(int, symlink("..", path), 0));

	cr_assert(eq(int, hierarchy_walk(&host, &v2, see, seen), 0));
	cr_assert(eq(sz, seen->n, ARRAY_SIZE(names) + 2));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/%s", names[i]);
		cr_expect(ge(int, index_of(seen, path), 0), "%s", path);
	}
	cr_assert(eq(int, index_of(seen, "/a/victim"), -1));
}

static size_t count;

static void just_count(_unused_ void *ctx, _unused_ uint64_t cgroup_id, _unused_ const char *path)
{
	count++;
}

Test(hierarchy, walk_ends_in_a_tree_without_end)
{
	struct hierarchy v2 = { .unified = true };
	_close_ int fd = dup(host.cgroup_fd);

	for (int i = 0; i < 300; i++) {
		int below;

		cr_assert(eq(int, mkdirat(fd, "deeper", 0755), 0));
		below = openat(fd, "deeper", O_RDONLY | O_DIRECTORY);
		close(fd);
		fd = below;
	}
	cr_assert(eq(int, hierarchy_walk(&host, &v2, just_count, NULL), 0));
	cr_assert(gt(sz, count, 30));
	cr_assert(lt(sz, count, 300));
}

Test(hierarchy, walk_of_a_missing_tree_is_an_error)
{
	struct hierarchy gone = { .dir = "nowhere" };

	cr_assert(eq(int, hierarchy_walk(&host, &gone, just_count, NULL), -ENOENT));
	cr_assert(eq(sz, count, 0));
}
