/* SPDX-License-Identifier: Apache-2.0 */
/* Zone book: who ran since a zone's last reading, and what each got of its energy so far.  Pure. */
#ifndef PODJOULE_ZONE_BOOK_H
#define PODJOULE_ZONE_BOOK_H

#include "account/accounts.h"
#include "account/zone_load.h"

/*
 * Entries 0..capacity-1 are accounts, those behind them the folded ones by bucket: what an account
 * ran before it was folded is still paid for when the zone is read at last.
 */
struct owners {
	struct account *table;
	uint32_t capacity;
	struct folded *folded; /* [_BUCKET_ENERGY_MAX] */
	uint64_t *scratch;     /* [owners_entries()] */
};

static inline uint32_t owners_entries(const struct owners *owners)
{
	return owners->capacity + _BUCKET_ENERGY_MAX;
}

struct zone_share {
	nj_t nj;         /* dynamic energy of this account in this zone; 0 for folded ones */
	uint64_t weight; /* since the last reading */
	bool listed;
};

struct zone_book {
	struct zone_share *shares; /* [owners_entries()] */
	uint32_t *list;            /* entries with a weight since the last reading, each once */
	uint32_t n_listed;
	bool started;               /* the first window of an unbroken series has been seen */
	double closed_variance_nj2; /* of both ends of earlier series, and the start of this one */
	uint64_t tried_ns, tried_busy_ns; /* last attempt to read, and busy_ns then */
};

int zone_book_init(struct zone_book *book, uint32_t entries); /* 0 or -ENOMEM */
void zone_book_free(struct zone_book *book);

void zone_book_add(struct zone_book *book, uint32_t entry, uint64_t weight);
/* An account is folded: its weight goes to another entry, its energy is the caller's. */
void zone_book_fold(struct zone_book *book, uint32_t from, uint32_t to);
/* An account changes its bucket, and takes its energy along. */
void zone_book_rename(const struct zone_book *book, struct zone_total *total, uint32_t entry,
		      enum bucket from, enum bucket to);
/* Meter one reading, of tick t_ns, and split what it gives. */
void zone_book_read(struct zone_book *book, struct zone_total *total, const struct owners *owners,
		    const struct reading *reading, const struct zone_load *load, uint64_t t_ns);
/* As ledger_wants. */
bool zone_book_wants(const struct zone_book *book, const struct zone_total *total,
		     const struct zone_load *load, uint64_t t_ns, int running_package);

#endif
