/* SPDX-License-Identifier: Apache-2.0 */
#include "account/pods.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account/pods_table.h"
#include "platform/scope.h"

static uint32_t *head_of(const struct pods *pods, const char *key)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3ull;
	return &pods->heads[(hash * 0x9e3779b97f4a7c15ull) >> pods->shift];
}

int pods_init(struct pods *pods, uint32_t max)
{
	uint32_t n_heads = 16;

	*pods = (struct pods){
		.free = POD_NONE, .oldest = POD_NONE, .newest = POD_NONE, .shift = 60
	};
	if (max > UINT32_MAX / 4)
		return -ENOMEM;
	while (n_heads < max) {
		n_heads *= 2;
		pods->shift--;
	}
	/* One more, so that an empty table is not a failed allocation. */
	pods->table = calloc((size_t)max + 1, sizeof(*pods->table));
	pods->heads = malloc(n_heads * sizeof(*pods->heads));
	if (!pods->table || !pods->heads)
		return -ENOMEM;
	memset(pods->heads, 0xff, n_heads * sizeof(*pods->heads));
	pods->capacity = max;
	return 0;
}

static void drop_facts(struct pod_entry *entry)
{
	for (int i = 0; i < _POD_SOURCE_MAX; i++) {
		pod_unref(entry->facts[i]);
		entry->facts[i] = NULL;
	}
}

void pods_free(struct pods *pods)
{
	for (uint32_t i = 0; pods->table && i < pods->n_seen; i++)
		drop_facts(&pods->table[i]);
	free(pods->table);
	free(pods->heads);
	*pods = (struct pods){ 0 };
}

uint32_t pods_find(const struct pods *pods, const char *key)
{
	uint32_t at = *head_of(pods, key);

	while (at != POD_NONE && strcmp(pods->table[at].key, key) != 0)
		at = pods->table[at].chain;
	return at;
}

uint32_t pods_add(struct pods *pods, const char *key, bool is_pod)
{
	uint32_t *head = head_of(pods, key), at = pods->free;

	if (at != POD_NONE)
		pods->free = pods->table[at].after;
	else if (pods->n_seen < pods->capacity)
		at = pods->n_seen++;
	else
		return POD_NONE;
	pods->n_used++;
	pods->n_waiting++;
	pods->table[at] = (struct pod_entry){ .is_pod = is_pod,
					      .generation = 1,
					      .chain = *head,
					      .before = POD_NONE,
					      .after = POD_NONE };
	memcpy(pods->table[at].key, key, strlen(key) + 1);
	*head = at;
	return at;
}

/* ---- the queue of ended ones ------------------------------------------------------------------
 */

static void unqueue(struct pods *pods, uint32_t at)
{
	struct pod_entry *entry = &pods->table[at];

	if (!entry->ended_ns)
		return;
	*(entry->before != POD_NONE ? &pods->table[entry->before].after : &pods->oldest) =
		entry->after;
	*(entry->after != POD_NONE ? &pods->table[entry->after].before : &pods->newest) =
		entry->before;
	entry->before = entry->after = POD_NONE;
	pods->n_ended--;
	pods->n_hidden -= entry->hidden;
	entry->hidden = false;
	entry->ended_ns = 0;
}

static void queue(struct pods *pods, uint32_t at, uint64_t ended_ns)
{
	struct pod_entry *entry = &pods->table[at];

	ended_ns = MAX(MAX(ended_ns, entry->ended_ns), 1u);
	unqueue(pods, at);
	entry->ended_ns = ended_ns;
	entry->before = pods->newest;
	*(pods->newest != POD_NONE ? &pods->table[pods->newest].after : &pods->oldest) = at;
	pods->newest = at;
	pods->n_ended++;
}

void pods_hide(struct pods *pods, uint32_t at)
{
	struct pod_entry *entry = &pods->table[at];

	if (!entry->ended_ns || entry->hidden)
		return;
	entry->hidden = true;
	pods->n_hidden++;
}

/* ---- cgroups and facts ------------------------------------------------------------------------
 */

void pods_remove(struct pods *pods, uint32_t at)
{
	struct pod_entry *entry = &pods->table[at];
	uint32_t *link = head_of(pods, entry->key);

	unqueue(pods, at);
	while (*link != at)
		link = &pods->table[*link].chain;
	*link = entry->chain;
	drop_facts(entry);
	pods->n_waiting -= !entry->born_ns;
	pods->n_used--;
	*entry = (struct pod_entry){ .after = pods->free };
	pods->free = at;
}

void pods_reset(struct pods *pods, uint32_t at)
{
	struct pod_entry *entry = &pods->table[at];
	struct pod_entry fresh = { .is_pod = entry->is_pod,
				   .generation = entry->generation,
				   .api_ns = entry->api_ns,
				   .counted = true,
				   .cold_known = true,
				   .chain = entry->chain,
				   .before = POD_NONE,
				   .after = POD_NONE };

	unqueue(pods, at);
	pods->n_waiting += entry->born_ns != 0;
	memcpy(fresh.key, entry->key, sizeof(fresh.key));
	memcpy(fresh.facts, entry->facts, sizeof(fresh.facts));
	memcpy(fresh.gone, entry->gone, sizeof(fresh.gone));
	*entry = fresh;
}

void pods_set_facts(struct pods *pods, uint32_t at, enum pod_source source, struct pod *facts)
{
	struct pod_entry *entry = &pods->table[at];
	struct pod *before = entry->facts[source];

	entry->facts[source] = pod_ref(facts);
	entry->gone[source] = false;
	pod_unref(before);
	if (!++entry->generation)
		entry->generation = 1;
	memset(entry->ticket, 0, sizeof(entry->ticket));
}

void pods_join(struct pods *pods, uint32_t at, uint64_t born_ns, uint64_t ended_ns)
{
	struct pod_entry *entry = &pods->table[at];

	born_ns = MAX(born_ns, 1u);
	pods->n_waiting -= !entry->born_ns;
	if (!entry->born_ns || born_ns < entry->born_ns)
		entry->born_ns = born_ns;
	entry->n_accounts++;
	if (!ended_ns) {
		entry->n_live++;
		unqueue(pods, at);
	} else if (!entry->n_live) {
		queue(pods, at, ended_ns);
	}
}

void pods_end(struct pods *pods, uint32_t at, uint64_t t_ns)
{
	if (--pods->table[at].n_live == 0)
		queue(pods, at, t_ns);
}

void pods_leave(struct pods *pods, uint32_t at)
{
	pods->table[at].n_accounts--;
}

uint32_t pods_waiting(struct pods *pods)
{
	if (!pods->n_waiting)
		return POD_NONE;
	for (uint32_t i = 0; i < pods->n_seen; i++) {
		const struct pod_entry *entry;

		if (++pods->hand >= pods->n_seen)
			pods->hand = 0;
		entry = &pods->table[pods->hand];
		if (entry->key[0] && !entry->born_ns)
			return pods->hand;
	}
	return POD_NONE;
}
