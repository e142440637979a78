/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account/pods_table.h"
#include "no_leaks.h"
#include "oom.h"
#include "pod_facts.h"

TestSuite(pods, .fini = no_leaks);

/* A pod with one container that ran for a second, got 1 mJ of package 0 and ended at t. */
static void short_pod(struct node *node, unsigned int pod, uint64_t t_ns)
{
	uint64_t id = 1000 + pod;

	born(node, id, path_of(pod, pod), t_ns - SECOND);
	fake_run(&node->fake, _OWNER_FIXED + pod % CGROUPS, id, 0, SECOND);
	tick(node, t_ns, 1000);
	ledger_gone(node->ledger, id, t_ns);
}

static bool is_seen(const struct node *node, unsigned int pod)
{
	const struct pod_entry *entry = entry_of(node, uid_of(pod));

	return entry && !entry->hidden;
}

Test(pods, are_made_by_the_first_that_comes)
{
	struct node *node = node_started(16, 16);
	struct pod first = web_pod(1, POD_FROM_API), second = web_pod(2, POD_FROM_LOCAL);

	tell(node, &first, SECOND, 0);
	born(node, 100, path_of(1, 1), 2 * SECOND);
	born(node, 200, path_of(2, 2), 2 * SECOND);
	tell(node, &second, 3 * SECOND, 0);
	roll(node, 3 * SECOND);
	for (unsigned int i = 1; i < 3; i++) {
		const struct pod_entry *entry = entry_of(node, uid_of(i));

		cr_assert(ne(ptr, (void *)pod_entry_facts(entry), NULL));
		cr_assert(eq(u32, entry->n_live, 1));
		cr_assert(eq(u64, entry->born_ns, 2 * SECOND));
		cr_assert(entry->is_pod);
	}
	node_free(node);
}

Test(pods, end_with_their_last_cgroup_and_live_again_with_the_next)
{
	struct node *node = node_started(16, 16);
	const struct pod_entry *entry;

	born(node, 100, path_of(1, 0), SECOND);
	born(node, 101, path_of(1, 1), SECOND);
	entry = entry_of(node, uid_of(1));
	ledger_gone(node->ledger, 101, 2 * SECOND);
	cr_assert(eq(u64, entry->ended_ns, 0));
	ledger_gone(node->ledger, 100, 3 * SECOND);
	cr_assert(eq(u64, entry->ended_ns, 3 * SECOND));
	cr_assert(eq(u32, entry->n_accounts, 2));
	born(node, 102, path_of(1, 2), 4 * SECOND);
	cr_assert(eq(u64, entry->ended_ns, 0));
	cr_assert(eq(u64, entry->born_ns, SECOND));
	roll(node, 4 * SECOND);
	node_free(node);
}

Test(pods, take_what_was_booked_before_their_cgroup_had_a_name)
{
	struct node *node = node_started(16, 16);

	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, 1000);
	ledger_gone(node->ledger, 100, 2 * SECOND);
	born(node, 100, path_of(1, 1), SECOND);
	roll(node, 3 * SECOND);
	cr_assert(eq(u64, entry_of(node, uid_of(1))->total.busy_ns, SECOND));
	cr_assert(eq(u64, entry_of(node, uid_of(1))->ended_ns, 2 * SECOND));
	node_free(node);
}

Test(pods, without_a_name_wait_unseen_for_fifteen_minutes)
{
	struct node *node = node_started(16, 1);
	struct pod web = web_pod(1, POD_FROM_API);

	for (unsigned int i = 1; i < 5; i++)
		short_pod(node, i, i * 10 * SECOND);
	roll(node, 50 * SECOND);
	for (unsigned int i = 1; i < 4; i++)
		cr_assert(not(is_seen(node, i)));
	cr_assert(is_seen(node, 4), "one tombstone is kept");
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, ""), 0));

	web.ended = true;
	tell(node, &web, 900 * SECOND, 0);
	roll(node, 900 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 1000000), "still in time");
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(1)), NULL), "and gone");
	cr_assert(eq(u64, ledger_folded_pods(node->ledger), 1));
	roll(node, 920 * SECOND);
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(2)), NULL), "too late");
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, ""), 1000000));
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, ""), 1000000));
	web = web_pod(2, POD_FROM_API);
	web.ended = true;
	tell(node, &web, 921 * SECOND, 0);
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(2)), NULL), "what is over makes no entry");
	node_free(node);
}

