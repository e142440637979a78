/* SPDX-License-Identifier: Apache-2.0 */
/* Pods table: entries found by key, ended ones in the order of their end.  Pure. */
#ifndef PODJOULE_PODS_TABLE_H
#define PODJOULE_PODS_TABLE_H

#include "account/pods.h"

struct pods {
	struct pod_entry *table; /* [capacity] */
	uint32_t *heads;         /* hash to entry */
	unsigned int shift;      /* of the hash */
	uint32_t capacity;
	uint32_t n_seen; /* entries beyond have never been used */
	uint32_t n_used, free;
	uint32_t n_waiting;               /* those that only have facts */
	uint32_t oldest, newest, n_ended; /* queue of ended ones, hidden ones included */
	uint32_t n_hidden;
	uint32_t hand; /* where the last search for a waiting one stopped */
};

/* Room for max entries.  0 or -ENOMEM; pods_free accepts a zeroed one. */
int pods_init(struct pods *pods, uint32_t max);
void pods_free(struct pods *pods);

/* The entry of a key, or POD_NONE. */
uint32_t pods_find(const struct pods *pods, const char *key);
/* A new one, without cgroups and facts; POD_NONE when the table is full.  The key must fit. */
uint32_t pods_add(struct pods *pods, const char *key, bool is_pod);
/* Empty an entry that has no accounts, for reuse. */
void pods_remove(struct pods *pods, uint32_t at);
/* The same, but it keeps its key and facts: as if no cgroup had ever come.  Its start was. */
void pods_reset(struct pods *pods, uint32_t at);

/* Takes a reference; NULL: they are not known any more. */
void pods_set_facts(struct pods *pods, uint32_t at, enum pod_source source, struct pod *facts);

/* An account that belongs to it, alive or (ended_ns) not. */
void pods_join(struct pods *pods, uint32_t at, uint64_t born_ns, uint64_t ended_ns);
/* One of its cgroups has ended.  The last one ends the entry. */
void pods_end(struct pods *pods, uint32_t at, uint64_t t_ns);
/* One of its ended accounts leaves the book. */
void pods_leave(struct pods *pods, uint32_t at);
/* An ended one is not to be seen any more, until a cgroup comes. */
void pods_hide(struct pods *pods, uint32_t at);

/* An entry that only has facts, or POD_NONE. */
uint32_t pods_waiting(struct pods *pods);

#endif
