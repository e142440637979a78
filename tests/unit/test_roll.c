/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "account/ledger.h"
#include "no_leaks.h"
#include "oom.h"
#include "pod_facts.h"

TestSuite(roll, .fini = no_leaks);

/* One container in its pod, that has run for a second and got uj. */
static struct node *one_container(uint64_t uj)
{
	struct node *node = node_started(16, 16);

	born(node, 100, path_of(1, 1), SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, uj);
	return node;
}

static void run_on(struct node *node, uint64_t t_ns, uint64_t uj)
{
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, t_ns, uj);
}

Test(roll, gives_a_pod_to_its_groups_when_its_name_comes)
{
	struct node *node = one_container(1000);
	struct pod web = web_pod(1, POD_FROM_API);

	roll(node, 2 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, ""), 0), "it waits");
	cr_assert(eq(u64, (uint64_t)entry_of(node, uid_of(1))->total.nj[COLUMN_PACKAGE], 1000000));
	tell(node, &web, 3 * SECOND, 0);
	roll(node, 3 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, "shop"), 1000000));
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 1000000));
	cr_assert(eq(u64, group_of(node, GROUP_NAMESPACE, "shop")->total.busy_ns, SECOND));
	cr_assert(not(group_of(node, GROUP_WORKLOAD, "web")->key->derived));
	cr_assert(eq(str, (char *)group_of(node, GROUP_WORKLOAD, "web")->key->owner, "deployment"));
	run_on(node, 4 * SECOND, 500);
	roll(node, 4 * SECOND);
	roll(node, 5 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 1500000), "each joule once");
	node_free(node);
}

Test(roll, shows_a_new_group_with_0_until_everybody_has_seen_that)
{
	struct node *node = one_container(1000);
	struct pod web = web_pod(1, POD_FROM_API);

	ledger_scraped(node->ledger, SECOND, 2 * SECOND);
	tell(node, &web, 3 * SECOND, 0);
	roll(node, 3 * SECOND);
	cr_assert(ne(ptr, (void *)group_of(node, GROUP_NAMESPACE, "shop"), NULL));
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, "shop"), 0), "too new");
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 0), "too new");
	ledger_scraped(node->ledger, 2 * SECOND, 3 * SECOND);
	roll(node, 4 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, "shop"), 1000000));
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 1000000));
	run_on(node, 5 * SECOND, 500);
	roll(node, 5 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 1500000), "it is known now");
	node_free(node);
}

Test(roll, does_not_hold_a_group_up_for_a_scraper_that_has_gone)
{
	struct node *node = one_container(1000);
	struct pod web = web_pod(1, POD_FROM_API);

	ledger_scraped(node->ledger, SECOND, 2 * SECOND);
	tell(node, &web, 3 * SECOND, 0);
	roll(node, 3 * SECOND);
	roll(node, 150 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, "shop"), 0));
	roll(node, 153 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, "shop"), 1000000));
	node_free(node);
}

Test(roll, waits_for_nobody_where_nobody_names)
{
	struct node *node = one_container(1000);
	struct pod web = web_pod(1, POD_FROM_API);

	ledger_roll(node->ledger, false, false, 2 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, ""), 1000000));
	/* What is given stays where it is. */
	tell(node, &web, 3 * SECOND, 0);
	run_on(node, 3 * SECOND, 500);
	roll(node, 3 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, ""), 1000000));
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, "shop"), 500000));
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 1500000));
	node_free(node);
}

Test(roll, gives_containers_without_a_pod_to_no_namespace_at_once)
{
	struct node *node = node_started(16, 16);

	born(node, 100, "/docker/" H, SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, 1000);
	roll(node, 2 * SECOND);
	cr_assert(not(entry_of(node, H)->is_pod));
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, ""), 1000000));
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, ""), 0));
	node_free(node);
}

Test(roll, guesses_an_owner_only_where_nobody_can_tell)
{
	struct node *node = one_container(1000);
	struct pod local = web_pod(1, POD_FROM_LOCAL), api = web_pod(1, POD_FROM_API);

	api.workload.name = "shop-front";
	tell(node, &local, 3 * SECOND, 0);
	ledger_roll(node->ledger, true, true, 3 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, "shop"), 1000000));
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 0));
	ledger_roll(node->ledger, true, false, 4 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 1000000));
	cr_assert(group_of(node, GROUP_WORKLOAD, "web")->key->derived);
	tell(node, &api, 5 * SECOND, 0);
	run_on(node, 5 * SECOND, 500);
	roll(node, 5 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 1000000), "and never moves it");
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "shop-front"), 500000));
	node_free(node);
}

Test(roll, gives_a_function_what_its_pod_had_before_it_was_one)
{
	struct node *node = one_container(1000);
	struct pod pod = web_pod(1, POD_FROM_API);

	tell(node, &pod, 2 * SECOND, 0);
	roll(node, 2 * SECOND);
	pod.function = (struct function){ FUNCTION_OPENWHISK, "guest", "resize", "" };
	tell(node, &pod, 3 * SECOND, 0);
	roll(node, 3 * SECOND);
	roll(node, 4 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_FUNCTION, "resize"), 1000000));
	cr_assert(eq(u64, group_of(node, GROUP_FUNCTION, "resize")->pods, 1));
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, "shop"), 1000000));
	node_free(node);
}

