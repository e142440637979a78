/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/groups.h"
#include "no_leaks.h"
#include "oom.h"

TestSuite(groups, .fini = no_leaks);

static struct groups *room_for(uint32_t max)
{
	struct groups *groups;

	cr_assert(eq(int, groups_new(max, &groups), 0));
	return groups;
}

static void add(struct group *group, uint64_t nj)
{
	struct tally more = { .busy_ns = nj };

	for (int i = 0; i < _COLUMN_MAX; i++)
		more.nj[i] = nj * (uint64_t)(i + 1);
	tally_add(&group->total, &more);
	tally_add(&group->overhead, &more);
	tally_add(&group->cold, &more);
	group->pods++;
	group->cold_starts += nj;
}

/* Sums of one kind; also: no two groups are the same one. */
static uint64_t sum_of(const struct groups *groups, enum group_kind kind, uint32_t *ret_n)
{
	size_t n;
	const struct group *all = groups_all(groups, &n);
	uint64_t sum = 0, pods = 0;

	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		if (!all[i].key || all[i].key->kind != kind)
			continue;
		sum += all[i].total.busy_ns;
		pods += all[i].pods;
		*ret_n += i >= _GROUP_KIND_MAX;
		cr_assert(all[i].total.nj[1] == (nj_t)all[i].total.busy_ns * 2);
		cr_assert(not(memcmp(&all[i].total, &all[i].overhead, sizeof(all[i].total))));
		cr_assert(not(memcmp(&all[i].total, &all[i].cold, sizeof(all[i].total))));
		cr_assert(eq(u64, all[i].cold_starts, all[i].total.busy_ns));
		for (size_t k = 0; k < i; k++)
			cr_assert(not(all[k].key && all[k].key->kind == kind &&
				      !strcmp(all[k].key->name, all[i].key->name) &&
				      !strcmp(all[k].key->namespace, all[i].key->namespace)));
	}
	cr_assert(le(u64, pods, sum));
	return sum;
}

Test(groups, lose_nothing_in_any_history_of_any_size)
{
	for (uint32_t max = 0; max < 9; max++) {
		struct groups *groups = room_for(max);
		uint64_t truth[_GROUP_KIND_MAX] = { 0 };
		unsigned int seed = max;

		for (uint64_t t = 1; t < 3000; t++) {
			enum group_kind kind = (enum group_kind)(rand_r(&seed) % _GROUP_KIND_MAX);
			char name[16], space[16];
			struct group_key like = { .kind = kind, .namespace = space, .name = name };
			uint64_t nj = 1 + (uint64_t)rand_r(&seed);
			uint32_t n;

			snprintf(name, sizeof(name), "%d", rand_r(&seed) % 4);
			snprintf(space, sizeof(space), "%d", rand_r(&seed) % 4);
			if (rand_r(&seed) % 8 == 0)
				oom_after(0);
			add(groups_get(groups, &like, t), nj);
			oom_stop();
			truth[kind] += nj;
			cr_assert(eq(u64, sum_of(groups, kind, &n), truth[kind]));
			cr_assert(le(u32, n, max));
		}
		for (int kind = 0; kind < _GROUP_KIND_MAX && max; kind++)
			cr_assert(gt(u64, groups_folded(groups, (enum group_kind)kind), 0));
		groups_free(groups);
	}
}

Test(groups, give_room_to_the_newest_only)
{
	struct groups *groups = room_for(2);
	struct group_key a = { .kind = GROUP_NAMESPACE, .namespace = "a" };
	struct group_key b = { .kind = GROUP_NAMESPACE, .namespace = "b" };
	struct group_key c = { .kind = GROUP_NAMESPACE, .namespace = "c" };
	struct group_key other = { .kind = GROUP_WORKLOAD, .namespace = "b" };
	size_t n;

	add(groups_get(groups, &a, 1), 10);
	add(groups_get(groups, &b, 2), 20);
	add(groups_get(groups, &a, 3), 10);
	add(groups_get(groups, &other, 4), 70);
	add(groups_get(groups, &c, 5), 40);
	cr_assert(eq(u64, groups_get(groups, &a, 6)->total.busy_ns, 20));
	cr_assert(eq(u64, groups_get(groups, &c, 6)->total.busy_ns, 40));
	cr_assert(eq(u64, groups_all(groups, &n)[GROUP_NAMESPACE].total.busy_ns, 20));
	cr_assert(eq(u64, groups_get(groups, &other, 6)->total.busy_ns, 70));
	cr_assert(eq(u64, groups_folded(groups, GROUP_NAMESPACE), 1));
	cr_assert(eq(u64, groups_folded(groups, GROUP_WORKLOAD), 0));
	/* It comes back with nothing: what it had went to those without a name. */
	cr_assert(eq(u64, groups_get(groups, &b, 7)->total.busy_ns, 0));
	groups_free(groups);
}

