/* SPDX-License-Identifier: Apache-2.0 */
/* Curve: AC watts of a machine as a function of load, at 11 levels as SPECpower measures them.
 * Pure. */
#ifndef PODJOULE_CURVE_H
#define PODJOULE_CURVE_H

#define CURVE_LEVELS 11 /* load 0, 0.1, … 1 */

struct curve {
	double watts[CURVE_LEVELS];
	double error_ratio; /* relative systematic error (one standard deviation) of a prediction */
};

/* Watts at load (clamped to 0..1; NaN as 0): linear in load of log watts between levels. */
double curve_watts(const struct curve *curve, double load);

#endif