Test(pods, that_only_the_node_has_named_wait_for_their_function)
{
	struct node *node = node_started(16, 0);
	struct pod local = web_pod(1, POD_FROM_LOCAL), api = web_pod(1, POD_FROM_API);

	tell(node, &local, SECOND, 0);
	short_pod(node, 1, 10 * SECOND);
	roll(node, 10 * SECOND);
	cr_assert(entry_of(node, uid_of(1))->hidden);
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, "shop"), 1000000));
	api.ended = true;
	api.function = (struct function){ FUNCTION_OPENWHISK, "guest", "f", "" };
	tell(node, &api, 20 * SECOND, 0);
	ledger_pod_gone(node->ledger, POD_FROM_LOCAL, uid_of(1), 20 * SECOND);
	roll(node, 20 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_FUNCTION, "f"), 1000000));
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(1)), NULL));
	/* Where no API server is asked, what the node says is all there is. */
	local = web_pod(2, POD_FROM_LOCAL);
	tell(node, &local, 21 * SECOND, 0);
	short_pod(node, 2, 30 * SECOND);
	ledger_pod_gone(node->ledger, POD_FROM_LOCAL, uid_of(2), 30 * SECOND);
	ledger_roll(node->ledger, true, false, 30 * SECOND);
	ledger_fold(node->ledger, 30 * SECOND);
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(2)), NULL));
	node_free(node);
}

Test(pods, without_a_name_do_not_wait_where_nobody_names)
{
	struct node *node = node_started(16, 0);

	short_pod(node, 1, 10 * SECOND);
	ledger_roll(node->ledger, false, false, 10 * SECOND);
	ledger_fold(node->ledger, 10 * SECOND);
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(1)), NULL));
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, ""), 1000000));
	check_names(node->ledger);
	node_free(node);
}

Test(pods, are_kept_for_what_has_been_seen_as_accounts_are)
{
	struct node *node = node_started(16, 16);

	for (unsigned int i = 1; i < 4; i++) {
		struct pod web = web_pod(i, POD_FROM_API);

		tell(node, &web, SECOND, 0);
		short_pod(node, i, i * 10 * SECOND);
	}
	roll(node, 100 * SECOND);
	for (unsigned int i = 1; i < 4; i++)
		cr_assert(is_seen(node, i), "nobody scrapes");
	ledger_scraped(node->ledger, 25 * SECOND, UINT64_MAX);
	roll(node, 75 * SECOND);
	cr_assert(eq(ptr, (void *)account_of(node, 1001), NULL));
	cr_assert(ne(ptr, (void *)account_of(node, 1002), NULL), "too young");
	roll(node, 100 * SECOND);
	cr_assert(eq(ptr, (void *)account_of(node, 1002), NULL));
	cr_assert(ne(ptr, (void *)account_of(node, 1003), NULL), "not seen");
	cr_assert(is_seen(node, 3));
	ledger_scraped(node->ledger, UINT64_MAX, UINT64_MAX);
	roll(node, 929 * SECOND);
	cr_assert(ne(ptr, (void *)account_of(node, 1003), NULL));
	roll(node, 930 * SECOND);
	cr_assert(eq(ptr, (void *)account_of(node, 1003), NULL), "nothing is kept longer");
	node_free(node);
}

Test(pods, that_have_not_ended_keep_their_name_for_the_next_cgroup)
{
	struct node *node = node_started(16, 0);
	struct pod web = web_pod(1, POD_FROM_API);

	tell(node, &web, SECOND, 0);
	short_pod(node, 1, 10 * SECOND);
	roll(node, 10 * SECOND);
	cr_assert(eq(u64, entry_of(node, uid_of(1))->born_ns, 0), "only its name is left");
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 1000000));
	short_pod(node, 1, 20 * SECOND);
	roll(node, 20 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 2000000));
	ledger_pod_gone(node->ledger, POD_FROM_API, uid_of(1), 21 * SECOND);
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(1)), NULL));
	node_free(node);
}

Test(pods, keep_facts_that_are_gone_as_long_as_they_are_shown)
{
	struct node *node = node_started(16, 16);
	struct pod web = web_pod(1, POD_FROM_API);

	tell(node, &web, SECOND, 0);
	short_pod(node, 1, 10 * SECOND);
	ledger_pod_gone(node->ledger, POD_FROM_API, uid_of(1), 11 * SECOND);
	roll(node, 12 * SECOND);
	cr_assert(eq(str, (char *)pod_entry_facts(entry_of(node, uid_of(1)))->name, "web-1"));
	roll(node, 910 * SECOND);
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(1)), NULL));
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 1000000));
	node_free(node);
}

Test(pods, lose_nothing_when_a_cgroup_turns_out_to_be_of_another)
{
	struct node *node = node_started(16, 16);

	born(node, 100, path_of(1, 1), SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, 1000);
	roll(node, 2 * SECOND);
	born(node, 100, path_of(2, 1), SECOND);
	cr_assert(gt(u64, entry_of(node, uid_of(1))->ended_ns, 0));
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 3 * SECOND, 1000);
	roll(node, 3 * SECOND);
	for (unsigned int i = 1; i < 3; i++)
		cr_assert(eq(u64, entry_of(node, uid_of(i))->total.busy_ns, SECOND));
	/* A name that is told again is no other one. */
	born(node, 100, path_of(2, 1), SECOND);
	cr_assert(eq(u32, entry_of(node, uid_of(2))->n_accounts, 1));
	node_free(node);
}

