/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "account/baseline.h"
#include "no_leaks.h"

TestSuite(baseline, .fini = no_leaks);

#define S    1000000000ull
#define HOUR (3600 * S)

/* One window of a second at these watts and busy fraction, on four CPUs. */
static void second(struct baseline *baseline, uint64_t *t_ns, double watts, double busy)
{
	*t_ns += S;
	baseline_add(baseline, *t_ns, (uint64_t)(watts * 1e9), S, (uint64_t)(busy * 4e9), 4);
}

static double watts_of(const struct baseline *baseline)
{
	return (double)baseline_nw(baseline) / 1e9;
}

static double noise(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(*state >> 33) / (1u << 31) - 0.5;
}

Test(baseline, is_the_lower_quartile_of_idle_windows)
{
	struct baseline baseline;
	uint64_t t_ns = 0;

	baseline_init(&baseline, 5, 0);
	for (int i = 0; i < 400; i++)
		second(&baseline, &t_ns, 20 + i % 4 * 10, 0.001);
	/* A quarter of the windows are at 20 W; bins are 6 % wide. */
	cr_assert(epsilon_eq(dbl, watts_of(&baseline), 20, 1.3));
	for (int i = 0; i < 400; i++)
		second(&baseline, &t_ns, 90, 0.8);
	cr_assert(epsilon_eq(dbl, watts_of(&baseline), 20, 1.3), "busy windows do not count");
}

Test(baseline, covers_milliwatts_and_kilowatts)
{
	static const double watts[] = { 0.002, 0.5, 7, 300, 4000, 60000 };

	for (size_t i = 0; i < sizeof(watts) / sizeof(watts[0]); i++) {
		struct baseline baseline;
		uint64_t t_ns = 0;

		baseline_init(&baseline, 0, 0);
		for (int n = 0; n < 10; n++)
			second(&baseline, &t_ns, watts[i], 0);
		cr_expect(epsilon_eq(dbl, watts_of(&baseline), watts[i], watts[i] * 0.06));
	}
}

Test(baseline, forgets_what_is_a_day_old)
{
	struct baseline baseline;
	uint64_t t_ns = 0;

	baseline_init(&baseline, 0, 0);
	for (int i = 0; i < 3600; i++)
		second(&baseline, &t_ns, 10, 0);
	t_ns += 10 * HOUR;
	for (int i = 0; i < 60; i++)
		second(&baseline, &t_ns, 30, 0);
	cr_assert(epsilon_eq(dbl, watts_of(&baseline), 10, 0.7));
	t_ns += 14 * HOUR;
	second(&baseline, &t_ns, 50, 0.5);
	cr_assert(epsilon_eq(dbl, watts_of(&baseline), 30, 2));
}

Test(baseline, finds_the_intercept_where_nothing_is_ever_idle)
{
	struct baseline baseline;
	uint64_t t_ns = 0, seed = 7;

	baseline_init(&baseline, 5, 0);
	for (int i = 0; i < 600; i++) {
		double busy = 0.5 + 0.4 * noise(&seed);

		second(&baseline, &t_ns, 40 + 100 * busy + noise(&seed), busy);
	}
	cr_assert(epsilon_eq(dbl, watts_of(&baseline), 40, 1));
}

Test(baseline, never_regresses_on_a_constant_load)
{
	struct baseline baseline;
	uint64_t t_ns = 0, seed = 7;

	baseline_init(&baseline, 5, 0);
	for (int i = 0; i < 600; i++)
		second(&baseline, &t_ns, 100 + noise(&seed), 0.5 + 0.01 * noise(&seed));
	cr_assert(eq(dbl, watts_of(&baseline), 5));
}

Test(baseline, is_told_by_a_source_that_knows)
{
	struct baseline baseline;
	uint64_t t_ns = 0;

	baseline_init(&baseline, 0, 12.5);
	cr_assert(eq(u64, baseline_nw(&baseline), 12500000000));
	second(&baseline, &t_ns, 90, 0);
	cr_assert(eq(u64, baseline_nw(&baseline), 12500000000));
}

Test(baseline, gathers_short_windows)
{
	struct baseline baseline;

	baseline_init(&baseline, 0, 0);
	for (uint64_t i = 1; i < 20; i++) {
		baseline_add(&baseline, i * S / 20, S, S / 20, 0, 2);
		cr_assert(eq(dbl, baseline.lowest_w, 0));
	}
	baseline_add(&baseline, S, S, S / 20, 0, 2);
	cr_assert(eq(dbl, baseline.lowest_w, 20));
}

/* Regressed or not, finite, at least the floor where nothing contradicts it, and never above the
 * lowest window while nothing idle has been seen. */
Test(baseline, stays_within_its_bounds_on_any_input)
{
	uint64_t seed = 42;

	for (int round = 0; round < 300; round++) {
		struct baseline baseline;
		uint64_t t_ns = 0;
		double floor_w = 20 + 20 * noise(&seed);

		baseline_init(&baseline, floor_w, 0);
		cr_assert(eq(u64, baseline_nw(&baseline), (uint64_t)(floor_w * 1e9)));
		for (int i = 0; i < 100; i++) {
			double busy = 0.51 + 0.98 * noise(&seed);

			second(&baseline, &t_ns, 500 * (0.5 + noise(&seed)), busy);
			if (i % 10 == 0)
				t_ns += (uint64_t)(noise(&seed) + 0.5) * 30 * HOUR;
			cr_assert(le(dbl, watts_of(&baseline), baseline.lowest_w));
			cr_assert(ge(dbl, watts_of(&baseline) + 1e-6,
				     floor_w < baseline.lowest_w ? floor_w : baseline.lowest_w));
		}
	}
}

Test(baseline, ignores_windows_without_time_or_cpus)
{
	struct baseline baseline;

	baseline_init(&baseline, 0, 0);
	baseline_add(&baseline, S, S, 0, S, 4);
	baseline_add(&baseline, S, S, S, S, 0);
	baseline_add(&baseline, S, 0, S, UINT64_MAX, 1);
	cr_assert(le(u64, baseline_nw(&baseline), 1000000));
}
