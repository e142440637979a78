/* SPDX-License-Identifier: Apache-2.0 */
#include "account/attribute.h"

typedef unsigned __int128 u128;

/*
 * floor(energy x part / total), part <= total.  Most products fit into 64 bits or divide by
 * hardware; the compiler's 128-bit division takes its own short ways.
 */
static uint64_t share(uint64_t energy_nj, uint64_t part, uint64_t total)
{
	u128 product = (u128)energy_nj * part;

	if (product >> 64 == 0)
		return (uint64_t)product / total;
	return (uint64_t)(product / total);
}

uint64_t attribute(uint64_t energy_nj, const uint64_t *weights, size_t n, uint64_t *ret_nj)
{
	u128 total = 0, sum = 0;
	uint64_t given_nj = 0;
	unsigned int shift = 0;

	for (size_t i = 0; i < n; i++)
		total += weights[i];
	/* A sum beyond 64 bits loses its lowest bits: one part in 2^63, and still exact in all. */
	while (total >> shift > UINT64_MAX)
		shift++;

	for (size_t i = 0; i < n; i++) {
		uint64_t until_nj = given_nj;

		if (weights[i]) {
			sum += weights[i];
			until_nj = share(energy_nj, (uint64_t)(sum >> shift),
					 (uint64_t)(total >> shift));
		}
		ret_nj[i] = until_nj - given_nj;
		given_nj = until_nj;
	}
	return energy_nj - given_nj;
}
