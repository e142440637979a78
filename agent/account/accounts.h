/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts: the table of owners; found by cgroup id, ended ones in the order of their end.  Pure.
 */
#ifndef PODJOULE_ACCOUNTS_H
#define PODJOULE_ACCOUNTS_H

#include "account/ledger.h"

#define ACCOUNT_NONE UINT32_MAX

struct account_link {
	uint32_t chain;     /* next account with the same hash */
	uint32_t after;     /* next one that ended, or next free one */
	uint64_t active_ns; /* last activity */
	bool overhead; /* of its pod: the pod's own cgroup, a sandbox, a sidecar of a platform */
	bool inner;    /* a cgroup below a container's own */
	bool met;      /* its container's name has been looked for */
	bool named;    /* and once been found, not as a sandbox */
};

struct accounts {
	struct account *table; /* [capacity]; the first _OWNER_FIXED are the fixed owners */
	struct account_link *links;
	uint32_t *heads;    /* hash to account */
	unsigned int shift; /* of the hash */
	uint32_t capacity;
	uint32_t n_seen;    /* accounts beyond have never been used */
	uint32_t n_unnamed; /* live cgroups without a name */
	uint32_t n_unused;  /* named ones that never ran */
	uint32_t free, n_free;
	uint32_t oldest, newest, n_ended; /* queue of ended accounts */
	uint32_t hand;                    /* where the last search for an unused one stopped */
};

/* Room for max_cgroups besides the fixed ones.  0 or -ENOMEM; accounts_free accepts a zeroed one.
 */
int accounts_init(struct accounts *accounts, uint32_t max_cgroups);
void accounts_free(struct accounts *accounts);

/* The account of a cgroup, ended ones included, or ACCOUNT_NONE. */
uint32_t accounts_find(const struct accounts *accounts, uint64_t cgroup_id);
/* A new account without a name in bucket `system`, or ACCOUNT_NONE when the table is full. */
uint32_t accounts_add(struct accounts *accounts, uint64_t cgroup_id, uint64_t t_ns);
/* Empty an account for reuse.  An ended one must be the oldest of the ended. */
void accounts_remove(struct accounts *accounts, uint32_t at);
/* No longer found by its id: a cgroup of the same id is another one. */
void accounts_hide(struct accounts *accounts, uint32_t at);
/* Queue it as ended; no effect on one that has ended already. */
void accounts_end(struct accounts *accounts, uint32_t at, uint64_t t_ns);
void accounts_name(struct accounts *accounts, uint32_t at, struct name *name);
/* It ran: an account that has run is never given up for another. */
void accounts_touch(struct accounts *accounts, uint32_t at, uint64_t t_ns);
/* A live account that has a name and never ran, or ACCOUNT_NONE. */
uint32_t accounts_unused(struct accounts *accounts);

#endif
