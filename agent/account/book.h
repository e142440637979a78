/* SPDX-License-Identifier: Apache-2.0 */
/* Book: what is in a ledger, for the files that it is made of and nobody else. */
#ifndef PODJOULE_BOOK_H
#define PODJOULE_BOOK_H

#include "account/accounts.h"
#include "account/groups.h"
#include "account/ledger.h"
#include "account/pods_table.h"
#include "account/steps.h"
#include "account/zone_book.h"

/* Who may be the pause container of a pod, while that is being found out. */
struct guess {
	bool open;         /* the pod has an account that nobody knows */
	bool taken;        /* it has a sandbox already */
	bool tie;          /* nobody can tell which one was first */
	uint32_t at;       /* the first one that nobody knows */
	uint64_t born_ns;  /* its birth; 0: there is none */
	uint64_t named_ns; /* birth of the first one that is known */
};

/* Static energy, shared out with --idle. */
struct idle_book {
	nj_t seen_nj[_COLUMN_MAX];
	uint32_t *at;     /* [accounts.capacity] who gets a share; NULL: nobody ever does, */
	uint64_t *weight; /* and how large */
};

struct ledger {
	struct ledger_config config;
	struct accounts accounts;
	struct folded folded[_BUCKET_ENERGY_MAX];
	struct zone_total *zones;
	struct zone_book *books;
	size_t n_zones;
	struct steps steps;
	struct cpu_count cpus;
	uint64_t *scratch; /* [owners_entries()] */
	uint64_t dropped;

	struct pods pods;
	struct guess *guesses; /* [pods.capacity] */
	struct groups *groups;
	struct idle_book idle;
	struct tally passed; /* folded into bucket `containers` account by account, */
	struct tally late;   /* and what came to it later, as far as it is handed out */
	uint64_t dropped_pods, folded_pods;
	uint64_t start_ns;          /* of the first tick, */
	bool started;               /* if it has been */
	uint64_t twice_ns, once_ns; /* as ledger_scraped */
	bool any, api;              /* as ledger_roll */
	bool summed;                /* totals of pods are those of the last tick */
	bool names_moved;           /* facts or accounts have come since the last roll */
	uint32_t unnamed;
};

static inline struct tally tally_of(const struct account *account)
{
	struct tally tally = { .busy_ns = account->usage.busy_ns };

	for (int i = 0; i < _COLUMN_MAX; i++)
		tally.nj[i] = account->nj[i];
	return tally;
}

/* lifecycle.c: accounts come, are named, end and are folded. */
uint32_t book_add_running(struct ledger *ledger, uint64_t cgroup_id, uint64_t t_ns);
void book_end_account(struct ledger *ledger, uint32_t at, uint64_t t_ns);
void book_fold_account(struct ledger *ledger, uint32_t at); /* the oldest ended one */

/* fold.c: an entry for a pod, or POD_NONE.  For a cgroup there always is one. */
uint32_t book_pod(struct ledger *ledger, const char *key, bool is_pod, bool for_cgroup,
		  uint64_t t_ns);

/* resolve.c: containers find their names. */
void book_resolve(struct ledger *ledger);

/* roll.c: totals of pods; what an entry has goes to its groups, to the last if it is final. */
void book_sum(struct ledger *ledger);
void book_settle(struct ledger *ledger, struct pod_entry *entry, bool final, uint64_t t_ns);

/* idle.c */
int idle_book_init(struct idle_book *idle, uint32_t capacity); /* 0 or -ENOMEM */
void idle_book_free(struct idle_book *idle);
void book_share_idle(struct ledger *ledger);

#endif
