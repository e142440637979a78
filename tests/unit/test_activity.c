/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that the fallback drivers are made of, and the choice between drivers. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activity/activity.h"
#include "activity/idmap.h"
#include "activity/proctext.h"
#include "activity/roster.h"
#include "activity/tree.h"
#include "no_leaks.h"
#include "platform/log.h"
#include "platform/scope.h"
#include "platform/tier.h"

static char last_error[512];

static void keep_error(enum log_level level, const char *line)
{
	if (level == LOG_LEVEL_ERROR)
		snprintf(last_error, sizeof(last_error), "%s", line);
}

static void setup(void)
{
	log_set_sink(keep_error);
	srandom(20240607);
}

TestSuite(activity, .init = setup, .fini = no_leaks);
TestSuite(tree, .init = setup, .fini = no_leaks);
TestSuite(roster, .init = setup, .fini = no_leaks);
TestSuite(idmap, .init = setup, .fini = no_leaks);
TestSuite(proctext, .init = setup, .fini = no_leaks);
TestSuite(tier, .fini = no_leaks);

static uint64_t below(uint64_t n)
{
	return (uint64_t)random() % n;
}

/* ---- driver list ---- */

Test(activity, refuses_an_unknown_source_and_says_which)
{
	struct topology *topology = calloc(1, sizeof(*topology));
	const struct host host = { -1, -1, -1, true, host_monotonic_ns };
	struct activity_config config = { .topology = topology, .max_cgroups = 16 };
	struct activity_source *source = (void *)1;

	cr_assert(eq(int, activity_open("cgroup,kprobe", &host, &config, &source), -EINVAL));
	cr_assert(strstr(last_error, "kprobe") != NULL, "%s", last_error);
	cr_assert(eq(int, activity_open("", &host, &config, &source), -EINVAL));
	cr_assert(eq(ptr, source, (void *)1));
	free(topology);
}

Test(activity, says_absent_with_a_row_for_each_source_where_there_is_nothing)
{
	struct topology *topology = calloc(1, sizeof(*topology));
	const struct host host = { -1, -1, -1, true, host_monotonic_ns };
	struct probe_list probe = { 0 };
	struct activity_config config = { .topology = topology,
					  .max_cgroups = 16,
					  .probe = &probe };
	struct activity_source *source = NULL;

	topology->n_packages = 1;
	cr_assert(eq(int, activity_open("cgroup,proc", &host, &config, &source), -ENODEV));
	cr_assert(eq(sz, probe.n, 2));
	cr_assert(eq(str, probe.rows[0].source, "cgroup"));
	cr_assert(eq(str, probe.rows[1].source, "proc"));
	for (size_t i = 0; i < probe.n; i++) {
		cr_expect(eq(int, (int)probe.rows[i].state, PROBE_ABSENT));
		cr_expect(ne(str, probe.rows[i].why, ""));
		cr_expect(ne(str, probe.rows[i].fix, ""));
	}
	/* A hierarchy that is not there is a mistake of the user, not of the machine. */
	config.hierarchy = "nonsense";
	cr_assert(eq(int, activity_open("cgroup,proc", &host, &config, &source), -EINVAL));
	probe_list_free(&probe);
	free(topology);
}

Test(tier, is_the_best_that_the_node_can_prove)
{
	cr_assert(eq(str, (char *)tier_name(false, false, false), "host"));
	cr_assert(eq(str, (char *)tier_name(true, true, true), "T0"));
	cr_assert(eq(str, (char *)tier_name(true, true, false), "T0"));
	cr_assert(eq(str, (char *)tier_name(true, false, true), "T2"));
	cr_assert(eq(str, (char *)tier_name(true, false, false), "T3"));
}

/* ---- tree: exclusive usage out of inclusive totals ---- */

#define NODES 200

struct truth {
	bool alive, known_at_start;
	int parent;
	uint64_t total, own, own_at_start;
	struct group *group; /* once the reader knows it */
	uint64_t booked;
};

static struct truth truth[NODES];
static int n_truth;

static void use(int node, uint64_t ns)
{
	truth[node].own += ns;
	for (; node >= 0; node = truth[node].parent)
		truth[node].total += ns;
}

static int pick(bool leaf)
{
	for (;;) {
		int i = (int)below((uint64_t)n_truth);
		bool has_child = i == 0;

		for (int j = 0; j < n_truth; j++)
			has_child |= truth[j].alive && truth[j].parent == i;
		if (truth[i].alive && !(leaf && has_child))
			return i;
	}
}

