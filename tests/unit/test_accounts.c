/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>

#include "account/ledger.h"
#include "ledger_node.h"
#include "no_leaks.h"

TestSuite(accounts, .fini = no_leaks);

Test(accounts, notices_that_a_row_has_a_new_owner)
{
	struct node *node = node_started(8, 8);

	fake_run(&node->fake, 5, 100, 0, 5 * SECOND);
	tick(node, 2 * SECOND, 1000);
	fake_run(&node->fake, 5, 200, 0, 7 * SECOND);
	tick(node, 3 * SECOND, 1000);
	fake_run(&node->fake, 5, 200, 0, SECOND);
	tick(node, 4 * SECOND, 1000);
	cr_assert(eq(u64, account_of(node, 100)->usage.busy_ns, 5 * SECOND));
	cr_assert(eq(u64, account_of(node, 200)->usage.busy_ns, 8 * SECOND));
	cr_assert(eq(u64, package_nj(account_of(node, 200)), 2000000));
	node_free(node);
}

Test(accounts, keeps_ended_accounts_for_their_time)
{
	struct node *node = node_started(8, 8);

	born(node, 100, "/docker/" H, SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, 7000);
	ledger_gone(node->ledger, 100, 2 * SECOND);
	/* What is booked after the end still counts. */
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 3 * SECOND, 7000);
	ledger_fold(node->ledger, 901 * SECOND);
	cr_assert(eq(u64, package_nj(account_of(node, 100)), 14000000));
	cr_assert(eq(u64, account_of(node, 100)->ended_ns, 2 * SECOND));

	ledger_fold(node->ledger, 902 * SECOND);
	check_book(node->ledger);
	cr_assert(eq(ptr, (void *)account_of(node, 100), NULL));
	cr_assert(eq(u64, ledger_folded(node->ledger)[BUCKET_CONTAINERS].n, 1));
	cr_assert(
		eq(u64, (uint64_t)ledger_folded(node->ledger)[BUCKET_CONTAINERS].nj[0], 14000000));

	/* And so does what its row brings after that. */
	fake_run(&node->fake, 5, 100, 0, 900 * SECOND);
	tick(node, 903 * SECOND, 7000);
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_CONTAINERS), 21000));
	cr_assert(eq(u64, ledger_folded(node->ledger)[BUCKET_CONTAINERS].usage.busy_ns,
		     902 * SECOND));
	node_free(node);
}

Test(accounts, folds_the_oldest_beyond_the_maximum)
{
	struct node *node = node_started(CGROUPS, 3);

	for (uint64_t id = 100; id < 108; id++) {
		born(node, id, "/docker/" H, SECOND);
		fake_run(&node->fake, (uint32_t)id - 95, id, 0, SECOND);
	}
	tick(node, 2 * SECOND, 8000);
	for (uint64_t id = 107; id >= 100; id--)
		ledger_gone(node->ledger, id, 3 * SECOND);
	ledger_fold(node->ledger, 3 * SECOND);
	check_book(node->ledger);
	for (uint64_t id = 100; id < 108; id++)
		cr_expect(eq(int, account_of(node, id) != NULL, id < 103), "%d", (int)id);
	cr_assert(eq(u64, ledger_folded(node->ledger)[BUCKET_CONTAINERS].n, 5));
	node_free(node);
}

Test(accounts, pays_for_what_a_folded_account_ran_before_a_late_reading)
{
	struct node *node = node_started(8, 0);

	born(node, 100, "/docker/" H, SECOND);
	node->readings[ZONE_0].error = -EIO;
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, 1000);
	ledger_gone(node->ledger, 100, 2 * SECOND);
	ledger_fold(node->ledger, 2 * SECOND);
	/* Its place in the table is taken at once. */
	born(node, 200, "/system.slice/a.service", 2 * SECOND);
	fake_run(&node->fake, 6, 200, 0, SECOND);
	node->readings[ZONE_0].error = 0;
	tick(node, 3 * SECOND, 1000);
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_CONTAINERS), 1000));
	cr_assert(eq(u64, package_nj(account_of(node, 200)), 1000000));
	node_free(node);
}

Test(accounts, loses_nothing_when_the_table_is_full)
{
	struct node *node = node_started(2, 2);
	uint64_t cpu_ns[_BUCKET_MAX];

	for (uint64_t id = 100; id < 104; id++)
		fake_run(&node->fake, (uint32_t)id - 95, id, 0, SECOND);
	tick(node, 2 * SECOND, 4000);
	cr_assert(eq(u64, ledger_dropped(node->ledger), 2));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_UNATTRIBUTED), 2000));
	ledger_cpu_ns(node->ledger, cpu_ns);
	cr_assert(eq(u64, cpu_ns[BUCKET_UNATTRIBUTED], 2 * SECOND));

	/* Where one ends, the next one finds its place; it was counted once. */
	ledger_gone(node->ledger, 100, 2 * SECOND);
	fake_run(&node->fake, 8, 103, 0, SECOND);
	tick(node, 3 * SECOND, 4000);
	cr_assert(eq(u64, account_of(node, 103)->usage.busy_ns, SECOND));
	cr_assert(eq(u64, ledger_dropped(node->ledger), 2));
	node_free(node);
}

Test(accounts, prefers_who_runs_to_who_only_has_a_name)
{
	struct node *node = node_started(2, 2);

	born(node, 100, "/a", SECOND);
	born(node, 200, "/b", SECOND);
	born(node, 300, "/c", SECOND);
	cr_assert(eq(u64, ledger_dropped(node->ledger), 1));
	fake_run(&node->fake, 5, 400, 0, SECOND);
	fake_run(&node->fake, 6, 500, 0, SECOND);
	tick(node, 2 * SECOND, 4000);
	cr_assert(ne(ptr, (void *)account_of(node, 400), NULL));
	cr_assert(ne(ptr, (void *)account_of(node, 500), NULL));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_UNATTRIBUTED), 0));
	node_free(node);
}

Test(accounts, keeps_two_cgroups_of_one_id_apart)
{
	struct node *node = node_started(8, 8);
	uint64_t old_nj;

	born(node, 100, "/docker/" H, SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, 4000);
	ledger_gone(node->ledger, 100, 2 * SECOND);
	old_nj = package_nj(account_of(node, 100));
	born(node, 100, "/system.slice/a.service", 3 * SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 4 * SECOND, 9000);
	cr_assert(eq(u64, old_nj, 4000000));
	cr_assert(eq(u64, account_of(node, 100)->ended_ns, 0));
	cr_assert(eq(u64, package_nj(account_of(node, 100)), 9000000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_CONTAINERS), 4000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_SYSTEM), 9000));
	node_free(node);
}

Test(accounts, ends_what_nobody_names_and_nobody_ends)
{
	struct node *node = node_started(8, 8);

	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, 4000);
	ledger_fold(node->ledger, 902 * SECOND);
	cr_assert(eq(u64, account_of(node, 100)->ended_ns, 0));
	ledger_fold(node->ledger, 903 * SECOND);
	cr_assert(eq(u64, account_of(node, 100)->ended_ns, 903 * SECOND));
	ledger_fold(node->ledger, 1803 * SECOND);
	cr_assert(eq(ptr, (void *)account_of(node, 100), NULL));
	cr_assert(eq(u64, ledger_folded(node->ledger)[BUCKET_SYSTEM].usage.busy_ns, SECOND));
	check_book(node->ledger);
	node_free(node);
}
