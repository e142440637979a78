/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/snapshot_copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/scope.h"

/* Containers and VMs are shown from their birth, other cgroups once they used something. */
static bool account_is_shown(const struct account *account, size_t index)
{
	nj_t nj = 0;

	if (index < _OWNER_FIXED)
		return index != OWNER_IDLE && index != OWNER_STEAL;
	if (!account->cgroup_id)
		return false;
	if (account->bucket == BUCKET_CONTAINERS || account->bucket == BUCKET_VMS)
		return true;
	for (int c = 0; c < _COLUMN_MAX; c++)
		nj |= account->nj[c];
	return nj || account->usage.busy_ns;
}

static bool pod_is_shown(const struct pod_entry *entry)
{
	if (!entry->key[0] || entry->hidden)
		return false;
	return entry->n_live || entry->n_accounts || !tally_is_zero(&entry->total);
}

static bool group_is_shown(const struct group *group)
{
	if (!group->key)
		return false;
	/* A new one shows that it has nothing yet; those without a name are there anyway. */
	if (group->born_ns)
		return true;
	return group->pods || group->cold_starts || !tally_is_zero(&group->total) ||
	       !tally_is_zero(&group->overhead) || !tally_is_zero(&group->cold);
}

/* rows with room for n of size bytes, moved when it has to grow; or NULL, and they are as before.
 */
static void *reserve(void *rows, size_t *capacity, size_t n, size_t size)
{
	size_t more = n + n / 4 + 16;
	void *grown;

	if (rows && n <= *capacity)
		return rows;
	grown = realloc(rows, more * size);
	if (grown)
		*capacity = more;
	return grown;
}

/* The ledger's tables, and how much of each is shown. */
struct source {
	const struct account *accounts;
	const struct pod_entry *pods;
	const struct group *groups;
	const struct process_row *processes;
	size_t n_accounts, n_pods, n_groups, n_processes;
	size_t shown_accounts, shown_pods, shown_groups;
};

static void source_open(struct source *from, const struct snapshot_input *input)
{
	*from = (struct source){ 0 };
	from->accounts = ledger_accounts(input->ledger, &from->n_accounts);
	from->pods = ledger_pods(input->ledger, &from->n_pods);
	from->groups = ledger_groups(input->ledger, &from->n_groups);
	if (input->processes)
		from->processes = processes_rows(input->processes, &from->n_processes);
	for (size_t i = 0; i < from->n_accounts; i++)
		from->shown_accounts += account_is_shown(&from->accounts[i], i);
	for (size_t i = 0; i < from->n_pods; i++)
		from->shown_pods += pod_is_shown(&from->pods[i]);
	for (size_t i = 0; i < from->n_groups; i++)
		from->shown_groups += group_is_shown(&from->groups[i]);
}

#define RESERVE(rows, capacity, n)                                                                 \
	({                                                                                         \
		void *_rows = reserve(rows, &(capacity), n, sizeof(*(rows)));                      \
		if (_rows)                                                                         \
			(rows) = _rows;                                                            \
		_rows != NULL;                                                                     \
	})

static int reserve_all(struct snapshot *to, struct pod_map *map, const struct source *from)
{
	bool done = RESERVE(map->shown, map->capacity, from->n_pods) &&
		    RESERVE(to->accounts, to->capacity, from->shown_accounts) &&
		    RESERVE(to->pods, to->pods_capacity, from->shown_pods) &&
		    RESERVE(to->groups, to->groups_capacity, from->shown_groups) &&
		    RESERVE(to->processes, to->processes_capacity, from->n_processes);

	return done ? 0 : -ENOMEM;
}

static void pod_drop(struct snapshot_pod *pod)
{
	for (int source = 0; source < _POD_SOURCE_MAX; source++)
		pod_unref(pod->facts[source]);
}

static void copy_pod(struct snapshot_pod *to, bool used_before, const struct pod_entry *from)
{
	if (!used_before)
		memset(to->facts, 0, sizeof(to->facts));
	for (int source = 0; source < _POD_SOURCE_MAX; source++) {
		if (to->facts[source] == from->facts[source])
			continue;
		pod_unref(to->facts[source]);
		to->facts[source] = pod_ref(from->facts[source]);
	}
	memcpy(to->key, from->key, sizeof(to->key));
	to->is_pod = from->is_pod;
	to->born_ns = from->born_ns;
	to->ended_ns = from->ended_ns;
	to->total = from->total;
}

static void copy_pods(struct snapshot *to, struct pod_map *map, const struct source *from)
{
	size_t shown = 0;

	map->n = from->n_pods;
	for (size_t i = 0; i < from->n_pods; i++) {
		map->shown[i] = POD_NONE;
		if (!pod_is_shown(&from->pods[i]))
			continue;
		copy_pod(&to->pods[shown], shown < to->n_pods, &from->pods[i]);
		map->shown[i] = (uint32_t)shown++;
	}
	for (size_t i = shown; i < to->n_pods; i++)
		pod_drop(&to->pods[i]);
	to->n_pods = shown;
}