static int count_alive(void)
{
	int n = 0;

	for (int i = 0; i < n_truth; i++)
		n += truth[i].alive;
	return n;
}

static void change(void)
{
	uint64_t what = below(10);

	if (what == 0 && n_truth < NODES) {
		truth[n_truth] = (struct truth){ .alive = true, .parent = pick(false) };
		n_truth++;
	} else if (what == 1 && count_alive() > 5) {
		truth[pick(true)].alive = false;
	} else {
		use(pick(false), below(1000));
	}
}

static void book_truth(void *ctx, struct group *group, const uint64_t *ns)
{
	uint64_t *sum = ctx;

	if (!ns) {
		truth[group->id - 1].group = NULL;
		return;
	}
	cr_assert(le(u64, ns[0], truth[0].total), "never negative");
	truth[group->id - 1].booked += ns[0];
	*sum += ns[0];
}

static void discover(struct tree *tree)
{
	char path[64];

	for (int i = 0; i < n_truth; i++) {
		struct truth *node = &truth[i];

		if (node->alive && !node->group) {
			struct group *parent = i ? truth[node->parent].group : NULL;

			snprintf(path, sizeof(path), i ? "/%d" : "/", i);
			node->group = tree_add(tree, parent, (uint64_t)i + 1, path);
			cr_assert(node->group != NULL);
		}
	}
}

static void read_totals(struct tree *tree, bool quiet)
{
	for (size_t i = 0; i < tree->n; i++) {
		const struct truth *node = &truth[tree->groups[i]->id - 1];

		if (node->alive)
			tree->groups[i]->part[0].total = node->total;
		else
			tree->groups[i]->dead = true;
		if (!quiet && below(4) == 0)
			change(); /* the world does not wait for us */
	}
}

Test(tree, books_every_nanosecond_once_while_cgroups_come_and_go)
{
	for (int round = 0; round < 200; round++) {
		struct tree tree = { .n_parts = 1 };
		uint64_t booked = 0, base;

		memset(truth, 0, sizeof(truth));
		truth[0] = (struct truth){ .alive = true, .parent = -1 };
		n_truth = 1;
		for (int i = 0; i < 100; i++)
			change();
		discover(&tree);
		read_totals(&tree, true);
		for (size_t i = 0; i < tree.n; i++) {
			struct truth *node = &truth[tree.groups[i]->id - 1];

			node->known_at_start = true;
			node->own_at_start = node->own;
		}
		base = truth[0].total;
		tree_start(&tree);
		for (int tick = 0; tick < 30; tick++) {
			for (uint64_t i = below(20); i > 0; i--)
				change();
			if (below(3)) /* new ones are not always found at once */
				discover(&tree);
			read_totals(&tree, false);
			tree_settle(&tree, book_truth, &booked);
			cr_assert(le(u64, booked, truth[0].total - base), "round %d", round);
		}
		discover(&tree);
		for (int tick = 0; tick < 2; tick++) { /* the first finds who is dead */
			read_totals(&tree, true);
			tree_settle(&tree, book_truth, &booked);
		}
		cr_assert(eq(u64, booked, truth[0].total - base), "round %d", round);
		tree_free(&tree);
	}
}

Test(tree, gives_old_cgroups_exactly_what_they_used_when_none_are_born)
{
	struct tree tree = { .n_parts = 1 };
	uint64_t booked = 0;

	truth[0] = (struct truth){ .alive = true, .parent = -1 };
	n_truth = 1;
	for (; n_truth < 40; n_truth++)
		truth[n_truth] = (struct truth){ .alive = true, .parent = (n_truth - 1) / 2 };
	discover(&tree);
	read_totals(&tree, true);
	tree_start(&tree);
	for (int tick = 0; tick < 500; tick++) {
		for (int i = 0; i < 50; i++)
			use((int)below(40), below(100000));
		for (size_t i = 0; i < tree.n; i++) {
			tree.groups[i]->part[0].total = truth[tree.groups[i]->id - 1].total;
			use((int)below(40), below(100000));
		}
		tree_settle(&tree, book_truth, &booked);
	}
	read_totals(&tree, true);
	tree_settle(&tree, book_truth, &booked);
	for (int i = 0; i < n_truth; i++)
		cr_expect(eq(u64, truth[i].booked, truth[i].own), "node %d", i);
	tree_free(&tree);
}

