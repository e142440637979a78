/* SPDX-License-Identifier: Apache-2.0 */
/* Fake node: the real ledger and snapshot pool under containers that are made up. */
#ifndef PODJOULE_FAKE_NODE_H
#define PODJOULE_FAKE_NODE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/ledger.h"
#include "expose/snapshot.h"
#include "names/names.h"
#include "platform/host.h"

struct fake_node {
	struct topology topology;
	struct energy energy;
	struct activity activity;
	struct ledger *ledger;
	struct snapshot_pool *pool;
	struct node_facts facts;
	struct agent_stats stats;
	struct reading readings[2];
	uint32_t n;
	uint64_t t_ns;
	uint64_t random;
};

static inline uint64_t fake_random(struct fake_node *node)
{
	node->random = node->random * 6364136223846793005u + 1442695040888963407u;
	return node->random >> 20;
}

static inline void fake_zone(struct fake_node *node, enum zone_kind kind)
{
	struct zone *zone = &node->energy.zones[node->energy.n_zones++];

	*zone = (struct zone){ .kind = kind,
			       .device = "0",
			       .unit = ZONE_COUNTS_UJ,
			       .quality = QUALITY_MEASURED,
			       .source = "powercap",
			       .max_uw = 1000000000,
			       .period_ns = 1000000,
			       .error_ratio = 0.01 };
}

static inline void fake_name(struct fake_node *node, uint32_t i)
{
	char path[300];
	struct name *name;

	snprintf(path, sizeof(path),
		 "/kubepods.slice/kubepods-burstable.slice/"
		 "kubepods-burstable-pod%08x_1111_2222_3333_"
		 "%012x.slice/cri-containerd-%016llx%016llx%016llx%016llx.scope",
		 i, i, (unsigned long long)fake_random(node), (unsigned long long)fake_random(node),
		 (unsigned long long)fake_random(node), (unsigned long long)fake_random(node));
	name = name_new(path);
	ledger_born(node->ledger, 1000 + i, name, node->t_ns);
	name_unref(name);
}

/* One second passes, everything works a random bit; then a snapshot is published. */
static inline int fake_node_publish(struct fake_node *node)
{
	struct activity *activity = &node->activity;

	node->t_ns += 1000000000;
	activity->t_ns = node->t_ns;
	activity->n_active = 0;
	for (uint32_t row = 0; row < _OWNER_FIXED + node->n; row++) {
		struct usage *usage = &activity->rows[row].usage;
		uint64_t step_ns = fake_random(node) % 1000000;

		usage->busy_ns += step_ns;
		usage->cycles += 3 * step_ns;
		usage->instructions += 4 * step_ns;
		usage->voluntary += fake_random(node) % 100;
		usage->involuntary += fake_random(node) % 10;
		activity->weight[row] += step_ns;
		activity->active[activity->n_active++] = row;
	}
	for (int zone = 0; zone < 2; zone++) {
		node->readings[zone].value += 50000000 + fake_random(node) % 10000000;
		node->readings[zone].t_ns = node->t_ns;
	}
	ledger_tick(node->ledger, activity, node->readings);
	node->stats.samples++;
	return snapshot_publish(node->pool, node->ledger, &node->facts, &node->stats, node->t_ns,
				1700000000000000000u + node->t_ns, 2);
}

/* Nothing is published yet.  0 or -ENOMEM; close it either way. */
static inline int fake_node_open(struct fake_node *node, uint32_t n_containers)
{
	const struct ledger_config config = { .max_accounts = n_containers + 16,
					      .max_rows = _OWNER_FIXED + n_containers,
					      .tombstones = 16,
					      .keep_min_ns = 60000000000,
					      .keep_max_ns = 900000000000,
					      .n_packages = 1,
					      .topology = &node->topology };
	struct activity *activity = &node->activity;

	*node = (struct fake_node){ .n = n_containers, .t_ns = host_monotonic_ns(), .random = 1 };
	node->topology.n_cpus = node->topology.n_online = 2;
	node->topology.n_packages = node->topology.n_cores = 1;
	node->topology.online[0] = node->topology.online[1] = true;
	node->facts = (struct node_facts){ .node = "node-1",
					   .cpu = "a processor",
					   .kernel = "6.1.0",
					   .tier = "host",
					   .sockets = 1,
					   .cores = 1,
					   .threads = 2,
					   .activity = "bpf",
					   .hierarchy = "unified",
					   .has_counters = true,
					   .publish_ns = 1000000000,
					   .start_wall_ns = 1700000000000000000u + node->t_ns,
					   .start_mono_ns = node->t_ns };
	fake_zone(node, ZONE_PACKAGE);
	fake_zone(node, ZONE_DRAM);
	activity->capacity = config.max_rows;
	activity->rows = calloc(activity->capacity, sizeof(*activity->rows));
	activity->weight = calloc(activity->capacity, sizeof(*activity->weight));
	activity->active = calloc(activity->capacity, sizeof(*activity->active));
	activity->n_packages = 1;
	activity->cpus = 2;
	activity->has_counters = true;
	if (!activity->rows || !activity->weight || !activity->active)
		return -ENOMEM;
	if (ledger_new(&config, &node->energy, &node->ledger) < 0 ||
	    snapshot_pool_new(&node->pool) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_containers; i++) {
		activity->rows[_OWNER_FIXED + i].cgroup_id = 1000 + i;
		fake_name(node, i);
	}
	return 0;
}

static inline void fake_node_close(struct fake_node *node)
{
	ledger_free(node->ledger);
	snapshot_pool_free(node->pool);
	free(node->activity.rows);
	free(node->activity.weight);
	free(node->activity.active);
}

#endif
