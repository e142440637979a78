/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "no_leaks.h"
#include "pod_facts.h"

TestSuite(idle_share, .fini = no_leaks);

static struct node *sharing(enum idle_share idle)
{
	struct node *node = node_with(&(struct node_choice){ 16, 16, 0, idle });

	tick(node, SECOND, 0);
	return node;
}

/* A second in which nobody runs: all of it is idle energy. */
static void rest(struct node *node, uint64_t t_ns, uint64_t uj)
{
	tick(node, t_ns, uj);
	roll(node, t_ns);
}

static uint64_t idle_uj(const struct node *node, uint64_t id)
{
	return (uint64_t)(account_of(node, id)->idle_nj[COLUMN_PACKAGE] / 1000);
}

static nj_t shared_nj(const struct node *node, int column)
{
	size_t n;
	const struct account *accounts = ledger_accounts(node->ledger, &n);
	nj_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += accounts[i].idle_nj[column];
	return sum;
}

static nj_t idle_nj(const struct node *node, int column)
{
	size_t n;
	const struct zone_total *zones = ledger_zones(node->ledger, &n);
	nj_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (zones[i].column == column)
			sum += zones[i].bucket_nj[BUCKET_IDLE];
	return sum;
}

static void request(struct node *node, unsigned int pod, unsigned int container, uint32_t cpu_milli)
{
	struct pod_container one = { .id = id_of(container), .name = "c", .cpu_milli = cpu_milli };
	struct pod like = web_pod(pod, POD_FROM_API);

	like.containers = &one;
	like.n_containers = 1;
	tell(node, &like, SECOND, 0);
}

Test(idle_share, is_equal_for_pods_and_within_a_pod)
{
	struct node *node = sharing(IDLE_EQUALLY);

	born(node, 100, path_of(1, 0), SECOND);
	born(node, 101, path_of(1, 1), SECOND);
	born(node, 102, path_of(1, 2), SECOND);
	born(node, 201, path_of(2, 3), SECOND);
	born(node, 300, "/docker/" H, SECOND);
	born(node, 301, "/system.slice/a.service", SECOND);
	rest(node, 2 * SECOND, 4000);
	/* Two packages. */
	cr_assert(eq(u64, idle_uj(node, 101), 2000));
	cr_assert(eq(u64, idle_uj(node, 102), 2000));
	cr_assert(eq(u64, idle_uj(node, 201), 4000));
	cr_assert(eq(u64, idle_uj(node, 100), 0), "the pod's own cgroup");
	cr_assert(eq(u64, idle_uj(node, 300), 0), "no pod");
	cr_assert(eq(u64, idle_uj(node, 301), 0), "no container");
	cr_assert(eq(u64, (uint64_t)account_of(node, 201)->idle_nj[COLUMN_DRAM], 2000000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_IDLE), 4000), "the bucket keeps it");
	node_free(node);
}

Test(idle_share, is_by_request_for_those_that_have_one)
{
	struct node *node = sharing(IDLE_BY_REQUEST);

	born(node, 101, path_of(1, 1), SECOND);
	born(node, 201, path_of(2, 2), SECOND);
	born(node, 301, path_of(3, 3), SECOND);
	born(node, 401, path_of(4, 4), SECOND);
	rest(node, 2 * SECOND, 8000);
	cr_assert(shared_nj(node, COLUMN_PACKAGE) == 0, "nobody has asked for anything");
	request(node, 1, 1, 300);
	request(node, 2, 2, 100);
	request(node, 3, 3, 0);
	rest(node, 3 * SECOND, 4000);
	cr_assert(eq(u64, idle_uj(node, 101), 6000), "what nobody got is not made up for");
	cr_assert(eq(u64, idle_uj(node, 201), 2000));
	cr_assert(eq(u64, idle_uj(node, 301), 0));
	cr_assert(eq(u64, idle_uj(node, 401), 0));
	node_free(node);
}

Test(idle_share, gives_nothing_to_what_is_over)
{
	struct node *node = sharing(IDLE_EQUALLY);
	struct pod over = web_pod(2, POD_FROM_API);

	born(node, 101, path_of(1, 1), SECOND);
	born(node, 201, path_of(2, 2), SECOND);
	born(node, 301, path_of(3, 3), SECOND);
	ledger_gone(node->ledger, 101, SECOND);
	over.ended = true;
	tell(node, &over, SECOND, 0);
	rest(node, 2 * SECOND, 1000);
	cr_assert(eq(u64, idle_uj(node, 101), 0));
	cr_assert(eq(u64, idle_uj(node, 201), 0));
	cr_assert(eq(u64, idle_uj(node, 301), 2000));
	node_free(node);
}

Test(idle_share, counts_a_container_once_however_many_cgroups_it_has)
{
	struct node *node = sharing(IDLE_EQUALLY);
	char path[256];

	born(node, 101, path_of(1, 1), SECOND);
	snprintf(path, sizeof(path), "%s/init.scope", path_of(1, 1));
	born(node, 102, path, SECOND);
	born(node, 103, path_of(1, 2), SECOND);
	rest(node, 2 * SECOND, 1000);
	cr_assert(eq(u64, idle_uj(node, 101), 1000));
	cr_assert(eq(u64, idle_uj(node, 102), 0));
	cr_assert(eq(u64, idle_uj(node, 103), 1000));
	node_free(node);
}

Test(idle_share, gives_out_what_there_is_to_the_nanojoule)
{
	struct node *node = sharing(IDLE_EQUALLY);
	unsigned int seed = 3;
	nj_t before[_COLUMN_MAX] = { 0 }, given[_COLUMN_MAX] = { 0 };
	uint64_t t_ns = SECOND;

	ledger_set_static(node->ledger, ZONE_0, 0, 0.001);
	for (unsigned int round = 0; round < 2000; round++) {
		unsigned int pod = (unsigned int)rand_r(&seed) % 3;
		unsigned int container = 1 + pod * 3 + (unsigned int)rand_r(&seed) % 3;

		t_ns += SECOND;
		if (rand_r(&seed) % 2)
			born(node, 100 + container, path_of(pod, container), t_ns);
		else
			ledger_gone(node->ledger, 100 + container, t_ns);
		fake_run(&node->fake, _OWNER_FIXED + container, 100 + container, 0,
			 (uint64_t)rand_r(&seed) % SECOND);
		tick(node, t_ns, (uint64_t)rand_r(&seed) << (rand_r(&seed) % 24));
		for (int c = 0; c < _COLUMN_MAX; c++)
			before[c] = shared_nj(node, c);
		ledger_roll(node->ledger, true, true, t_ns);
		for (int c = 0; c < _COLUMN_MAX; c++) {
			nj_t share = shared_nj(node, c) - before[c],
			     new = idle_nj(node, c) - given[c];

			cr_assert(share == new || share == 0);
			given[c] += new;
		}
		ledger_fold(node->ledger, t_ns);
	}
	cr_assert(shared_nj(node, COLUMN_DRAM) > 0);
	node_free(node);
}

Test(idle_share, is_nobodys_unless_asked_for)
{
	struct node *node = sharing(IDLE_NOT_SHARED);

	born(node, 101, path_of(1, 1), SECOND);
	rest(node, 2 * SECOND, 1000);
	cr_assert(shared_nj(node, COLUMN_PACKAGE) == 0);
	node_free(node);
}