Test(tree, gives_a_newborn_all_it_used_when_it_is_found_before_its_parent_is_read)
{
	struct tree tree = { .n_parts = 1 };
	uint64_t booked = 0;

	truth[0] = (struct truth){ .alive = true, .parent = -1, .total = 77, .own = 77 };
	n_truth = 1;
	discover(&tree);
	read_totals(&tree, true);
	tree_start(&tree);
	truth[1] = (struct truth){ .alive = true, .parent = 0 };
	n_truth = 2;
	use(1, 1234);
	discover(&tree);
	read_totals(&tree, true);
	tree_settle(&tree, book_truth, &booked);
	cr_assert(eq(u64, truth[1].booked, 1234));
	cr_assert(eq(u64, truth[0].booked, 0));
	tree_free(&tree);
}

Test(tree, finds_parents_by_climbing)
{
	struct tree tree = { .n_parts = 1 };
	struct group *root = tree_add(&tree, NULL, 1, "/");
	struct group *a = tree_add(&tree, root, 2, "/a");
	struct group *b = tree_add(&tree, a, 3, "/a/b");

	cr_assert(eq(ptr, tree_parent_of(b, "/a/b/c"), b));
	cr_assert(eq(ptr, tree_parent_of(b, "/a/bc"), a));
	cr_assert(eq(ptr, tree_parent_of(b, "/ab"), root));
	cr_assert(eq(ptr, tree_parent_of(NULL, "/"), NULL));
	cr_assert(eq(ptr, tree_parent_of(b, "/"), NULL));
	b->dead = true;
	cr_assert(eq(ptr, tree_parent_of(b, "/a/b/c"), a));
	tree_free(&tree);
}

/* ---- roster ---- */

Test(roster, spreads_any_amount_exactly)
{
	for (int round = 0; round < 20000; round++) {
		uint64_t weights[8], parts[8], sum = 0;
		uint64_t ns = ((uint64_t)random() << 31 | (uint64_t)random()) >> below(62);
		unsigned int n = 1 + (unsigned int)below(8);

		for (unsigned int i = 0; i < n; i++)
			weights[i] = ((uint64_t)random() << 32) >> below(63);
		roster_spread(ns, weights, n, parts);
		for (unsigned int i = 0; i < n; i++) {
			cr_assert(le(u64, parts[i], ns), "round %d", round);
			sum += parts[i];
		}
		cr_assert(eq(u64, sum, ns), "round %d", round);
	}
}

Test(roster, rests_a_row_before_its_next_owner_and_starts_it_from_zero)
{
	struct activity activity;
	struct roster roster;
	uint32_t row, again;

	cr_assert(eq(int, activity_alloc(&activity, _OWNER_FIXED + 1, 2), 0));
	cr_assert(eq(int, roster_open(&activity, &roster), 0));
	row = roster_take(&roster, 7, 1);
	cr_assert(eq(u32, row, _OWNER_FIXED));
	cr_assert(eq(u32, roster_take(&roster, 8, 1), OWNER_OVERFLOW));
	roster_begin(&roster);
	roster_book(&roster, row, (uint64_t[]){ 3, 4 });
	roster_end(&roster);
	cr_assert(eq(u32, activity.n_active, 1));
	cr_assert(eq(u64, activity.rows[row].usage.busy_ns, 7));
	cr_assert(eq(u64, activity.weight[row * 2 + 1], 4));

	roster_give(&roster, row, 2000000000);
	roster_give(&roster, OWNER_OVERFLOW, 2000000000);
	cr_assert(eq(u64, activity.rows[row].cgroup_id, 0));
	cr_assert(eq(u32, roster_take(&roster, 8, 2500000000), OWNER_OVERFLOW));
	again = roster_take(&roster, 8, 3000000000);
	cr_assert(eq(u32, again, row));
	cr_assert(eq(u64, activity.rows[row].usage.busy_ns, 0));
	cr_assert(eq(u64, activity.weight[row * 2 + 1], 0));
	roster_close(&roster);
	activity_free(&activity);
}

Test(roster, counts_and_books_what_finds_no_row)
{
	struct activity activity;
	struct roster roster;

	cr_assert(eq(int, activity_alloc(&activity, _OWNER_FIXED, 1), 0));
	cr_assert(eq(int, roster_open(&activity, &roster), 0));
	roster_begin(&roster);
	for (int i = 0; i < 10; i++)
		roster_book(&roster, roster_take(&roster, 100, 1), (uint64_t[]){ 5 });
	roster_end(&roster);
	cr_assert(eq(u64, activity.rows[OWNER_OVERFLOW].usage.busy_ns, 50));
	cr_assert(eq(u64, activity.overflow_switches, 10));
	cr_assert(eq(u64, activity.package_busy_ns[0], 50));
	cr_assert(eq(u32, activity.n_active, 1));
	roster_close(&roster);
	activity_free(&activity);
}