Test(groups, of_no_name_are_one_for_each_kind)
{
	struct groups *groups = room_for(4);
	size_t n;
	const struct group *all = groups_all(groups, &n);

	for (int kind = 0; kind < _GROUP_KIND_MAX; kind++) {
		struct group_key like = { .kind = (enum group_kind)kind, .namespace = "" };

		cr_assert(eq(ptr, (void *)groups_get(groups, &like, 1), (void *)&all[kind]));
		cr_assert(eq(str, (char *)all[kind].key->namespace, ""));
		cr_assert(eq(str, (char *)all[kind].key->revision, ""));
		cr_assert(ne(str, (char *)group_kind_name((enum group_kind)kind), "?"));
	}
	groups_free(groups);
}

Test(groups, are_told_apart_by_every_part_of_their_key)
{
	struct groups *groups = room_for(16);
	const struct group_key keys[] = {
		{ .kind = GROUP_FUNCTION, .namespace = "ab", .name = "c" },
		{ .kind = GROUP_FUNCTION, .namespace = "a", .name = "bc" },
		{ .kind = GROUP_FUNCTION, .namespace = "a", .owner = "bc" },
		{ .kind = GROUP_FUNCTION, .namespace = "a", .revision = "bc" },
		{ .kind = GROUP_FUNCTION, .namespace = "abc" },
		{ .kind = GROUP_FUNCTION, .platform = FUNCTION_KNATIVE, .namespace = "abc" },
		{ .kind = GROUP_FUNCTION, .platform = FUNCTION_OPENWHISK },
		{ .kind = GROUP_WORKLOAD, .namespace = "abc" },
	};
	const size_t n = sizeof(keys) / sizeof(keys[0]);

	for (size_t i = 0; i < n; i++)
		add(groups_get(groups, &keys[i], i), 1ull << i);
	for (size_t i = 0; i < n; i++)
		cr_assert(eq(u64, groups_get(groups, &keys[i], i)->total.busy_ns, 1ull << i));
	groups_free(groups);
}

Test(groups, take_a_guessed_name_as_real_once_it_is_told)
{
	struct groups *groups = room_for(4);
	struct group_key guessed = { .kind = GROUP_WORKLOAD, .name = "web", .derived = true };
	struct group_key told = { .kind = GROUP_WORKLOAD, .name = "web" };
	struct group_key *key = group_key_ref(groups_get(groups, &guessed, 1)->key);

	add(groups_get(groups, &guessed, 1), 5);
	oom_after(0);
	cr_assert(eq(u64, groups_get(groups, &told, 2)->total.busy_ns, 5));
	cr_assert(oom_stop());
	cr_assert(groups_get(groups, &guessed, 3)->key->derived);
	cr_assert(not(groups_get(groups, &told, 4)->key->derived));
	cr_assert(not(groups_get(groups, &guessed, 5)->key->derived), "and it stays real");
	cr_assert(eq(u64, groups_get(groups, &guessed, 6)->total.busy_ns, 5));
	/* A snapshot may still show the old one. */
	groups_free(groups);
	cr_assert(key->derived);
	cr_assert(eq(str, (char *)key->name, "web"));
	group_key_unref(key);
}

Test(groups, are_found_again_until_they_make_room)
{
	struct groups *groups = room_for(2);
	struct group_ticket tickets[4];
	char name[2] = "a";
	struct group_key like = { .kind = GROUP_FUNCTION, .name = name };

	for (int i = 0; i < 4; i++) {
		struct group *group = groups_get(groups, &like, 1);

		name[0]++;
		tickets[i] = groups_ticket(groups, group);
		cr_assert(eq(ptr, (void *)groups_again(groups, tickets[i], 1), (void *)group));
	}
	cr_assert(eq(ptr, groups_again(groups, tickets[0], 2), NULL), "its place is another's");
	cr_assert(eq(ptr, groups_again(groups, tickets[1], 2), NULL));
	cr_assert(eq(str, (char *)groups_again(groups, tickets[2], 2)->key->name, "c"));
	/* That was an addition: the other one makes room first. */
	groups_get(groups, &like, 3);
	cr_assert(ne(ptr, groups_again(groups, tickets[2], 4), NULL));
	cr_assert(eq(ptr, groups_again(groups, tickets[3], 4), NULL));
	cr_assert(eq(ptr, groups_again(groups, (struct group_ticket){ 0 }, 4), NULL));
	like.name = "";
	cr_assert(eq(u32, groups_ticket(groups, groups_get(groups, &like, 5)).at, GROUP_NONE));
	groups_free(groups);
}

Test(groups, can_run_out_of_memory)
{
	OOM_SWEEP(n)
	{
		struct groups *groups = NULL;
		int r = groups_new(4, &groups);
		bool failed = oom_stop();

		cr_assert(eq(int, r, failed ? -ENOMEM : 0));
		cr_assert(failed == (groups == NULL));
		groups_free(groups);
	}
	group_key_unref(NULL);
	cr_assert(eq(ptr, group_key_ref(NULL), NULL));
}
