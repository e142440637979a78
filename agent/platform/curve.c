/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/curve.h"

#include <math.h>

double curve_watts(const struct curve *curve, double load)
{
	double position, part, low, high;
	int level;

	/* Written so that NaN takes the first branch. */
	if (!(load > 0))
		return curve->watts[0];
	if (load >= 1)
		return curve->watts[CURVE_LEVELS - 1];

	position = load * (CURVE_LEVELS - 1);
	level = (int)position;
	part = position - level;
	low = curve->watts[level];
	if (part <= 0)
		return low;
	high = curve->watts[level + 1];
	/* A level without watts has no logarithm; a straight line is the best that is left. */
	if (low <= 0 || high <= 0)
		return low + part * (high - low);
	return low * pow(high / low, part);
}
