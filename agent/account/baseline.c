/* SPDX-License-Identifier: Apache-2.0 */
#include "account/baseline.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "platform/scope.h"

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_HOUR (3600 * NSEC_PER_SEC)

/* Shorter windows have noise of their own: the source moves once a millisecond. */
#define WINDOW_NS NSEC_PER_SEC

#define IDLE_BUSY 0.01 /* DESIGN section 5: under 1 % busy is idle */

#define BIN_LOWEST_W 1e-3
#define BIN_RATIO    1.06

/* The regression forgets with this time constant: long enough to see several loads. */
#define FORGET_S 3600.0

/*
 * A line needs two ends.  Under this spread of the busy fraction, or with fewer windows, its
 * intercept is noise times 1 / spread, and a constant load would be called static power.
 */
#define MIN_SPREAD  0.05
#define MIN_WINDOWS 10.0

static unsigned int bin_of(double watts)
{
	double bin = log(MAX(watts, BIN_LOWEST_W) / BIN_LOWEST_W) / log(BIN_RATIO);

	return bin < BASELINE_BINS - 1 ? (unsigned int)bin : BASELINE_BINS - 1;
}

/* Lower quartile of what is in the table, placed within its bin by rank; 0: the table is empty. */
static double lower_quartile(const struct baseline *baseline)
{
	uint64_t sums[BASELINE_BINS] = { 0 }, n = 0, below = 0;

	for (unsigned int hour = 0; hour < BASELINE_HOURS; hour++) {
		for (unsigned int bin = 0; bin < BASELINE_BINS; bin++) {
			sums[bin] += baseline->idle[hour][bin];
			n += baseline->idle[hour][bin];
		}
	}
	if (!n)
		return 0;

	for (unsigned int bin = 0; bin < BASELINE_BINS; bin++) {
		double rank = (double)n / 4 - (double)below;

		if (sums[bin] && rank <= (double)sums[bin])
			return BIN_LOWEST_W * pow(BIN_RATIO, bin + rank / (double)sums[bin]);
		below += sums[bin];
	}
	return 0;
}

/* Make the row of t_ns the newest one: what is a day old leaves the table. */
static bool turn_hour(struct baseline *baseline, uint64_t t_ns)
{
	uint64_t hour = t_ns / NSEC_PER_HOUR + 1;
	uint64_t stale = MIN(hour - baseline->hour, (uint64_t)BASELINE_HOURS);

	if (hour <= baseline->hour)
		return false;
	for (uint64_t i = 0; i < stale; i++)
		memset(baseline->idle[(hour - i) % BASELINE_HOURS], 0, sizeof(baseline->idle[0]));
	baseline->hour = hour;
	return true;
}

/* A window counts by its seconds, so that a quiet hour read twice a minute weighs an hour. */
static void count_idle(struct baseline *baseline, double watts, double seconds)
{
	uint16_t *count = &baseline->idle[baseline->hour % BASELINE_HOURS][bin_of(watts)];

	*count = (uint16_t)MIN(*count + MIN(seconds + 0.5, 3600.0), (double)UINT16_MAX);
}

static void regress(struct baseline *baseline, double busy, double watts, double seconds)
{
	double keep = exp(-seconds / FORGET_S);

	baseline->n = baseline->n * keep + 1;
	baseline->sx = baseline->sx * keep + busy;
	baseline->sy = baseline->sy * keep + watts;
	baseline->sxx = baseline->sxx * keep + busy * busy;
	baseline->sxy = baseline->sxy * keep + busy * watts;
}

/* Non-negative in slope and intercept; -1 where the load has not varied enough to tell. */
static double intercept_w(const struct baseline *baseline)
{
	double mean_x, mean_y, var_x, slope;

	if (baseline->n < MIN_WINDOWS)
		return -1;
	mean_x = baseline->sx / baseline->n;
	mean_y = baseline->sy / baseline->n;
	var_x = baseline->sxx / baseline->n - mean_x * mean_x;
	if (!(var_x >= MIN_SPREAD * MIN_SPREAD))
		return -1;
	slope = (baseline->sxy / baseline->n - mean_x * mean_y) / var_x;
	return MAX(mean_y - MAX(slope, 0) * mean_x, 0);
}

void baseline_init(struct baseline *baseline, double floor_w, double given_w)
{
	*baseline = (struct baseline){
		.floor_w = floor_w > 0 && isfinite(floor_w) ? floor_w : 0,
		.given_w = given_w > 0 && isfinite(given_w) ? given_w : 0,
	};
}

void baseline_add(struct baseline *baseline, uint64_t t_ns, uint64_t nj, uint64_t window_ns,
		  uint64_t busy_ns, unsigned int cpus)
{
	double seconds, watts, busy;
	bool moved;

	if (!window_ns || !cpus)
		return;
	baseline->window_ns += window_ns;
	baseline->window_nj += nj;
	baseline->window_busy_ns += (double)busy_ns / cpus;
	if (baseline->window_ns < WINDOW_NS)
		return;

	seconds = (double)baseline->window_ns / NSEC_PER_SEC;
	watts = (double)baseline->window_nj / (double)baseline->window_ns;
	busy = MIN(baseline->window_busy_ns / (double)baseline->window_ns, 1);
	baseline->window_ns = 0;
	baseline->window_nj = 0;
	baseline->window_busy_ns = 0;

	/* A zone that shows nothing for a second has no static power; 0 means "none seen" here. */
	watts = MAX(watts, BIN_LOWEST_W);
	if (!(baseline->lowest_w > 0) || watts < baseline->lowest_w)
		baseline->lowest_w = watts;
	moved = turn_hour(baseline, t_ns);
	if (busy < IDLE_BUSY)
		count_idle(baseline, watts, seconds);
	if (busy < IDLE_BUSY || moved)
		baseline->idle_w = lower_quartile(baseline);
	regress(baseline, busy, watts, seconds);
}

uint64_t baseline_nw(const struct baseline *baseline)
{
	double watts = baseline->given_w;

	if (!(watts > 0))
		watts = baseline->idle_w;
	if (!(watts > 0)) {
		watts = MAX(intercept_w(baseline), baseline->floor_w);
		if (baseline->lowest_w > 0)
			watts = MIN(watts, baseline->lowest_w);
	}
	/* 2^63 nW is nine gigawatts. */
	return watts > 0 && watts < 9e9 ? (uint64_t)(watts * 1e9) : 0;
}
