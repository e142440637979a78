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

/* What the groups of a kind have, and what is still to be given to them. */
static inline struct tally group_sum(const struct ledger *ledger, enum group_kind kind)
{
	struct tally sum = { 0 };
	size_t n;
	const struct group *groups = ledger_groups(ledger, &n);
	const struct pod_entry *pods;

	for (size_t i = 0; i < n; i++)
		if (groups[i].key && groups[i].key->kind == kind)
			tally_add(&sum, &groups[i].total);
	pods = ledger_pods(ledger, &n);
	for (size_t i = 0; i < n; i++) {
		struct tally pending = tally_less(&pods[i].total, &pods[i].in_group[kind]);

		if (pods[i].key[0] && (kind == GROUP_NAMESPACE || pods[i].is_pod))
			tally_add(&sum, &pending);
	}
	return sum;
}

static inline bool tally_same(const struct tally *a, const struct tally *b)
{
	struct tally more = tally_less(a, b), less = tally_less(b, a);

	return tally_is_zero(&more) && tally_is_zero(&less);
}

/* What containers and VMs have together. */
static inline struct tally guests_sum(const struct ledger *ledger)
{
	uint64_t cpu_ns[_BUCKET_MAX];
	struct tally sum;
	size_t n;
	const struct zone_total *zones = ledger_zones(ledger, &n);

	ledger_cpu_ns(ledger, cpu_ns);
	sum = (struct tally){ .busy_ns = cpu_ns[BUCKET_CONTAINERS] + cpu_ns[BUCKET_VMS] };
	for (size_t i = 0; i < n; i++)
		if (zones[i].column >= 0)
			sum.nj[zones[i].column] += zones[i].bucket_nj[BUCKET_CONTAINERS] +
						   zones[i].bucket_nj[BUCKET_VMS];
	return sum;
}

static inline void check_part(const struct tally *part, const struct tally *whole, const char *what)
{
	struct tally more = tally_less(part, whole);

	cr_assert(tally_is_zero(&more), "%s is more than what it is a part of", what);
}

/*
 * After a roll: what is given to namespaces and what waits for a name is what containers have, to
 * the nanojoule, whatever was renamed, folded, dropped or thrown out of a table.  Holds where every
 * VM and every container has a key, and no VM has been folded with work to come.
 */
static inline void check_names(const struct ledger *ledger)
{
	struct tally spaces = group_sum(ledger, GROUP_NAMESPACE), all = guests_sum(ledger);
	struct tally functions = group_sum(ledger, GROUP_FUNCTION);
	struct tally workloads = group_sum(ledger, GROUP_WORKLOAD);
	uint64_t starts = 0, started = 0;
	size_t n;
	const struct group *groups = ledger_groups(ledger, &n);
	const struct pod_entry *pods;

	cr_assert(tally_same(&spaces, &all), "namespaces and what waits are not all containers");
	check_part(&functions, &spaces, "function");
	check_part(&workloads, &spaces, "workload");
	for (size_t i = 0; i < n; i++) {
		check_part(&groups[i].overhead, &groups[i].total, "overhead");
		check_part(&groups[i].cold, &groups[i].total, "a cold start");
		starts += groups[i].cold_starts;
		started += groups[i].pods;
	}
	cr_assert(starts <= started, "a pod starts once");
	pods = ledger_pods(ledger, &n);
	for (size_t i = 0; i < n; i++) {
		check_part(&pods[i].overhead, &pods[i].total, "a pod's overhead");
		for (int kind = 0; kind < _GROUP_KIND_MAX; kind++)
			check_part(&pods[i].in_group[kind], &pods[i].total, "what was given");
		cr_assert(pods[i].n_live <= pods[i].n_accounts);
		cr_assert(pods[i].ended_ns ? pods[i].born_ns && !pods[i].n_live
					   : !pods[i].born_ns || pods[i].n_live);
	}
}

#endif