Test(roll, gives_what_comes_after_a_fold_to_no_namespace)
{
	struct node *node = one_container(1000);
	struct pod web = web_pod(1, POD_FROM_API);

	tell(node, &web, 2 * SECOND, 0);
	ledger_gone(node->ledger, 100, 2 * SECOND);
	roll(node, 902 * SECOND);
	cr_assert(eq(ptr, (void *)account_of(node, 100), NULL));
	fake_run(&node->fake, 5, 100, 0, 900 * SECOND);
	tick(node, 903 * SECOND, 500);
	roll(node, 903 * SECOND);
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, "shop"), 1000000));
	cr_assert(eq(u64, group_nj(node, GROUP_NAMESPACE, ""), 500000));
	node_free(node);
}

/* ---- any history ------------------------------------------------------------------------------
 */

#define PODS       6
#define CONTAINERS 3 /* of each, and the pod's own cgroup */
#define CELLS      (PODS * (CONTAINERS + 1))

/* What is true of one cgroup, whatever the ledger was told. */
struct cell {
	uint64_t id; /* 0: not there */
	bool named;
	unsigned int life; /* a container that starts again has another id */
};

struct history {
	struct node *node;
	struct cell cells[CELLS];
	unsigned int uid[PODS]; /* a pod that is replaced has another one */
	uint64_t t_ns, next_id;
	unsigned int seed;
	bool starve; /* let allocations fail */
};

static unsigned int draw(struct history *h, unsigned int below)
{
	return (unsigned int)rand_r(&h->seed) % below;
}

static const char *path_at(const struct history *h, unsigned int at)
{
	unsigned int pod = at / (CONTAINERS + 1), container = at % (CONTAINERS + 1);

	return path_of(h->uid[pod],
		       container ? 1000 * h->uid[pod] + 10 * h->cells[at].life + container : 0);
}

static void some_facts(struct history *h, unsigned int pod)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	struct pod_container containers[CONTAINERS];
	unsigned int first = pod * (CONTAINERS + 1) + 1;
	struct pod like = { .source = draw(h, 2) ? POD_FROM_API : POD_FROM_LOCAL,
			    .key = uid_of(h->uid[pod]),
			    .namespace = names[draw(h, 5)],
			    .name = "pod",
			    .workload = { names[draw(h, 5)], names[draw(h, 5)], draw(h, 2) },
			    .ready_wall_ns = draw(h, 2) ? h->t_ns : 0,
			    .ended = draw(h, 8) == 0,
			    .all_started = draw(h, 2),
			    .containers = containers };

	if (draw(h, 2))
		like.function = (struct function){ (enum function_platform)draw(h, 3),
						   names[draw(h, 5)], names[draw(h, 5)], "1" };
	while (like.n_containers < CONTAINERS && draw(h, 3)) {
		const char *path = path_at(h, first + (unsigned int)like.n_containers);

		containers[like.n_containers] = (struct pod_container){
			.id = strdup(strrchr(path, '/') + 1),
			.name = draw(h, 4) ? "queue-proxy" : "user-container",
			.role = draw(h, 6) ? CONTAINER_MAIN : CONTAINER_SANDBOX,
			.cpu_milli = draw(h, 1000)
		};
		like.n_containers++;
	}
	tell(h->node, &like, h->t_ns, h->t_ns);
	for (size_t i = 0; i < like.n_containers; i++)
		free((char *)containers[i].id);
}

/* One thing happens to one cgroup or its pod. */
static void happen(struct history *h)
{
	unsigned int at = draw(h, CELLS), pod = at / (CONTAINERS + 1);
	struct cell *cell = &h->cells[at];
	struct ledger *ledger = h->node->ledger;
	struct name *name;

	switch (draw(h, 9)) {
	case 0:
	case 1:
		if (!cell->id)
			*cell = (struct cell){ .id = h->next_id++, .life = cell->life + 1 };
		cell->named = draw(h, 3) != 0;
		born(h->node, cell->id, cell->named ? path_at(h, at) : NULL, h->t_ns);
		break;
	case 2:
		if (!cell->id)
			break;
		/* Its name comes at the latest with its end: containers are law here. */
		born(h->node, cell->id, path_at(h, at), h->t_ns);
		ledger_gone(ledger, cell->id, h->t_ns);
		cell->id = 0;
		break;
	case 3:
	case 4:
		some_facts(h, pod);
		break;
	case 5:
		ledger_pod_gone(ledger, (enum pod_source)draw(h, 2), uid_of(h->uid[pod]), h->t_ns);
		break;
	case 6:
		name = draw(h, 2) ? name_new_vm(path_at(h, at), "qemu", "vm", "")
				  : name_new(path_at(h, at));
		if (cell->id && cell->named)
			ledger_rename(ledger, cell->id, name, h->t_ns);
		name_unref(name);
		break;
	case 7:
		for (unsigned int i = 0; i < PODS && draw(h, 8) == 0; i++)
			some_facts(h, i);
		break;
	case 8:
		ledger_scraped(ledger, draw(h, 2) ? UINT64_MAX : h->t_ns - draw(h, 3) * SECOND,
			       draw(h, 2) ? UINT64_MAX : h->t_ns - draw(h, 3) * SECOND);
		break;
	}
	check_book(ledger);
}