/* ---- idmap ---- */

Test(idmap, agrees_with_an_array_over_random_use)
{
	struct idmap map = { 0 };
	_free_ char *there = calloc(1, 4096);
	uint32_t n = 0;

	for (int i = 0; i < 200000; i++) {
		uint64_t key = 1 + below(4095);

		if (below(2)) {
			n += !there[key];
			there[key] = 1;
			cr_assert(eq(int, idmap_put(&map, key, &there[key]), 0));
		} else {
			n -= (uint32_t)there[key];
			there[key] = 0;
			idmap_remove(&map, key);
		}
		key = 1 + below(4095);
		cr_assert(eq(ptr, idmap_get(&map, key), there[key] ? &there[key] : NULL));
		cr_assert(eq(u32, map.n, n));
	}
	idmap_free(&map);
	cr_assert(eq(ptr, idmap_get(&map, 1), NULL));
	idmap_remove(&map, 1);
}

/* ---- proctext ---- */

Test(proctext, reads_cpu_lines_and_refuses_torn_ones)
{
	const char *text = "cpu  10 1 20 300 4 5 6 7 0 0\ncpu3 1 2 3 4 5 6 7 8 9 9\nintr 5\n";
	const char *bad[] = { "cpu 1 2 3\n",
			      "cpu0 1 2 3 4",
			      "cpuX 1 2 3 4\n",
			      "cpu -1 2 3 4\n",
			      "cpu 99999999999999999999 1 1 1\n",
			      "cpu99999999999 1 1 1 1\n" };
	struct cpu_ticks ticks = { 0 };

	cr_assert(eq(int, proctext_cpu(&text, &ticks), 1));
	cr_assert(eq(int, ticks.cpu, -1));
	cr_assert(eq(u64, ticks.steal, 7));
	cr_assert(eq(int, proctext_cpu(&text, &ticks), 1));
	cr_assert(eq(int, ticks.cpu, 3));
	cr_assert(eq(u64, ticks.softirq, 7));
	cr_assert(eq(int, proctext_cpu(&text, &ticks), 0));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *p = bad[i];

		cr_expect(eq(int, proctext_cpu(&p, &ticks), -EINVAL), "%s", bad[i]);
		cr_expect(eq(ptr, (void *)p, (void *)bad[i]));
	}
}

Test(proctext, reads_a_process_whatever_its_name_is)
{
	static const char *const names[] = { "sh", "a) R 1 2", "((", "new\nline", "" };
	struct process_stat stat;
	char text[512];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(text, sizeof(text),
			 "12 (%s) S 1 1 1 0 -1 2129984 9 9 9 9 70 30 5 5 20 0 1 0 4242 1 1\n",
			 names[i]);
		cr_assert(eq(int, proctext_process(text, &stat), 0), "%s", names[i]);
		cr_expect(eq(u64, stat.ticks, 100));
		cr_expect(eq(u64, stat.start_ticks, 4242));
		cr_expect(stat.kernel_thread);
	}
	for (size_t len = strlen(text) - 9; len > 0; len--) {
		text[len] = '\0';
		cr_expect(eq(int, proctext_process(text, &stat), -EINVAL), "%s", text);
	}
}

Test(proctext, finds_the_path_of_the_hierarchy_that_is_asked_for)
{
	const char *text = "9:name=systemd:/init.scope\n4:cpu,cpuacct:/a:b c\n0::/unified\n";
	const char *path = "kept";
	size_t len;
	int id = -1;

	cr_assert(eq(int, proctext_cgroup(text, "cpuacct", &path, &len), 0));
	cr_assert(eq(int, strncmp(path, "/a:b c", len), 0));
	cr_assert(eq(sz, len, 6));
	cr_assert(eq(int, proctext_cgroup(text, "", &path, &len), 0));
	cr_assert(eq(sz, len, 8));
	cr_assert(eq(int, proctext_cgroup_id(text, "name=systemd", &id), 0));
	cr_assert(eq(int, id, 9));
	cr_assert(eq(int, proctext_cgroup(text, "acct", &path, &len), -ENOENT));
	cr_assert(eq(int, proctext_cgroup("", "cpu", &path, &len), -ENOENT));
	cr_assert(eq(int, proctext_cgroup("garbage\n:::\n1:x\n", "x", &path, &len), -ENOENT));
}
