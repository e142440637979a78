/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Example fill: pods, groups and processes for the example snapshots, and everything at once.  Each
 * kind of name is there: from the API server, from files, in half, hostile, twice, missing.
 */
#ifndef PODJOULE_EXAMPLE_FILL_H
#define PODJOULE_EXAMPLE_FILL_H

#include "example_snapshot.h"

static inline const char *example_evil(struct example *e)
{
	return example_hostile[example_below(e, ARRAY_SIZE(example_hostile))];
}

/* Room for one more in an array of the snapshot's. */
static inline void *example_grow(void *rows, size_t n, size_t *capacity, size_t size)
{
	if (n < *capacity)
		return rows;
	*capacity = 2 * n + 16;
	rows = realloc(rows, *capacity * size);
	if (!rows)
		abort();
	return rows;
}

/* A pod that is known by what the API server and the node's files say; NULL: nothing. */
static inline uint32_t example_known_pod(struct example *e, const char *key, bool is_pod,
					 const struct pod *api, const struct pod *local)
{
	struct snapshot *s = &e->snapshot;
	struct snapshot_pod *pod;

	s->pods = example_grow(s->pods, s->n_pods, &s->pods_capacity, sizeof(*s->pods));
	pod = &s->pods[s->n_pods];
	*pod = (struct snapshot_pod){ .is_pod = is_pod, .born_ns = 1000000000 };
	snprintf(pod->key, sizeof(pod->key), "%s", key);
	pod->facts[POD_FROM_API] = api ? pod_new(api) : NULL;
	pod->facts[POD_FROM_LOCAL] = local ? pod_new(local) : NULL;
	return (uint32_t)s->n_pods++;
}

/* The account is a cgroup of that pod, and of the container that has its id. */
static inline void example_join(struct example *e, struct snapshot_account *account, uint32_t pod)
{
	const struct snapshot_pod *to = &e->snapshot.pods[pod];

	account->pod = pod;
	for (int i = 0; i < _POD_SOURCE_MAX && !account->container; i++)
		account->container = pod_container(to->facts[i], account->name->is.container_id);
	account->sandbox = account->container && account->container->role == CONTAINER_SANDBOX;
}

static inline struct snapshot_group *example_group(struct example *e, const struct group_key *like)
{
	struct snapshot *s = &e->snapshot;
	struct snapshot_group *group;

	s->groups = example_grow(s->groups, s->n_groups, &s->groups_capacity, sizeof(*s->groups));
	group = &s->groups[s->n_groups++];
	*group = (struct snapshot_group){
		.key = group_key_ref(groups_get(e->keys, like, 1000000000)->key),
		.total = { .busy_ns = example_below(e, 1000000000) },
	};
	for (int c = COLUMN_PACKAGE; c <= COLUMN_DRAM; c++)
		group->total.nj[c] = example_below(e, 5000000000);
	if (like->kind != GROUP_FUNCTION)
		return group;
	group->overhead = group->cold = group->total;
	group->overhead.nj[COLUMN_PACKAGE] /= 4;
	group->cold.nj[COLUMN_PACKAGE] /= 2;
	group->pods = 1 + example_below(e, 50);
	group->cold_starts = example_below(e, 50);
	return group;
}

static inline struct process_row *example_process(struct example *e, int32_t pid, const char *comm,
						  uint64_t cgroup_id)
{
	struct snapshot *s = &e->snapshot;
	struct process_row *row;

	s->processes = example_grow(s->processes, s->n_processes, &s->processes_capacity,
				    sizeof(*s->processes));
	row = &s->processes[s->n_processes++];
	*row = (struct process_row){ .pid = pid, .cgroup_id = cgroup_id };
	snprintf(row->comm, sizeof(row->comm), "%s", comm);
	row->used.busy_ns = example_below(e, 1000000000);
	row->used.nj[COLUMN_PACKAGE] = example_below(e, 5000000000);
	return row;
}

/* Groups and processes with every hostile name, some of which print the same. */
static inline void example_fill_sums(struct example *e, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		enum group_kind kind = example_below(e, _GROUP_KIND_MAX);
		bool function = kind == GROUP_FUNCTION;

		example_group(e, &(struct group_key){
					 .kind = kind,
					 .platform = function ? FUNCTION_KNATIVE : FUNCTION_NONE,
					 .derived = kind == GROUP_WORKLOAD && example_below(e, 2),
					 .namespace = example_evil(e),
					 .owner = kind == GROUP_WORKLOAD ? "deployment" : "",
					 .name = kind ? example_evil(e) : "",
					 .revision = function ? "1" : "" });
		if (e->snapshot.n_accounts)
			example_process(
				e, (int32_t)example_below(e, n), example_evil(e),
				e->snapshot.accounts[example_below(e, e->snapshot.n_accounts)]
					.cgroup_id);
	}
}

#define EXAMPLE_CONTAINERS 3

