/* SPDX-License-Identifier: Apache-2.0 */
/* Tally: what somebody used so far: energy by column, and CPU time.  Pure. */
#ifndef PODJOULE_TALLY_H
#define PODJOULE_TALLY_H

#include <stdbool.h>
#include <stdint.h>

/* Nanojoules: 64 bits overflow in 21 days at 10 kW. */
typedef unsigned __int128 nj_t;

/* Columns of a workload's energy: zones that do not overlap, summed over devices. */
enum column { COLUMN_PACKAGE, COLUMN_DRAM, COLUMN_GPU, COLUMN_PLATFORM, _COLUMN_MAX };

struct tally {
	nj_t nj[_COLUMN_MAX];
	uint64_t busy_ns;
};

static inline void tally_add(struct tally *sum, const struct tally *more)
{
	for (int i = 0; i < _COLUMN_MAX; i++)
		sum->nj[i] += more->nj[i];
	sum->busy_ns += more->busy_ns;
}

/* sum - less; 0 where less is larger. */
static inline struct tally tally_less(const struct tally *sum, const struct tally *less)
{
	struct tally left = *sum;

	for (int i = 0; i < _COLUMN_MAX; i++)
		left.nj[i] -= left.nj[i] < less->nj[i] ? left.nj[i] : less->nj[i];
	left.busy_ns -= left.busy_ns < less->busy_ns ? left.busy_ns : less->busy_ns;
	return left;
}

static inline bool tally_is_zero(const struct tally *tally)
{
	nj_t any = tally->busy_ns;

	for (int i = 0; i < _COLUMN_MAX; i++)
		any |= tally->nj[i];
	return !any;
}

#endif
