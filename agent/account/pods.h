/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods: what a ledger knows of pods, and of containers that are in none.  An entry is made by the
 * first that comes, its cgroup or its name; it takes what its containers had when those are
 * folded, and hands what it has to its namespace, workload and function as soon as it knows them.
 * Pure.
 */
#ifndef PODJOULE_PODS_H
#define PODJOULE_PODS_H

#include <stdbool.h>
#include <stdint.h>

#include "account/groups.h"
#include "account/tally.h"
#include "names/pod.h"

#define POD_NONE UINT32_MAX

struct pod_entry {
	char key[PATH_MAX_ID]; /* as in struct pod; "": free */
	bool is_pod;           /* the key is a pod's uid */
	bool hidden;           /* ended, and beyond --tombstones: waits for its name unseen */
	struct pod *facts[_POD_SOURCE_MAX]; /* references; NULL: not known */
	uint32_t n_live;                    /* accounts of cgroups that are there */
	uint32_t n_accounts;                /* and of ended ones that are not folded yet */
	uint64_t born_ns;                   /* of its first cgroup; 0: none yet */
	uint64_t ended_ns;                  /* 0: alive */
	struct tally total;                 /* at the last roll; with what was folded */
	/* Of the ledger, for nobody else. */
	struct tally folded, overhead, folded_overhead;
	struct tally in_group[_GROUP_KIND_MAX];      /* of total: given to its group already */
	struct group_ticket ticket[_GROUP_KIND_MAX]; /* of the groups that its facts say */
	struct tally overhead_in_function;
	struct tally cold;          /* what its cold start took, until its function has it */
	uint32_t generation;        /* moves when facts do; never 0 */
	uint64_t api_ns;            /* when the API's facts came */
	bool gone[_POD_SOURCE_MAX]; /* facts are only kept for what was before */
	bool counted;               /* as a pod of its function */
	bool cold_known, cold_due;  /* judged; to be handed out */
	uint32_t sharing;           /* containers that share idle energy */
	uint32_t chain;             /* next entry with the same hash */
	uint32_t before, after;     /* in the queue of ended ones; after: next free one */
};

/* The best facts of an entry, or NULL. */
static inline const struct pod *pod_entry_facts(const struct pod_entry *entry)
{
	return entry->facts[POD_FROM_API] ? entry->facts[POD_FROM_API]
					  : entry->facts[POD_FROM_LOCAL];
}

#endif
