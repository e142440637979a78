/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "platform/curve.h"
#include "unit/no_leaks.h"

TestSuite(curve, .fini = no_leaks);

static const struct curve server = {
	.watts = { 60, 95, 110, 124, 138, 153, 170, 190, 213, 240, 270 },
	.error_ratio = 0.1,
};

Test(curve, goes_through_its_levels)
{
	for (int i = 0; i < CURVE_LEVELS; i++)
		cr_assert(epsilon_eq(dbl, curve_watts(&server, i / 10.0), server.watts[i], 1e-9));
}

Test(curve, stays_between_neighbours_and_never_falls_on_a_rising_curve)
{
	double before = 0;

	for (int i = 0; i <= 10000; i++) {
		double watts = curve_watts(&server, i / 10000.0);
		int level = i / 1000;

		cr_assert(ge(dbl, watts, before - 1e-9));
		cr_assert(ge(dbl, watts, server.watts[level] - 1e-9));
		if (level + 1 < CURVE_LEVELS)
			cr_assert(le(dbl, watts, server.watts[level + 1] + 1e-9));
		before = watts;
	}
}

Test(curve, is_linear_in_the_logarithm_between_levels)
{
	for (int i = 0; i + 1 < CURVE_LEVELS; i++)
		cr_assert(epsilon_eq(dbl, curve_watts(&server, (i + 0.5) / 10),
				     sqrt(server.watts[i] * server.watts[i + 1]), 1e-6));
}

Test(curve, answers_every_double_with_a_number_of_its_range)
{
	static const double loads[] = {
		-1, -0.0, 1.5, 1e300, -1e300, INFINITY, -INFINITY, NAN, 0.9999999999999999, 5e-324
	};

	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		double watts = curve_watts(&server, loads[i]);

		cr_expect(ge(dbl, watts, server.watts[0]));
		cr_expect(le(dbl, watts, server.watts[CURVE_LEVELS - 1]));
	}
	cr_expect(eq(dbl, curve_watts(&server, NAN), server.watts[0]));
	cr_expect(eq(dbl, curve_watts(&server, 7), server.watts[CURVE_LEVELS - 1]));
}

Test(curve, survives_a_level_without_watts)
{
	const struct curve odd = { .watts = { 0, 100, 0, 50 } };

	cr_assert(epsilon_eq(dbl, curve_watts(&odd, 0.05), 50, 1e-9));
	for (int i = 0; i <= 1000; i++)
		cr_assert(isfinite(curve_watts(&odd, i / 1000.0)));
}
