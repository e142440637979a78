/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups: namespaces, workloads and functions: sums that live as long as the agent, hold everything
 * that ended, and only ever grow.  Bounded: what has not been active longest makes room, and what
 * it had goes to the group of its kind without a name.  Pure.
 */
#ifndef PODJOULE_GROUPS_H
#define PODJOULE_GROUPS_H

#include <stdatomic.h>
#include <stdint.h>

#include "account/tally.h"
#include "names/pod.h"

enum group_kind { GROUP_NAMESPACE, GROUP_WORKLOAD, GROUP_FUNCTION, _GROUP_KIND_MAX };
const char *group_kind_name(enum group_kind kind); /* "namespace", … */

/* Who a group is.  Immutable and counted; unused strings are "". */
struct group_key {
	atomic_uint refs;
	enum group_kind kind;
	enum function_platform platform; /* of functions */
	bool derived;                    /* of workloads: from a pod's name */
	const char *namespace;
	const char *owner; /* workloads: "deployment", … */
	const char *name;  /* of the workload or function */
	const char *revision;
};
struct group_key *group_key_ref(struct group_key *key);
void group_key_unref(struct group_key *key);

struct group {
	struct group_key *key; /* NULL: free */
	struct tally total;
	/* functions only */
	struct tally overhead; /* part of total: sandboxes, and Knative's queue-proxy */
	struct tally cold;     /* of cold starts, from first CPU time to readiness or labels */
	uint64_t pods, cold_starts;
	uint64_t active_ns; /* newest addition */
	uint64_t born_ns;   /* made then; 0: always there */
};

#define GROUP_NONE UINT32_MAX

struct groups;

/* Room for max groups of each kind.  0 or -ENOMEM. */
int groups_new(uint32_t max, struct groups **ret);
void groups_free(struct groups *groups); /* NULL is fine */

/* The group like that (its strings are copied), new and empty if need be.  Where neither room nor
 * memory is left, the group of that kind without a name. */
struct group *groups_get(struct groups *groups, const struct group_key *like, uint64_t t_ns);

/*
 * The same without its strings: where a group was found, and which turn its place is at.  NULL when
 * it has made room since; a group without a name has no ticket worth keeping (at is GROUP_NONE).
 */
struct group_ticket {
	uint32_t at, turn;
};
struct group_ticket groups_ticket(const struct groups *groups, const struct group *group);
struct group *groups_again(struct groups *groups, struct group_ticket ticket, uint64_t t_ns);

/* All of them: the first _GROUP_KIND_MAX are those without a name; key NULL: free. */
const struct group *groups_all(const struct groups *groups, size_t *ret_n);
uint64_t groups_folded(const struct groups *groups, enum group_kind kind); /* made room */

#endif
