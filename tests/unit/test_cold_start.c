/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "no_leaks.h"
#include "pod_facts.h"

TestSuite(cold_start, .fini = no_leaks);

#define WALL (1700000000 * SECOND)

static void run_pod(struct node *node, uint64_t t_ns)
{
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, t_ns, 1000);
}

/* A pod born at 2 s that has run for two seconds. */
static struct node *young_pod(void)
{
	struct node *node = node_started(16, 16);

	born(node, 100, path_of(1, 1), 2 * SECOND);
	run_pod(node, 3 * SECOND);
	run_pod(node, 4 * SECOND);
	return node;
}

static struct pod knative(uint64_t ready_wall_ns)
{
	struct pod pod = web_pod(1, POD_FROM_API);

	pod.function = (struct function){ FUNCTION_KNATIVE, "shop", "f", "f-1" };
	pod.ready_wall_ns = ready_wall_ns;
	return pod;
}

static struct pod openwhisk(bool has_function)
{
	struct pod pod = web_pod(1, POD_FROM_API);

	if (has_function)
		pod.function = (struct function){ FUNCTION_OPENWHISK, "guest", "f", "" };
	pod.prewarm = !has_function;
	return pod;
}

static void expect(const struct node *node, uint64_t starts, uint64_t uj)
{
	const struct group *group = group_of(node, GROUP_FUNCTION, "f");

	cr_assert(ne(ptr, (void *)group, NULL));
	cr_assert(eq(u64, group->cold_starts, starts));
	cr_assert(eq(u64, (uint64_t)group->cold.nj[COLUMN_PACKAGE], uj * 1000));
	cr_assert(eq(u64, group->cold.busy_ns, uj / 1000 * SECOND));
	cr_assert(eq(u64, group->pods, 1));
}

Test(cold_start, of_knative_lasts_until_the_pod_is_ready)
{
	struct node *node = young_pod();
	struct pod starting = knative(0), ready = knative(WALL), again = knative(WALL + SECOND);

	tell(node, &starting, 3 * SECOND, WALL - SECOND);
	roll(node, 3 * SECOND);
	expect(node, 0, 0);
	/* The joules of now, not those of the next roll. */
	tell(node, &ready, 4 * SECOND, WALL + SECOND);
	run_pod(node, 5 * SECOND);
	roll(node, 5 * SECOND);
	expect(node, 1, 2000);
	cr_assert(eq(u64, group_nj(node, GROUP_FUNCTION, "f"), 3000000));
	run_pod(node, 6 * SECOND);
	tell(node, &starting, 6 * SECOND, WALL + 2 * SECOND);
	tell(node, &again, 6 * SECOND, WALL + 2 * SECOND);
	roll(node, 6 * SECOND);
	expect(node, 1, 2000);
	node_free(node);
}

Test(cold_start, that_we_hear_of_too_late_is_not_counted)
{
	struct node *node = young_pod();
	struct pod ready = knative(WALL), again = knative(WALL + 7 * SECOND);

	tell(node, &ready, 4 * SECOND, WALL + 5 * SECOND + 1);
	tell(node, &again, 4 * SECOND, WALL + 7 * SECOND);
	roll(node, 4 * SECOND);
	expect(node, 0, 0);
	node_free(node);
}

Test(cold_start, of_what_was_there_before_us_is_not_counted)
{
	struct node *node = node_new(16, 16);
	struct pod ready = knative(WALL), empty = openwhisk(false), full = openwhisk(true);

	born(node, 100, path_of(1, 1), SECOND);
	tick(node, SECOND, 0);
	run_pod(node, 2 * SECOND);
	tell(node, &ready, 2 * SECOND, WALL);
	roll(node, 2 * SECOND);
	expect(node, 0, 0);
	node_free(node);

	node = node_new(16, 16);
	born(node, 100, path_of(1, 1), SECOND);
	tell(node, &empty, SECOND, WALL);
	tick(node, SECOND, 0);
	run_pod(node, 2 * SECOND);
	tell(node, &full, 2 * SECOND, WALL);
	roll(node, 2 * SECOND);
	expect(node, 0, 0);
	node_free(node);
}

Test(cold_start, of_openwhisk_lasts_until_the_action_comes)
{
	struct node *node = young_pod();
	struct pod empty = openwhisk(false), full = openwhisk(true);

	tell(node, &empty, 4 * SECOND, WALL);
	for (uint64_t t = 100; t < 110; t++)
		run_pod(node, t * SECOND);
	tell(node, &full, 110 * SECOND, WALL);
	run_pod(node, 111 * SECOND);
	tell(node, &full, 111 * SECOND, WALL);
	roll(node, 111 * SECOND);
	cr_assert(eq(u64, group_of(node, GROUP_FUNCTION, "f")->cold_starts, 1));
	cr_assert(eq(u64, group_of(node, GROUP_FUNCTION, "f")->cold.busy_ns, 12 * SECOND));
	cr_assert(eq(u64, group_of(node, GROUP_FUNCTION, "f")->total.busy_ns, 13 * SECOND));
	node_free(node);
}

Test(cold_start, of_an_openwhisk_pod_that_was_never_empty_is_counted_while_it_is_young)
{
	struct node *node = young_pod();
	struct pod full = openwhisk(true), local = openwhisk(false);

	tell(node, &full, 7 * SECOND, WALL);
	roll(node, 7 * SECOND);
	expect(node, 1, 2000);
	node_free(node);

	node = young_pod();
	/* The node's files know no labels: that they show none says nothing. */
	local.source = POD_FROM_LOCAL;
	tell(node, &local, 4 * SECOND, WALL);
	tell(node, &full, 7 * SECOND + 1, WALL);
	roll(node, 8 * SECOND);
	expect(node, 0, 0);
	node_free(node);
}

Test(cold_start, has_what_was_booked_before_the_cgroup_had_a_name)
{
	struct node *node = node_started(16, 16);
	struct pod ready = knative(WALL);

	run_pod(node, 3 * SECOND);
	run_pod(node, 4 * SECOND);
	roll(node, 4 * SECOND);
	born(node, 100, path_of(1, 1), 2 * SECOND);
	tell(node, &ready, 4 * SECOND, WALL);
	roll(node, 4 * SECOND);
	expect(node, 1, 2000);
	node_free(node);
}

Test(cold_start, of_a_pod_that_ended_at_once_is_not_lost)
{
	struct node *node = node_started(16, 0);
	struct pod ready = knative(WALL);

	born(node, 100, path_of(1, 1), 2 * SECOND);
	run_pod(node, 3 * SECOND);
	run_pod(node, 4 * SECOND);
	ready.ended = true;
	tell(node, &ready, 4 * SECOND, WALL);
	ledger_gone(node->ledger, 100, 4 * SECOND);
	ledger_fold(node->ledger, 4 * SECOND);
	cr_assert(eq(ptr, (void *)entry_of(node, uid_of(1)), NULL));
	expect(node, 1, 2000);
	roll(node, 5 * SECOND);
	node_free(node);
}
