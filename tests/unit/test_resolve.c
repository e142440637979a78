/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "no_leaks.h"
#include "pod_facts.h"

TestSuite(resolve, .fini = no_leaks);

#define PAUSE 1
#define WEB   2
#define PROXY 3

/* A pod: its own cgroup, a pause container that nobody names, web, and a queue-proxy; each has run
 * for a second. */
static struct node *pod_of_four(uint64_t step_ns)
{
	struct node *node = node_started(16, 16);

	for (unsigned int i = 0; i < 4; i++) {
		born(node, 100 + i, path_of(1, i), 2 * SECOND + i * step_ns);
		fake_run(&node->fake, _OWNER_FIXED + i, 100 + i, 0, SECOND);
	}
	tick(node, 3 * SECOND, 4000);
	return node;
}

static void tell_four(struct node *node, bool all_started, enum function_platform platform)
{
	struct pod_container containers[] = { { .id = id_of(WEB), .name = "web", .cpu_milli = 5 },
					      { .id = id_of(PROXY), .name = "queue-proxy" } };
	struct pod pod = web_pod(1, POD_FROM_API);

	pod.all_started = all_started;
	pod.containers = containers;
	pod.n_containers = 2;
	pod.function = (struct function){ platform, "shop", "web", "web-1" };
	tell(node, &pod, 4 * SECOND, 0);
	roll(node, 4 * SECOND);
}

static bool is_sandbox(const struct node *node, unsigned int container)
{
	return account_of(node, 100 + container)->sandbox;
}

Test(resolve, finds_containers_and_the_pause_container)
{
	struct node *node = pod_of_four(1);

	tell_four(node, false, FUNCTION_NONE);
	cr_assert(eq(str, (char *)account_of(node, 102)->container->name, "web"));
	cr_assert(eq(ptr, (void *)account_of(node, 100)->container, NULL));
	cr_assert(not(is_sandbox(node, PAUSE)), "one may be missing");
	tell_four(node, true, FUNCTION_NONE);
	cr_assert(is_sandbox(node, PAUSE));
	cr_assert(not(is_sandbox(node, WEB)));
	cr_assert(not(is_sandbox(node, 0)));
	/* It stays one while another container starts again. */
	tell_four(node, false, FUNCTION_NONE);
	cr_assert(is_sandbox(node, PAUSE));
	node_free(node);
}

Test(resolve, finds_the_pause_container_of_a_pod_that_was_there_before_us)
{
	struct node *node = pod_of_four(0);

	tell_four(node, true, FUNCTION_NONE);
	cr_assert(is_sandbox(node, PAUSE));
	node_free(node);
}

Test(resolve, takes_no_later_container_for_the_sandbox)
{
	struct node *node = node_started(16, 16);

	born(node, 102, path_of(1, WEB), 2 * SECOND);
	born(node, 101, path_of(1, PAUSE), 3 * SECOND);
	tell_four(node, true, FUNCTION_NONE);
	cr_assert(not(is_sandbox(node, PAUSE)));
	/* Nor one that came after the facts, whatever else is known. */
	node_free(node);
	node = node_started(16, 16);
	tell_four(node, true, FUNCTION_NONE);
	born(node, 101, path_of(1, PAUSE), 5 * SECOND);
	born(node, 102, path_of(1, WEB), 6 * SECOND);
	roll(node, 6 * SECOND);
	cr_assert(eq(str, (char *)account_of(node, 102)->container->name, "web"));
	cr_assert(not(is_sandbox(node, PAUSE)));
	node_free(node);
}

Test(resolve, does_not_choose_between_two_that_nobody_knows)
{
	struct node *node = pod_of_four(0);

	born(node, 109, path_of(1, 9), 2 * SECOND);
	tell_four(node, true, FUNCTION_NONE);
	cr_assert(not(is_sandbox(node, PAUSE)));
	cr_assert(not(is_sandbox(node, 9)));
	node_free(node);
}

