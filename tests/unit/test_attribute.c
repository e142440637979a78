/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "account/attribute.h"
#include "no_leaks.h"

TestSuite(attribute, .fini = no_leaks);

#define MAX_CONSUMERS 64

typedef unsigned __int128 u128;

/* A number of random width, so that small, large and 0 all come often. */
static uint64_t draw(unsigned int *seed)
{
	uint64_t bits = (uint64_t)(unsigned int)rand_r(seed) << 42 ^
			(uint64_t)(unsigned int)rand_r(seed) << 21 ^ (unsigned int)rand_r(seed);
	unsigned int width = (unsigned int)rand_r(seed) % 66;

	return width >= 64 ? bits | 1ull << 63 : bits & ((1ull << width) - 1);
}

static void check_split(uint64_t energy_nj, const uint64_t *weights, size_t n)
{
	uint64_t nj[MAX_CONSUMERS], rest_nj;
	u128 sum_nj = 0, total = 0;

	for (size_t i = 0; i < n; i++)
		total += weights[i];
	rest_nj = attribute(energy_nj, weights, n, nj);
	for (size_t i = 0; i < n; i++) {
		long double fair, off;

		sum_nj += nj[i];
		cr_assert(weights[i] || !nj[i], "who did nothing gets nothing");
		if (!total)
			continue;
		fair = (long double)energy_nj * (long double)weights[i] / (long double)total;
		off = fabsl((long double)nj[i] - fair);
		/* One nanojoule of rounding, and the bits below 2^-62 of a sum beyond 64 bits. */
		cr_assert(off <= 1.01L + (long double)energy_nj * 0x1p-61L, "off by %Lg nJ of %Lg",
			  off, fair);
	}
	cr_assert(sum_nj + rest_nj == energy_nj, "the parts sum to the whole");
	cr_assert(eq(u64, rest_nj, total ? 0 : energy_nj));
}

Test(attribute, conserves_energy_on_random_input)
{
	uint64_t weights[MAX_CONSUMERS];
	unsigned int seed = 20240501;

	for (int round = 0; round < 100000; round++) {
		size_t n = (size_t)rand_r(&seed) % MAX_CONSUMERS;

		for (size_t i = 0; i < n; i++)
			weights[i] = draw(&seed);
		check_split(draw(&seed), weights, n);
	}
}

Test(attribute, survives_the_largest_numbers)
{
	uint64_t weights[MAX_CONSUMERS];

	memset(weights, 0xff, sizeof(weights));
	for (size_t n = 0; n <= MAX_CONSUMERS; n++)
		check_split(UINT64_MAX, weights, n);
	weights[3] = 0;
	weights[7] = 1;
	check_split(UINT64_MAX, weights, MAX_CONSUMERS);
	check_split(1, weights, MAX_CONSUMERS);
	check_split(0, weights, MAX_CONSUMERS);
}

Test(attribute, gives_all_to_the_only_one)
{
	uint64_t weights[3] = { 0, 1, 0 }, nj[3];

	cr_assert(eq(u64, attribute(UINT64_MAX, weights, 3, nj), 0));
	cr_assert(eq(u64, nj[0], 0));
	cr_assert(eq(u64, nj[1], UINT64_MAX));
	cr_assert(eq(u64, nj[2], 0));
}

Test(attribute, gives_the_rest_back_when_nobody_ran)
{
	uint64_t weights[2] = { 0, 0 }, nj[2] = { 5, 5 };

	cr_assert(eq(u64, attribute(77, weights, 2, nj), 77));
	cr_assert(eq(u64, nj[0], 0));
	cr_assert(eq(u64, nj[1], 0));
	cr_assert(eq(u64, attribute(77, NULL, 0, NULL), 77));
}

Test(attribute, splits_in_place)
{
	uint64_t weights[MAX_CONSUMERS], apart[MAX_CONSUMERS], both[MAX_CONSUMERS];
	unsigned int seed = 7;

	for (size_t i = 0; i < MAX_CONSUMERS; i++)
		both[i] = weights[i] = draw(&seed);
	attribute(123456789012ull, weights, MAX_CONSUMERS, apart);
	attribute(123456789012ull, both, MAX_CONSUMERS, both);
	cr_assert(eq(int, memcmp(apart, both, sizeof(apart)), 0));
}
