/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger node: a small machine with a ledger, for the tests of what is in account/. */
#ifndef PODJOULE_LEDGER_NODE_H
#define PODJOULE_LEDGER_NODE_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "account/ledger.h"
#include "sim/book_laws.h"
#include "sim/fake_activity.h"

#define SECOND 1000000000ull
#define H      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A node with two packages of two CPUs: package 0, package 1, dram 0, psys. */
enum { ZONE_0, ZONE_1, ZONE_D, ZONE_P, N_ZONES };
#define CGROUPS 16
#define ROWS    (CGROUPS + _OWNER_FIXED)

struct node {
	struct ledger *ledger;
	struct fake_activity fake;
	struct energy energy;
	struct reading readings[N_ZONES];
};

static inline struct zone zone_of(enum zone_kind kind, int package)
{
	return (struct zone){ .kind = kind,
			      .package = package,
			      .unit = ZONE_COUNTS_UJ,
			      .quality = QUALITY_MEASURED,
			      .source = "fake",
			      .period_ns = 1000000 };
}

static inline struct ledger_config config_of(const struct node *node, uint32_t max_accounts,
					     uint32_t tombstones)
{
	return (struct ledger_config){ .max_accounts = max_accounts,
				       .max_rows = ROWS,
				       .tombstones = tombstones,
				       .keep_min_ns = 60 * SECOND,
				       .keep_max_ns = 900 * SECOND,
				       .n_packages = 2,
				       .topology = &node->fake.topology };
}

struct node_choice {
	uint32_t max_accounts, tombstones, max_groups;
	enum idle_share idle;
};

static inline struct node *node_with(const struct node_choice *choice)
{
	struct node *node = calloc(1, sizeof(*node));
	struct ledger_config config = config_of(node, choice->max_accounts, choice->tombstones);

	config.max_groups = choice->max_groups;
	config.idle = choice->idle;
	fake_activity_init(&node->fake, ROWS, 2, 4);
	node->energy.zones[ZONE_0] = zone_of(ZONE_PACKAGE, 0);
	node->energy.zones[ZONE_1] = zone_of(ZONE_PACKAGE, 1);
	node->energy.zones[ZONE_D] = zone_of(ZONE_DRAM, 0);
	node->energy.zones[ZONE_P] = zone_of(ZONE_PSYS, -1);
	node->energy.n_zones = N_ZONES;
	cr_assert(eq(int, ledger_new(&config, &node->energy, &node->ledger), 0));
	return node;
}

static inline struct node *node_new(uint32_t max_accounts, uint32_t tombstones)
{
	return node_with(
		&(struct node_choice){ .max_accounts = max_accounts, .tombstones = tombstones });
}

static inline void node_free(struct node *node)
{
	ledger_free(node->ledger);
	fake_activity_free(&node->fake);
	free(node);
}

/* A tick in which every zone gives uj. */
static inline void tick(struct node *node, uint64_t t_ns, uint64_t uj)
{
	node->fake.activity.t_ns = t_ns;
	for (int i = 0; i < N_ZONES; i++) {
		node->readings[i].value += uj;
		node->readings[i].t_ns = t_ns;
	}
	ledger_tick(node->ledger, &node->fake.activity, node->readings);
	check_book(node->ledger);
	fake_begin(&node->fake, t_ns);
}

static inline struct node *node_started(uint32_t max_accounts, uint32_t tombstones)
{
	struct node *node = node_new(max_accounts, tombstones);

	tick(node, SECOND, 0);
	return node;
}

static inline void born(struct node *node, uint64_t cgroup_id, const char *path, uint64_t t_ns)
{
	struct name *name = path ? name_new(path) : NULL;

	ledger_born(node->ledger, cgroup_id, name, t_ns);
	name_unref(name);
	check_book(node->ledger);
}

static inline const struct account *account_of(const struct node *node, uint64_t cgroup_id)
{
	size_t n;
	const struct account *accounts = ledger_accounts(node->ledger, &n);

	for (size_t i = _OWNER_FIXED; i < n; i++)
		if (accounts[i].cgroup_id == cgroup_id && !accounts[i].ended_ns)
			return &accounts[i];
	for (size_t i = _OWNER_FIXED; i < n; i++)
		if (accounts[i].cgroup_id == cgroup_id)
			return &accounts[i];
	return NULL;
}

static inline const struct zone_total *zone_at(const struct node *node, size_t i)
{
	size_t n;

	return &ledger_zones(node->ledger, &n)[i];
}

static inline uint64_t bucket_uj(const struct node *node, size_t zone, enum bucket bucket)
{
	return (uint64_t)(zone_at(node, zone)->bucket_nj[bucket] / 1000);
}

static inline uint64_t package_nj(const struct account *account)
{
	return (uint64_t)account->nj[COLUMN_PACKAGE];
}

#endif