Test(pods, believe_the_api_server_first)
{
	struct node *node = node_started(16, 16);
	struct pod local = web_pod(1, POD_FROM_LOCAL), api = web_pod(1, POD_FROM_API);
	const struct pod_entry *entry;

	api.namespace = "real";
	tell(node, &api, SECOND, 0);
	tell(node, &local, SECOND, 0);
	entry = entry_of(node, uid_of(1));
	cr_assert(eq(str, (char *)pod_entry_facts(entry)->namespace, "real"));
	ledger_pod_gone(node->ledger, POD_FROM_API, uid_of(1), SECOND);
	cr_assert(eq(str, (char *)pod_entry_facts(entry)->namespace, "shop"));
	ledger_pod_gone(node->ledger, POD_FROM_LOCAL, uid_of(1), SECOND);
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(1)), NULL));
	ledger_pod_gone(node->ledger, POD_FROM_LOCAL, uid_of(1), SECOND);
	node_free(node);
}

Test(pods, of_which_only_the_name_is_known_make_room_for_cgroups)
{
	struct node *node = node_started(3, 3);
	uint64_t dropped;

	for (unsigned int i = 1; i < 6; i++) {
		struct pod web = web_pod(i, POD_FROM_API);

		tell(node, &web, SECOND, 0);
	}
	cr_assert(eq(u64, ledger_dropped_pods(node->ledger), 2));
	for (unsigned int i = 11; i < 14; i++) {
		born(node, 100 + i, path_of(i, i), SECOND);
		cr_assert(ne(ptr, (void *)entry_of(node, uid_of(i)), NULL));
	}
	cr_assert(eq(u64, ledger_dropped_pods(node->ledger), 5));
	/* A full table gives up the oldest that waits for its name. */
	for (unsigned int i = 11; i < 14; i++)
		ledger_gone(node->ledger, 100 + i, i * SECOND);
	short_pod(node, 14, 20 * SECOND);
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(11)), NULL));
	cr_assert(ne(ptr, (void *)entry_of(node, uid_of(12)), NULL));
	dropped = ledger_dropped(node->ledger);
	roll(node, 20 * SECOND);
	cr_assert(eq(u64, dropped, 0));
	node_free(node);
}

Test(pods, with_keys_that_cannot_be_are_ignored)
{
	struct node *node = node_started(3, 3);
	char key[PATH_MAX_ID + 2];
	struct pod web = web_pod(1, POD_FROM_API);
	size_t n;

	web.key = "";
	tell(node, &web, SECOND, 0);
	memset(key, 'a', sizeof(key));
	key[PATH_MAX_ID] = '\0';
	web.key = key;
	tell(node, &web, SECOND, 0);
	ledger_pod_gone(node->ledger, POD_FROM_API, key, SECOND);
	ledger_pods(node->ledger, &n);
	cr_assert(eq(sz, n, 0));
	key[PATH_MAX_ID - 1] = '\0';
	tell(node, &web, SECOND, 0);
	cr_assert(ne(ptr, (void *)entry_of(node, key), NULL));
	node_free(node);
}

Test(pods, can_run_out_of_memory_when_their_table_is_made)
{
	OOM_SWEEP(n)
	{
		struct pods pods;
		int r = pods_init(&pods, 4);
		bool failed = oom_stop();

		cr_assert(eq(int, r, failed ? -ENOMEM : 0));
		pods_free(&pods);
	}
}

Test(pods, keep_a_container_that_waits_for_its_name_and_show_it_when_it_has_it)
{
	struct node *node = node_started(16, 16);
	struct pod web = web_pod(1, POD_FROM_API);

	short_pod(node, 1, 10 * SECOND);
	ledger_scraped(node->ledger, 99 * SECOND, UINT64_MAX);
	roll(node, 100 * SECOND);
	cr_assert(ne(ptr, (void *)account_of(node, 1001), NULL), "seen twice, but not by its name");
	tell(node, &web, 100 * SECOND, 0);
	roll(node, 101 * SECOND);
	ledger_scraped(node->ledger, 120 * SECOND, UINT64_MAX);
	roll(node, 159 * SECOND);
	cr_assert(ne(ptr, (void *)account_of(node, 1001), NULL),
		  "named less than its least time ago");
	roll(node, 161 * SECOND);
	cr_assert(eq(ptr, (void *)account_of(node, 1001), NULL));
	node_free(node);
}
