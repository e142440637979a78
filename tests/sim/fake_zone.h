/* SPDX-License-Identifier: Apache-2.0 */
/* Fake zone: a sensor that knows what it truly gave, and what the meter may claim of it. */
#ifndef PODJOULE_FAKE_ZONE_H
#define PODJOULE_FAKE_ZONE_H

#include <criterion/criterion.h>
#include <stdint.h>

#include "account/ledger.h"

struct fake_zone {
	struct zone zone;
	double static_w, busy_w; /* at rest, and more with every CPU busy */
	uint64_t total_uj;       /* truly emitted */
	uint64_t offset_uj;      /* of the counter */
	uint64_t pending_uj;     /* emitted since the meter's last reading */
	uint64_t claimed_uj;     /* what the meter had the means to know */
	uint64_t seen_unknown_ns, seen_t_ns;
	nj_t seen_nj;
};

static inline void fake_zone_emit(struct fake_zone *fake, uint64_t dt_ns, double busy)
{
	uint64_t uj = (uint64_t)((fake->static_w + fake->busy_w * busy) * (double)dt_ns / 1e3);

	fake->total_uj += uj;
	fake->pending_uj += uj;
}

/* The counter begins again at 0, as after a firmware update. */
static inline void fake_zone_reset(struct fake_zone *fake)
{
	fake->offset_uj = fake->zone.wrap ? fake->zone.wrap - fake->total_uj % fake->zone.wrap
					  : -fake->total_uj;
}

static inline uint64_t fake_zone_value(const struct fake_zone *fake)
{
	uint64_t value = fake->total_uj + fake->offset_uj;

	return fake->zone.wrap ? value % fake->zone.wrap : value;
}

/*
 * After a tick: what was emitted up to an accepted reading is either in the book, to the last
 * nanojoule, or its time is declared unknown.
 */
static inline void fake_zone_check(struct fake_zone *fake, const struct zone_total *total)
{
	bool is_first = !fake->seen_t_ns;

	cr_assert(total->nj >= fake->seen_nj, "energy never falls");
	fake->seen_nj = total->nj;
	if (total->meter.t_ns != fake->seen_t_ns && total->meter.started) {
		if (!is_first && total->meter.unknown_ns == fake->seen_unknown_ns)
			fake->claimed_uj += fake->pending_uj;
		fake->pending_uj = 0;
		fake->seen_t_ns = total->meter.t_ns;
		fake->seen_unknown_ns = total->meter.unknown_ns;
	}
	cr_assert(total->nj == (nj_t)fake->claimed_uj * 1000, "the book holds what was emitted");
}

#endif
