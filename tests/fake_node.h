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

#define FAKE_WALL_NS 1700000000000000000u

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

/* Its container's id, and its pod's uid as the API server writes it. */
static inline void fake_ids(struct fake_node *node, uint32_t i, char id[65], char uid[37])
{
	unsigned long long parts[4];

	for (size_t k = 0; k < 4; k++)
		parts[k] = fake_random(node);
	snprintf(id, 65, "%016llx%016llx%016llx%016llx", parts[0], parts[1], parts[2], parts[3]);
	snprintf(uid, 37, "%08x-1111-2222-3333-%012x", i, i);
}

/* Ten pods to a deployment, twenty deployments to a namespace; every tenth one is a function. */
static inline int fake_pod(struct fake_node *node, uint32_t i, const char *id, const char *uid)
{
	const struct pod_container container = { .id = id,
						 .name = "user-container",
						 .cpu_milli = 100 };
	char namespace[32], name[64], owner[32], revision[64];
	struct pod *pod;

	snprintf(namespace, sizeof(namespace), "team-%u", i / 200);
	snprintf(owner, sizeof(owner), "service-%u", i / 10);
	snprintf(name, sizeof(name), "%s-7d4b9c6f5d-%05x", owner, i);
	snprintf(revision, sizeof(revision), "%s-00001", owner);
	pod = pod_new(&(struct pod){
		.source = POD_FROM_API,
		.key = uid,
		.namespace = namespace,
		.name = name,
		.workload = { .kind = "deployment", .name = owner },
		.function = { .platform = i / 10 % 10 ? FUNCTION_NONE : FUNCTION_KNATIVE,
			      .namespace = namespace,
			      .name = owner,
			      .revision = revision },
		.all_started = true,
		.n_containers = 1,
		.containers = &container });
	if (!pod)
		return -ENOMEM;
	ledger_pod(node->ledger, pod, node->t_ns, FAKE_WALL_NS + node->t_ns);
	pod_unref(pod);
	return 0;
}

static inline int fake_name(struct fake_node *node, uint32_t i)
{
	char path[300], id[65], uid[37];
	struct name *name;

	fake_ids(node, i, id, uid);
	snprintf(path, sizeof(path),
		 "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%08x_1111_2222_"
		 "3333_%012x.slice/cri-containerd-%s.scope",
		 i, i, id);
	name = name_new(path);
	if (!name)
		return -ENOMEM;
	ledger_born(node->ledger, 1000 + i, name, node->t_ns);
	name_unref(name);
	return fake_pod(node, i, id, uid);
}

/* One second passes, everything works a random bit. */
static inline void fake_node_tick(struct fake_node *node)
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
	ledger_roll(node->ledger, true, true, node->t_ns);
	node->stats.samples++;
}

/* What the ledger has now becomes the current snapshot. */
static inline int fake_node_show(struct fake_node *node)
{
	const struct snapshot_input input = { .ledger = node->ledger,
					      .facts = &node->facts,
					      .stats = &node->stats,
					      .t_ns = node->t_ns,
					      .wall_ns = FAKE_WALL_NS + node->t_ns,
					      .cpus = 2 };

	return snapshot_publish(node->pool, &input);
}

static inline int fake_node_publish(struct fake_node *node)
{
	fake_node_tick(node);
	return fake_node_show(node);
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
					   .start_wall_ns = FAKE_WALL_NS + node->t_ns,
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
		if (fake_name(node, i) < 0)
			return -ENOMEM;
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