static void run_some(struct history *h)
{
	for (unsigned int i = 0; i < CELLS; i++) {
		const struct cell *cell = &h->cells[i];

		/* A row belongs to a cell, so that only few bring work after a fold. */
		if (cell->id && cell->named && draw(h, 3) == 0)
			fake_run(&h->node->fake, _OWNER_FIXED + i % CGROUPS, cell->id, draw(h, 2),
				 1 + draw(h, 1000000));
	}
	fake_run(&h->node->fake, OWNER_KERNEL, 0, 0, 1000);
	tick(h->node, h->t_ns, draw(h, 100000));
}

struct sums {
	struct tally space, work, function;
};

static void keep_growing(struct history *h, struct sums *seen)
{
	struct sums now = { 0 };
	size_t n;
	const struct group *groups = ledger_groups(h->node->ledger, &n);

	for (size_t i = 0; i < n; i++) {
		if (!groups[i].key)
			continue;
		tally_add(groups[i].key->kind == GROUP_NAMESPACE  ? &now.space
			  : groups[i].key->kind == GROUP_WORKLOAD ? &now.work
								  : &now.function,
			  &groups[i].total);
	}
	check_part(&seen->space, &now.space, "what namespaces had");
	check_part(&seen->work, &now.work, "what workloads had");
	check_part(&seen->function, &now.function, "what functions had");
	*seen = now;
}

static void live(struct history *h, unsigned int rounds)
{
	struct sums seen = { 0 };

	for (unsigned int round = 0; round < rounds; round++) {
		h->t_ns += draw(h, 4) ? SECOND : draw(h, 300) * SECOND;
		for (unsigned int i = draw(h, 8); i > 0; i--)
			happen(h);
		run_some(h);
		if (draw(h, 20) == 0)
			h->uid[draw(h, PODS)] = 10 + round;
		if (draw(h, 3) == 0)
			continue;
		if (h->starve)
			oom_after(draw(h, 3));
		ledger_roll(h->node->ledger, draw(h, 8), draw(h, 2), h->t_ns);
		oom_stop();
		check_names(h->node->ledger);
		ledger_fold(h->node->ledger, h->t_ns);
		check_book(h->node->ledger);
		check_names(h->node->ledger);
		keep_growing(h, &seen);
	}
}

static struct history *history_of(unsigned int seed, const struct node_choice *choice)
{
	struct history *h = calloc(1, sizeof(*h));

	h->node = node_with(choice);
	h->seed = seed;
	h->next_id = 100;
	h->t_ns = SECOND;
	tick(h->node, SECOND, 0);
	for (unsigned int i = 0; i < PODS; i++)
		h->uid[i] = i + 1;
	return h;
}

static void history_free(struct history *h)
{
	node_free(h->node);
	free(h);
}

Test(roll, loses_and_invents_nothing_in_any_history)
{
	for (unsigned int seed = 1; seed < 9; seed++) {
		struct history *h =
			history_of(seed, &(struct node_choice){ 2 * CELLS, 4, 3, IDLE_EQUALLY });

		live(h, 1500);
		cr_assert(gt(u64, ledger_folded_pods(h->node->ledger), 0));
		cr_assert(gt(u64, ledger_folded_groups(h->node->ledger, GROUP_WORKLOAD), 0));
		history_free(h);
	}
}

Test(roll, loses_and_invents_nothing_in_small_tables)
{
	for (unsigned int seed = 1; seed < 9; seed++) {
		struct history *h = history_of(seed, &(struct node_choice){ 7, 3, 1, 0 });

		live(h, 1500);
		cr_assert(gt(u64, ledger_dropped_pods(h->node->ledger), 0));
		history_free(h);
	}
}

Test(roll, loses_and_invents_nothing_without_memory)
{
	struct history *h = history_of(77, &(struct node_choice){ 2 * CELLS, 4, 64, 0 });

	h->starve = true;
	live(h, 3000);
	cr_assert(gt(u64, group_nj(h->node, GROUP_WORKLOAD, ""), 0));
	history_free(h);
}

Test(roll, allocates_for_new_groups_only)
{
	struct node *node = one_container(1000);
	struct pod web = web_pod(1, POD_FROM_API);

	tell(node, &web, 2 * SECOND, 0);
	roll(node, 2 * SECOND);
	run_on(node, 3 * SECOND, 1000);
	oom_after(0);
	ledger_roll(node->ledger, true, true, 3 * SECOND);
	ledger_fold(node->ledger, 3 * SECOND);
	cr_assert(not(oom_stop()));
	cr_assert(eq(u64, group_nj(node, GROUP_WORKLOAD, "web"), 2000000));
	node_free(node);
}
