/* SPDX-License-Identifier: Apache-2.0 */
/* What a snapshot takes from a ledger that knows names. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>

#include "fake_node.h"
#include "platform/scope.h"
#include "unit/no_leaks.h"
#include "unit/oom.h"

TestSuite(snapshot_names, .fini = no_leaks);

#define CONTAINERS 40

static struct fake_node node;

static void open_node(void)
{
	cr_assert(eq(int, fake_node_open(&node, CONTAINERS), 0));
	for (int i = 0; i < 4; i++)
		cr_assert(eq(int, fake_node_publish(&node), 0));
}

/* Is the container one of these facts'? */
static bool is_held(const struct snapshot_pod *pod, const struct pod_container *container)
{
	for (int source = 0; source < _POD_SOURCE_MAX; source++) {
		const struct pod *facts = pod->facts[source];

		for (size_t i = 0; facts && i < facts->n_containers; i++) {
			if (&facts->containers[i] == container)
				return true;
		}
	}
	return false;
}

Test(snapshot_names, every_container_is_in_its_pod)
{
	struct snapshot *s;
	nj_t pods_nj = 0, containers_nj = 0;
	size_t n = 0;

	open_node();
	s = snapshot_current(node.pool);
	cr_assert(eq(sz, s->n_pods, CONTAINERS));
	for (size_t i = 0; i < s->n_accounts; i++) {
		const struct snapshot_account *account = &s->accounts[i];

		if (account->owner != OWNER_CGROUP) {
			cr_assert(eq(uint, account->pod, POD_NONE));
			continue;
		}
		n++;
		cr_assert(lt(sz, account->pod, s->n_pods));
		cr_assert(eq(str, (char *)s->pods[account->pod].key, account->name->is.pod_uid));
		cr_assert(account->container != NULL);
		cr_assert(eq(str, (char *)account->container->id, account->name->is.container_id));
		cr_assert(is_held(&s->pods[account->pod], account->container));
		containers_nj += account->nj[COLUMN_PACKAGE];
	}
	for (size_t i = 0; i < s->n_pods; i++) {
		cr_assert(s->pods[i].is_pod);
		pods_nj += s->pods[i].total.nj[COLUMN_PACKAGE];
	}
	cr_assert(eq(sz, n, CONTAINERS));
	cr_assert(pods_nj == containers_nj);
	snapshot_put(node.pool, s);
	fake_node_close(&node);
}

Test(snapshot_names, groups_have_what_their_pods_have)
{
	nj_t sums[_GROUP_KIND_MAX] = { 0 }, pods_nj = 0;
	struct snapshot *s;

	open_node();
	s = snapshot_current(node.pool);
	for (size_t i = 0; i < s->n_groups; i++)
		sums[s->groups[i].key->kind] += s->groups[i].total.nj[COLUMN_DRAM];
	for (size_t i = 0; i < s->n_pods; i++)
		pods_nj += s->pods[i].total.nj[COLUMN_DRAM];
	cr_assert(sums[GROUP_NAMESPACE] == pods_nj);
	cr_assert(sums[GROUP_WORKLOAD] == pods_nj);
	cr_assert(sums[GROUP_FUNCTION] > 0 && sums[GROUP_FUNCTION] < pods_nj);
	snapshot_put(node.pool, s);
	fake_node_close(&node);
}

Test(snapshot_names, a_steady_publish_allocates_nothing)
{
	open_node();
	for (int i = 0; i < 5; i++) {
		fake_node_tick(&node);
		oom_after(0);
		cr_assert(eq(int, fake_node_show(&node), 0));
		cr_assert(not(oom_stop()));
	}
	fake_node_close(&node);
}

Test(snapshot_names, facts_live_as_long_as_somebody_shows_them)
{
	char uid[] = "00000000-1111-2222-3333-000000000000";
	struct pod *later = pod_new(&(struct pod){
		.source = POD_FROM_API, .key = uid, .namespace = "new", .name = "name" });
	struct snapshot *held, *now;
	unsigned int refs;

	open_node();
	held = snapshot_current(node.pool);
	ledger_pod(node.ledger, later, node.t_ns, FAKE_WALL_NS + node.t_ns);
	refs = atomic_load(&later->refs);
	for (int i = 0; i < 5; i++)
		cr_assert(eq(int, fake_node_publish(&node), 0));
	now = snapshot_current(node.pool);
	for (size_t i = 0; i < held->n_pods; i++) {
		if (strcmp(held->pods[i].key, uid) == 0)
			cr_assert(eq(str, (char *)held->pods[i].facts[POD_FROM_API]->namespace,
				     "team-0"));
	}
	for (size_t i = 0; i < now->n_accounts; i++) {
		const struct snapshot_account *account = &now->accounts[i];

		if (account->pod == POD_NONE || strcmp(now->pods[account->pod].key, uid) != 0)
			continue;
		cr_assert(
			eq(str, (char *)now->pods[account->pod].facts[POD_FROM_API]->name, "name"));
		cr_assert(account->container == NULL, "the new facts know no container");
	}
	cr_assert(gt(uint, atomic_load(&later->refs), refs));
	snapshot_put(node.pool, held);
	snapshot_put(node.pool, now);
	snapshot_pool_free(node.pool);
	cr_assert(eq(uint, atomic_load(&later->refs), refs), "every reference came back");
	node.pool = NULL;
	fake_node_close(&node);
	pod_unref(later);
}

Test(snapshot_names, a_publish_that_fails_leaves_the_last_one)
{
	cr_assert(eq(int, fake_node_open(&node, CONTAINERS), 0));
	OOM_SWEEP(n)
	{
		struct snapshot *s;
		int r;

		oom_stop(); /* only what publishing allocates is to fail */
		fake_node_tick(&node);
		oom_after(n);
		r = fake_node_show(&node);
		cr_assert(eq(int, oom_stop() ? -ENOMEM : 0, r));
		s = snapshot_current(node.pool);
		cr_assert(eq(int, s != NULL, r == 0));
		snapshot_put(node.pool, s);
	}
	fake_node_close(&node);
}

Test(snapshot_names, what_scrapers_have_seen_reaches_the_sampler)
{
	struct snapshot_pool *pool;

	cr_assert(eq(int, snapshot_pool_new(&pool), 0));
	cr_assert(eq(u64, snapshot_seen(pool).twice_ns, UINT64_MAX), "nobody scrapes");
	cr_assert(eq(u64, snapshot_seen(pool).once_ns, UINT64_MAX), "nobody scrapes");
	snapshot_set_seen(pool, (struct snapshot_seen){ .twice_ns = 42, .once_ns = 43 });
	cr_assert(eq(u64, snapshot_seen(pool).twice_ns, 42));
	cr_assert(eq(u64, snapshot_seen(pool).once_ns, 43));
	snapshot_pool_free(pool);
}
