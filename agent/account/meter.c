/* SPDX-License-Identifier: Apache-2.0 */
#include "account/meter.h"

#include <stdbool.h>

typedef unsigned __int128 u128;

/* meter->started. */
enum { NEVER, RUNNING, LOST };

#define NSEC_PER_SEC 1000000000ull

/* Power that nobody looked at for longer than this is a guess, however it looks afterwards. */
#define POWER_GAP_NS (5 * NSEC_PER_SEC)

/*
 * max_uw is what a zone may show for a moment; nothing is cooled for more than a quarter of it.
 * A gap in which the counter could have gone round at that power has no answer: 2^-16 J units
 * and 4 kW give 65 s, twice the longest pause between two reads of a package.
 */
#define SUSTAINED_PART 4

/* The most that max_uw allows in dt_ns, in the zone's counter unit. */
static u128 most(const struct zone *zone, uint64_t dt_ns)
{
	/* uW x ns = 10^-15 J; a counter's step carries up to one period of its own. */
	u128 femto = (u128)zone->max_uw * ((u128)dt_ns + zone->period_ns);

	return femto / (zone->unit == ZONE_COUNTS_UJ ? NSEC_PER_SEC : 1000000u);
}

/* Could the counter have gone round unseen? */
static bool is_ambiguous(const struct zone *zone, uint64_t dt_ns)
{
	return zone->wrap && zone->max_uw && most(zone, dt_ns) / SUSTAINED_PART >= zone->wrap;
}

static void start(struct meter *meter, const struct reading *reading)
{
	meter->value = reading->value;
	meter->last_uw = reading->value;
	meter->t_ns = reading->t_ns;
	meter->rest = 0;
	meter->started = RUNNING;
}

static enum meter_result advance_counter(struct meter *meter, const struct zone *zone,
					 const struct reading *reading, uint64_t *ret_nj,
					 uint64_t *ret_window_ns)
{
	uint64_t dt_ns = reading->t_ns - meter->t_ns;
	uint64_t nj_per_unit = zone->unit == ZONE_COUNTS_UJ ? 1000 : 1;
	bool fell = reading->value < meter->value;
	/* The true sum needs no more than 64 bits; modulo 2^64 gives wrap 0 its meaning. */
	uint64_t delta = reading->value - meter->value + (fell ? zone->wrap : 0);
	bool wrapped = fell && (!zone->wrap || meter->value < zone->wrap);
	bool possible = (u128)delta * nj_per_unit <= UINT64_MAX;

	if (zone->max_uw && delta > most(zone, dt_ns))
		possible = false;
	/* Without a known limit every fall could be a wrap, and most are a reset. */
	if (fell && (!wrapped || !zone->max_uw))
		possible = false;

	if (!possible || is_ambiguous(zone, dt_ns)) {
		if (fell)
			meter->resets++;
		else
			meter->absurd++;
		meter->unknown_ns += dt_ns;
		start(meter, reading);
		return METER_UNKNOWN;
	}

	meter->wraps += fell;
	start(meter, reading);
	*ret_nj = delta * nj_per_unit;
	*ret_window_ns = dt_ns;
	return METER_OK;
}

static enum meter_result advance_power(struct meter *meter, const struct reading *reading,
				       uint64_t *ret_nj, uint64_t *ret_window_ns)
{
	uint64_t dt_ns = reading->t_ns - meter->t_ns;
	u128 area; /* of the trapezoid, twice, in uW x ns */
	uint64_t rest;

	if (dt_ns > POWER_GAP_NS) {
		meter->unknown_ns += dt_ns;
		start(meter, reading);
		return METER_UNKNOWN;
	}
	area = ((u128)meter->last_uw + reading->value) * dt_ns + meter->rest;
	if (area / 2000000 > UINT64_MAX) {
		meter->absurd++;
		meter->unknown_ns += dt_ns;
		start(meter, reading);
		return METER_UNKNOWN;
	}
	rest = (uint64_t)(area % 2000000);
	start(meter, reading);
	meter->rest = rest;
	*ret_nj = (uint64_t)(area / 2000000);
	*ret_window_ns = dt_ns;
	return METER_OK;
}

/* A zone that has never given anything is unknown from its first failure on. */
static enum meter_result skip(struct meter *meter, const struct reading *reading)
{
	if (meter->started == NEVER && reading->t_ns) {
		meter->started = LOST;
		meter->t_ns = reading->t_ns;
	}
	return METER_SKIPPED;
}

enum meter_result meter_advance(struct meter *meter, const struct zone *zone,
				const struct reading *reading, uint64_t *ret_nj,
				uint64_t *ret_window_ns)
{
	bool is_power = zone->unit == ZONE_SHOWS_UW;

	*ret_nj = 0;
	*ret_window_ns = 0;
	if (reading->error)
		return skip(meter, reading);
	/* Time that stands still or goes back makes no watts: the next reading covers it. */
	if (meter->started != NEVER && reading->t_ns <= meter->t_ns)
		return METER_SKIPPED;

	if (is_power && zone->max_uw && reading->value > zone->max_uw) {
		if (meter->started != NEVER)
			meter->unknown_ns += reading->t_ns - meter->t_ns;
		meter->absurd++;
		meter->t_ns = reading->t_ns;
		meter->started = LOST;
		return METER_UNKNOWN;
	}
	if (meter->started != RUNNING) {
		if (meter->started == LOST)
			meter->unknown_ns += reading->t_ns - meter->t_ns;
		start(meter, reading);
		return METER_FIRST;
	}
	if (is_power)
		return advance_power(meter, reading, ret_nj, ret_window_ns);
	return advance_counter(meter, zone, reading, ret_nj, ret_window_ns);
}
