/* SPDX-License-Identifier: Apache-2.0 */
/* Meter: readings become nanojoules.  The only place that subtracts: wrap, reset, gap, power. Pure.
 */
#ifndef PODJOULE_METER_H
#define PODJOULE_METER_H

#include <stdint.h>

#include "energy/energy.h"

enum meter_result {
	METER_OK,      /* *ret_nj is the energy since the last OK or FIRST */
	METER_FIRST,   /* the first usable reading, or the first after a reset: a new start */
	METER_SKIPPED, /* no reading this time: the next one will cover it */
	METER_UNKNOWN, /* the counter did what energy cannot: nothing is booked, the time is unknown
			*/
};

struct meter {
	uint64_t value;   /* last good reading */
	uint64_t t_ns;    /* its time */
	uint64_t rest;    /* of integrated power, below 1 nJ: half uW x ns, mod 2 x 10^6 */
	uint64_t last_uw; /* power zones: the value that holds since t_ns */
	int started;
	uint64_t unknown_ns; /* cumulative time without a usable reading */
	uint64_t resets, wraps, absurd;
};

/*
 * Advance by one reading.  Counter zones: delta modulo zone->wrap (0: 2^64); a fall that a wrap
 * cannot explain within zone->max_uw is a reset (METER_UNKNOWN once, and a new start).  Power
 * zones integrate the trapezoid between two readings.  A reading with an error is
 * METER_SKIPPED, and its time counts as unknown only if the next good reading cannot cover it (a
 * counter can, unless it may have gone round unseen; power that was not read for more than 5 s
 * cannot).  A reading whose time stands still or goes back is METER_SKIPPED too.  *ret_nj is 0
 * unless METER_OK; *ret_window_ns is the time that *ret_nj stands for.
 */
enum meter_result meter_advance(struct meter *meter, const struct zone *zone,
				const struct reading *reading, uint64_t *ret_nj,
				uint64_t *ret_window_ns);

#endif
