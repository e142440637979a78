/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Baseline: the static power of a zone, learned from its own windows.  Pure.
 *
 * Lower quartile of the windows under 1 % busy in the last 24 h; where there are none, the
 * intercept of a non-negative regression of power on busy fraction with forgetting, clipped to
 * [floor, lowest window seen].  DESIGN section 5.
 */
#ifndef PODJOULE_BASELINE_H
#define PODJOULE_BASELINE_H

#include <stdint.h>

#define BASELINE_HOURS 24
#define BASELINE_BINS  312 /* logarithmic, 6 % wide: 1 mW … 70 kW */

struct baseline {
	uint16_t idle[BASELINE_HOURS][BASELINE_BINS]; /* idle windows by hour and power */
	uint64_t hour;              /* of the newest row; 0 before the first window */
	double n, sx, sy, sxx, sxy; /* decayed sums: x busy fraction, y watts */
	double idle_w;              /* lower quartile of idle[][]; 0: no idle window in it */
	double lowest_w;            /* lowest window seen; 0: none */
	double floor_w;             /* never below: a fraction of the model's idle power */
	double given_w;     /* > 0: a source that knows its static power (the model) says so */
	uint64_t window_ns; /* accumulating until 1 s is complete */
	uint64_t window_nj;
	double window_busy_ns;
};

void baseline_init(struct baseline *baseline, double floor_w, double given_w);
/* One energy window: windows shorter than 1 s are gathered.  cpus: of the zone. */
void baseline_add(struct baseline *baseline, uint64_t t_ns, uint64_t nj, uint64_t window_ns,
		  uint64_t busy_ns, unsigned int cpus);
/* Static power now, in nanojoules per second (nW).  What is not learned from idle windows is never
 * above the lowest window seen. */
uint64_t baseline_nw(const struct baseline *baseline);

#endif