Test(resolve, believes_the_node_about_a_sandbox)
{
	struct node *node = pod_of_four(1);
	struct pod_container pause = { .id = id_of(PAUSE), .name = "", .role = CONTAINER_SANDBOX };
	struct pod local = web_pod(1, POD_FROM_LOCAL);

	local.containers = &pause;
	local.n_containers = 1;
	tell(node, &local, 3 * SECOND, 0);
	roll(node, 3 * SECOND);
	cr_assert(is_sandbox(node, PAUSE));
	/* The API server does not know it, and does not take it away. */
	tell_four(node, true, FUNCTION_NONE);
	cr_assert(is_sandbox(node, PAUSE));
	cr_assert(eq(int, account_of(node, 101)->container->role, CONTAINER_SANDBOX));
	node_free(node);
}

Test(resolve, counts_what_is_not_the_function_itself_as_overhead)
{
	struct node *node = pod_of_four(1);
	const struct group *group;

	tell_four(node, true, FUNCTION_KNATIVE);
	group = group_of(node, GROUP_FUNCTION, "web");
	/* The pod's own cgroup, pause and queue-proxy. */
	cr_assert(eq(u64, (uint64_t)group->total.nj[COLUMN_PACKAGE], 4000000));
	cr_assert(eq(u64, (uint64_t)group->overhead.nj[COLUMN_PACKAGE], 3000000));
	cr_assert(eq(u64, group->overhead.busy_ns, 3 * SECOND));
	for (unsigned int i = 0; i < 4; i++)
		ledger_gone(node->ledger, 100 + i, 5 * SECOND);
	roll(node, 905 * SECOND);
	cr_assert(eq(u64, group->overhead.busy_ns, 3 * SECOND), "folded or not");
	cr_assert(eq(u64, (uint64_t)group->total.nj[COLUMN_PACKAGE], 4000000));
	node_free(node);
	/* A container of that name is nothing special elsewhere. */
	node = pod_of_four(1);
	tell_four(node, true, FUNCTION_OPENWHISK);
	cr_assert(eq(u64, group_of(node, GROUP_FUNCTION, "web")->overhead.busy_ns, 2 * SECOND));
	node_free(node);
}

Test(resolve, asks_for_each_container_without_a_name_once)
{
	struct node *node = pod_of_four(1);

	roll(node, 3 * SECOND);
	cr_assert(eq(u32, ledger_unnamed(node->ledger), 3), "all but the pod's own cgroup");
	roll(node, 3 * SECOND);
	cr_assert(eq(u32, ledger_unnamed(node->ledger), 0));
	tell_four(node, true, FUNCTION_NONE);
	cr_assert(eq(u32, ledger_unnamed(node->ledger), 0));
	born(node, 109, path_of(1, 9), 5 * SECOND);
	born(node, 110, "/docker/" H, 5 * SECOND);
	born(node, 111, "/system.slice/a.service", 5 * SECOND);
	ledger_gone(node->ledger, 109, 5 * SECOND);
	roll(node, 6 * SECOND);
	cr_assert(eq(u32, ledger_unnamed(node->ledger), 2));
	/* What the facts name when it is met needs nobody. */
	node_free(node);
	node = node_started(16, 16);
	tell_four(node, false, FUNCTION_NONE);
	born(node, 102, path_of(1, WEB), 5 * SECOND);
	roll(node, 6 * SECOND);
	cr_assert(eq(u32, ledger_unnamed(node->ledger), 0));
	node_free(node);
}

Test(resolve, forgets_no_role_when_the_facts_forget_an_id)
{
	struct node *node = pod_of_four(1);
	struct pod later = web_pod(1, POD_FROM_API);

	tell_four(node, true, FUNCTION_KNATIVE);
	later.all_started = true;
	later.function = (struct function){ FUNCTION_KNATIVE, "shop", "web", "web-1" };
	tell(node, &later, 6 * SECOND, 0);
	roll(node, 6 * SECOND);
	cr_assert(eq(ptr, (void *)account_of(node, 102)->container, NULL));
	cr_assert(not(is_sandbox(node, WEB)));
	cr_assert(eq(u64, entry_of(node, uid_of(1))->overhead.busy_ns, 3 * SECOND));
	node_free(node);
}