/* Is the container part of these facts?  Then it lives as long as a reference to them. */
static bool holds(const struct pod *facts, const struct pod_container *container)
{
	uintptr_t first, at = (uintptr_t)container;

	if (!facts || !facts->n_containers)
		return false;
	first = (uintptr_t)facts->containers;
	return at >= first && at - first < facts->n_containers * sizeof(*container) &&
	       (at - first) % sizeof(*container) == 0;
}

/* An account's container may only point into facts that the snapshot has a reference of. */
static const struct pod_container *held_container(const struct snapshot *snapshot, uint32_t pod,
						  const struct pod_container *container)
{
	if (pod == POD_NONE || !container)
		return NULL;
	for (int source = 0; source < _POD_SOURCE_MAX; source++) {
		if (holds(snapshot->pods[pod].facts[source], container))
			return container;
	}
	return NULL;
}

static void copy_account(struct snapshot *snapshot, size_t at, const struct pod_map *map,
			 const struct account *from, size_t index)
{
	struct snapshot_account *to = &snapshot->accounts[at];
	struct name *name = at < snapshot->n_accounts ? to->name : NULL;
	uint32_t pod = from->pod < map->n ? map->shown[from->pod] : POD_NONE;

	if (name != from->name) {
		name_unref(name);
		name = name_ref(from->name);
	}
	*to = (struct snapshot_account){
		.name = name,
		.cgroup_id = from->cgroup_id,
		.bucket = from->bucket,
		.owner = index < _OWNER_FIXED ? (int)index : OWNER_CGROUP,
		.born_ns = from->born_ns,
		.ended_ns = from->ended_ns,
		.usage = from->usage,
		.pod = index < _OWNER_FIXED ? POD_NONE : pod,
		.sandbox = from->sandbox,
	};
	to->container = held_container(snapshot, to->pod, from->container);
	memcpy(to->nj, from->nj, sizeof(to->nj));
	memcpy(to->variance_nj2, from->variance_nj2, sizeof(to->variance_nj2));
	memcpy(to->idle_nj, from->idle_nj, sizeof(to->idle_nj));
}

static void copy_accounts(struct snapshot *to, const struct pod_map *map, const struct source *from)
{
	size_t shown = 0;

	for (size_t i = 0; i < from->n_accounts; i++) {
		if (account_is_shown(&from->accounts[i], i))
			copy_account(to, shown++, map, &from->accounts[i], i);
	}
	for (size_t i = shown; i < to->n_accounts; i++)
		name_unref(to->accounts[i].name);
	to->n_accounts = shown;
}

static void copy_groups(struct snapshot *to, const struct source *from)
{
	size_t shown = 0;

	for (size_t i = 0; i < from->n_groups; i++) {
		const struct group *group = &from->groups[i];
		struct snapshot_group *at = &to->groups[shown];
		struct group_key *key = shown < to->n_groups ? at->key : NULL;

		if (!group_is_shown(group))
			continue;
		if (key != group->key) {
			if (key)
				group_key_unref(key);
			key = group_key_ref(group->key);
		}
		*at = (struct snapshot_group){ .key = key,
					       .total = group->total,
					       .overhead = group->overhead,
					       .cold = group->cold,
					       .pods = group->pods,
					       .cold_starts = group->cold_starts };
		shown++;
	}
	for (size_t i = shown; i < to->n_groups; i++)
		group_key_unref(to->groups[i].key);
	to->n_groups = shown;
}

int snapshot_copy(struct snapshot *snapshot, const struct snapshot_input *input,
		  struct pod_map *map)
{
	struct source from;
	int r;

	source_open(&from, input);
	r = reserve_all(snapshot, map, &from);
	if (r < 0)
		return r;
	copy_pods(snapshot, map, &from);
	copy_accounts(snapshot, map, &from);
	copy_groups(snapshot, &from);
	if (from.n_processes)
		memcpy(snapshot->processes, from.processes,
		       from.n_processes * sizeof(*snapshot->processes));
	snapshot->n_processes = from.n_processes;
	return 0;
}

void snapshot_release(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->n_accounts; i++)
		name_unref(snapshot->accounts[i].name);
	for (size_t i = 0; i < snapshot->n_pods; i++)
		pod_drop(&snapshot->pods[i]);
	for (size_t i = 0; i < snapshot->n_groups; i++)
		group_key_unref(snapshot->groups[i].key);
	free(snapshot->accounts);
	free(snapshot->pods);
	free(snapshot->groups);
	free(snapshot->processes);
}
