/* SPDX-License-Identifier: Apache-2.0 */
/* Book laws: what must hold for a ledger after every call, whatever was put into it. */
#ifndef PODJOULE_BOOK_LAWS_H
#define PODJOULE_BOOK_LAWS_H

#include <criterion/criterion.h>

#include "account/ledger.h"

/* Law 1: the buckets of a zone sum to what its source gave. */
static inline void check_zones(const struct ledger *ledger, nj_t by_column[][_BUCKET_MAX])
{
	size_t n;
	const struct zone_total *zones = ledger_zones(ledger, &n);

	for (size_t i = 0; i < n; i++) {
		nj_t sum_nj = 0;

		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++) {
			cr_assert(zones[i].bucket_nj[b] <= zones[i].nj, "a bucket below 0");
			sum_nj += zones[i].bucket_nj[b];
			if (zones[i].column >= 0)
				by_column[zones[i].column][b] += zones[i].bucket_nj[b];
		}
		cr_assert(sum_nj == zones[i].nj, "buckets of zone %zu do not sum to it", i);
		cr_assert(zones[i].variance_nj2 >= 0, "no square is below 0");
	}
}

/* Accounts and what was folded sum to their buckets; idle energy is nobody's. */
static inline void check_book(const struct ledger *ledger)
{
	nj_t by_column[_COLUMN_MAX][_BUCKET_MAX] = { 0 }, owned[_COLUMN_MAX][_BUCKET_MAX] = { 0 };
	const struct folded *folded = ledger_folded(ledger);
	size_t n;
	const struct account *accounts = ledger_accounts(ledger, &n);

	check_zones(ledger, by_column);
	for (int c = 0; c < _COLUMN_MAX; c++) {
		for (size_t i = 0; i < n; i++)
			owned[c][accounts[i].bucket] += accounts[i].nj[c];
		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
			owned[c][b] += folded[b].nj[c];
		cr_assert(owned[c][BUCKET_IDLE] == 0, "idle energy has an owner");
		cr_assert(owned[c][BUCKET_STEAL] == 0, "stolen time has energy");
		for (int b = BUCKET_IDLE + 1; b < _BUCKET_ENERGY_MAX; b++)
			cr_assert(owned[c][b] == by_column[c][b],
				  "accounts and folded of bucket %d do not sum to it", b);
	}
}

#endif