/* Pods that are named well, badly, in half or not at all; containers in none. */
static inline void example_fill_pods(struct example *e, unsigned int n)
{
	static const enum container_role roles[] = { CONTAINER_MAIN, CONTAINER_INIT,
						     CONTAINER_SANDBOX };

	for (unsigned int i = 0; i < n; i++) {
		struct pod_container containers[EXAMPLE_CONTAINERS] = { 0 };
		char key[40], ids[EXAMPLE_CONTAINERS][80];
		struct pod facts = { .key = key,
				     .namespace = example_below(e, 2) ? "shop" : example_evil(e),
				     .name = example_below(e, 2) ? "web-1" : example_evil(e),
				     .labels = example_below(e, 2) ? ",label_app=\"web\"" : "",
				     .n_containers = EXAMPLE_CONTAINERS,
				     .containers = containers };
		struct pod named = facts, *api = NULL, *local = NULL;
		unsigned int how = (unsigned int)example_below(e, 5);

		snprintf(key, sizeof(key), "%08x-0000-0000-0000-%012x", i, i);
		for (unsigned int k = 0; k < EXAMPLE_CONTAINERS; k++) {
			snprintf(ids[k], sizeof(ids[k]), "%064x", EXAMPLE_CONTAINERS * i + k);
			containers[k] = (struct pod_container){ .id = ids[k],
								.name = example_evil(e),
								.role = roles[k] };
		}
		if (how == 4) /* of no pod: its key is its only container's id */
			facts.namespace = facts.name = "";
		if (how == 1 || how == 2)
			named.n_containers = 0; /* one that knows the pod but no container */
		api = how == 0 || how == 1 ? &named : NULL;
		local = how != 3 ? &facts : NULL;
		example_known_pod(e, how == 4 ? ids[0] : key, how != 4, api, local);
		if (!example_below(e, 4))
			e->snapshot.pods[i].ended_ns = 2000000000;
	}
}

static inline void example_work_in_pod(struct example *e, uint64_t cgroup_id)
{
	uint32_t pod = (uint32_t)example_below(e, e->snapshot.n_pods);
	const struct snapshot_pod *to = &e->snapshot.pods[pod];
	const char *uid = to->is_pod ? to->key : "";
	struct snapshot_account *account;
	char id[80];

	snprintf(id, sizeof(id), "%064x",
		 EXAMPLE_CONTAINERS * pod + (unsigned int)example_below(e, EXAMPLE_CONTAINERS));
	if (!to->is_pod)
		account = example_container(e, cgroup_id, to->key, "");
	else if (!example_below(e, 4))
		account = example_pod(e, cgroup_id, uid);
	else if (!example_below(e, 8))
		account = example_vm(e, cgroup_id, id);
	else
		account = example_container(e, cgroup_id, id, uid);
	example_join(e, account, pod);
	example_work(e, account);
}

/* Containers, pods, units and VMs with every hostile name, some names twice, some missing. */
static inline void example_fill(struct example *e, unsigned int n)
{
	static const char hex[] = "0123456789abcdef";

	example_fill_pods(e, n / 6);
	for (unsigned int i = 0; i < n; i++) {
		const char *evil = example_evil(e);
		char id[65], uid[37];
		struct snapshot_account *account;

		for (int k = 0; k < 64; k++)
			id[k] = hex[example_below(e, 16)];
		id[64] = '\0';
		snprintf(uid, sizeof(uid), "%08x-1111-2222-3333-%012x",
			 (unsigned int)example_below(e, n), 7u);
		if (e->snapshot.n_pods && !example_below(e, 3)) {
			example_work_in_pod(e, 100 + i);
			continue;
		}
		switch (example_below(e, 8)) {
		case 0:
			account = example_container(e, 100 + i, id, uid);
			break;
		case 1:
			account = example_container(e, 100 + i, evil, "");
			break;
		case 2:
			account = example_pod(e, 100 + i, uid);
			break;
		case 3:
			account = example_vm(e, 100 + i, evil);
			break;
		case 4:
			account = example_add(e, 100 + i, NULL);
			break;
		case 5:
			account = example_container(e, 100 + i, id, evil);
			account->ended_ns = 2000000000;
			break;
		default:
			account = example_unit(e, 100 + i, evil);
			break;
		}
		if (example_below(e, 10))
			example_work(e, account);
	}
	example_fill_sums(e, n / 3);
}

/* The last account of a bucket dies and is folded. */
static inline void example_fold(struct example *e, size_t at)
{
	struct snapshot *s = &e->snapshot;
	struct snapshot_account *gone = &s->accounts[at];
	struct folded *to = &s->folded[gone->bucket];

	to->usage.busy_ns += gone->usage.busy_ns;
	to->usage.cycles += gone->usage.cycles;
	to->usage.instructions += gone->usage.instructions;
	to->usage.voluntary += gone->usage.voluntary;
	to->usage.involuntary += gone->usage.involuntary;
	for (int c = 0; c < _COLUMN_MAX; c++)
		to->nj[c] += gone->nj[c];
	to->n++;
	name_unref(gone->name);
	*gone = s->accounts[--s->n_accounts];
}

#endif
