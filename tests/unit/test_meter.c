/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>

#include "account/meter.h"
#include "no_leaks.h"
#include "platform/scope.h"

TestSuite(meter, .fini = no_leaks);

#define MS 1000000ull
#define S  1000000000ull

static const struct zone rapl = {
	.kind = ZONE_PACKAGE,
	.unit = ZONE_COUNTS_UJ,
	.wrap = 262143328911,
	.max_uw = 4000000000,
	.period_ns = MS,
};
static const struct zone hwmon = {
	.kind = ZONE_PLATFORM,
	.unit = ZONE_SHOWS_UW,
	.max_uw = 20000000000,
};

struct outcome {
	enum meter_result result;
	uint64_t nj, window_ns;
};

static struct outcome give(struct meter *meter, const struct zone *zone, uint64_t value,
			   uint64_t t_ns, int error)
{
	struct reading reading = { .value = value, .t_ns = t_ns, .error = error };
	struct outcome outcome;

	outcome.result = meter_advance(meter, zone, &reading, &outcome.nj, &outcome.window_ns);
	return outcome;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

Test(meter, starts_with_the_first_reading)
{
	struct meter meter = { 0 };
	struct outcome o = give(&meter, &rapl, 5000, S, 0);

	cr_assert(eq(int, o.result, METER_FIRST));
	cr_assert(eq(u64, o.nj, 0));
	o = give(&meter, &rapl, 7000, 2 * S, 0);
	cr_assert(eq(int, o.result, METER_OK));
	cr_assert(eq(u64, o.nj, 2000000));
	cr_assert(eq(u64, o.window_ns, S));
}

Test(meter, survives_a_wrap)
{
	struct meter meter = { 0 };
	struct outcome o;

	give(&meter, &rapl, 262143328850, S, 0);
	o = give(&meter, &rapl, 0, 2 * S, 0);
	cr_assert(eq(int, o.result, METER_OK));
	cr_assert(eq(u64, o.nj, 61000), "the unit between the last value and 0");
	cr_assert(eq(u64, meter.wraps, 1));
}

Test(meter, calls_a_fall_that_no_wrap_explains_a_reset)
{
	struct meter meter = { 0 };
	struct outcome o;

	give(&meter, &rapl, 100000000000, S, 0);
	o = give(&meter, &rapl, 50, 2 * S, 0);
	cr_assert(eq(int, o.result, METER_UNKNOWN));
	cr_assert(eq(u64, o.nj, 0));
	cr_assert(eq(u64, meter.resets, 1));
	cr_assert(eq(u64, meter.unknown_ns, S));
	o = give(&meter, &rapl, 150, 3 * S, 0);
	cr_assert(eq(int, o.result, METER_OK));
	cr_assert(eq(u64, o.nj, 100000));
	cr_assert(eq(u64, meter.unknown_ns, S));
}

Test(meter, covers_failed_reads_with_the_next_good_one)
{
	struct meter meter = { 0 };
	struct outcome o;

	give(&meter, &rapl, 1000, S, 0);
	for (int i = 2; i < 32; i++)
		cr_assert(eq(int, give(&meter, &rapl, 0, i * S, -EIO).result, METER_SKIPPED));
	o = give(&meter, &rapl, 31001000, 32 * S, 0);
	cr_assert(eq(int, o.result, METER_OK));
	cr_assert(eq(u64, o.nj, 31000000000));
	cr_assert(eq(u64, o.window_ns, 31 * S));
	cr_assert(eq(u64, meter.unknown_ns, 0));
}

Test(meter, does_not_guess_how_often_a_counter_went_round)
{
	struct meter meter = { 0 };
	struct outcome o;

	give(&meter, &rapl, 1000, S, 0);
	o = give(&meter, &rapl, 2000, 3600 * S, 0);
	cr_assert(eq(int, o.result, METER_UNKNOWN));
	cr_assert(eq(u64, meter.unknown_ns, 3599 * S));
	o = give(&meter, &rapl, 3000, 3630 * S, 0);
	cr_assert(eq(int, o.result, METER_OK), "30 s is the longest pause that is meant");
}

Test(meter, counts_the_time_before_the_first_good_reading)
{
	struct meter meter = { 0 };

	give(&meter, &rapl, 0, S, -ENODEV);
	give(&meter, &rapl, 0, 5 * S, -ENODEV);
	cr_assert(eq(int, give(&meter, &rapl, 77, 11 * S, 0).result, METER_FIRST));
	cr_assert(eq(u64, meter.unknown_ns, 10 * S));
}

Test(meter, books_nanojoules_without_a_wrap)
{
	const struct zone model = { .kind = ZONE_PLATFORM, .unit = ZONE_COUNTS_NJ };
	struct meter meter = { 0 };

	give(&meter, &model, 10, S, 0);
	cr_assert(eq(u64, give(&meter, &model, 10 + 5000 * S, 101 * S, 0).nj, 5000 * S));
}

Test(meter, integrates_power_as_trapezoids)
{
	struct meter meter = { 0 };
	uint64_t sum_nj = 0;

	give(&meter, &hwmon, 100000001, S, 0);
	for (int i = 1; i <= 1000; i++)
		sum_nj += give(&meter, &hwmon, 100000001 + i % 2, S + i * MS, 0).nj;
	/* Mean power 100000001.5 uW for 1 s; the rest is below 1 nJ. */
	cr_assert(eq(u64, sum_nj, 100000001500));
}

Test(meter, refuses_impossible_power)
{
	struct meter meter = { 0 };

	give(&meter, &hwmon, 1000000, S, 0);
	cr_assert(eq(int, give(&meter, &hwmon, UINT64_MAX, 2 * S, 0).result, METER_UNKNOWN));
	cr_assert(eq(int, give(&meter, &hwmon, 1000000, 3 * S, 0).result, METER_FIRST));
	cr_assert(eq(u64, meter.unknown_ns, 2 * S));
	cr_assert(eq(u64, meter.absurd, 1));
	cr_assert(eq(u64, give(&meter, &hwmon, 1000000, 4 * S, 0).nj, 1000000000));
}

Test(meter, does_not_guess_power_that_nobody_read)
{
	struct meter meter = { 0 };

	give(&meter, &hwmon, 1000000, S, 0);
	give(&meter, &hwmon, 0, 3 * S, -EIO);
	cr_assert(eq(int, give(&meter, &hwmon, 1000000, 5 * S, 0).result, METER_OK));
	cr_assert(eq(int, give(&meter, &hwmon, 1000000, 11 * S, 0).result, METER_UNKNOWN));
	cr_assert(eq(u64, meter.unknown_ns, 6 * S));
}

Test(meter, adds_up_to_the_true_counter_when_only_wraps_happen)
{
	uint64_t seed = 88172645463325252ull;

	for (int round = 0; round < 1000; round++) {
		struct zone zone = rapl;
		struct meter meter = { 0 };
		uint64_t truth_uj, first_uj, sum_nj = 0, t_ns = S;

		if (round % 2)
			zone.wrap = 65532610987 + 15;
		truth_uj = next_random(&seed) % zone.wrap;
		first_uj = truth_uj;
		give(&meter, &zone, truth_uj, t_ns, 0);
		for (int i = 0; i < 100; i++) {
			uint64_t dt_ns = 1 + next_random(&seed) % (12 * S);
			/* What is cooled, not what is possible for a moment: no gap is ambiguous.
			 */
			uint64_t uw = next_random(&seed) % (zone.max_uw / 4);
			bool fails = next_random(&seed) % 4 == 0 && meter.t_ns + 24 * S > t_ns;
			struct outcome o;

			t_ns += dt_ns;
			truth_uj += (uint64_t)((unsigned __int128)uw * dt_ns / S);
			o = give(&meter, &zone, truth_uj % zone.wrap, t_ns, fails ? -EIO : 0);
			cr_assert(eq(int, o.result, fails ? METER_SKIPPED : METER_OK));
			sum_nj += o.nj;
			if (!fails)
				cr_assert(eq(u64, sum_nj, (truth_uj - first_uj) * 1000),
					  "round %d step %d", round, i);
		}
		cr_assert(gt(u64, meter.wraps, 0));
		cr_assert(eq(u64, meter.unknown_ns, 0));
	}
}

/* Whatever comes: nothing negative, nothing above what the hardware can, every instant once. */
Test(meter, stays_physical_on_any_sequence)
{
	uint64_t seed = 0x9e3779b97f4a7c15ull;

	for (int round = 0; round < 100000; round++) {
		const struct zone *zone = round % 3 ? &rapl : &hwmon;
		struct meter meter = { 0 };
		uint64_t t_ns = next_random(&seed) % (1000 * S), newest_ns = 0, booked_ns = 0;
		uint64_t start_ns = 0;
		bool started = false;

		for (int i = 0; i < 8; i++) {
			uint64_t random = next_random(&seed), value = next_random(&seed);
			int error = random % 5 == 0 ? -EIO : 0;
			struct outcome o;
			uint64_t limit;

			value >>= random % 64;
			if (random % 7 == 0)
				t_ns -= MIN(t_ns, random % (3 * S));
			else if (random % 7 > 1)
				t_ns += (random >> 20) % (40 * S);
			o = give(&meter, zone, value, t_ns, error);
			if (meter.started && !started) {
				started = true;
				start_ns = meter.t_ns;
			}

			cr_assert(le(u64, o.window_ns, t_ns));
			limit = (uint64_t)((unsigned __int128)zone->max_uw *
					   (o.window_ns + zone->period_ns) / 1000000);
			cr_assert(le(u64, o.nj, limit), "round %d step %d", round, i);
			if (o.result != METER_OK)
				cr_assert(eq(u64, o.nj | o.window_ns, 0));
			booked_ns += o.window_ns;
			newest_ns = meter.t_ns;
		}
		if (started)
			cr_assert(eq(u64, booked_ns + meter.unknown_ns, newest_ns - start_ns),
				  "round %d", round);
	}
}
