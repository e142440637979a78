/* SPDX-License-Identifier: Apache-2.0 */
/* Attribute: who gets which nanojoule.  Pure: no clock, no files, no allocation, no log. */
#ifndef PODJOULE_ATTRIBUTE_H
#define PODJOULE_ATTRIBUTE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Split energy_nj over n consumers in proportion to their weights, by the cumulative method: each
 * gets what it adds to the rounded running total, so one's rounding is the next one's gain.
 * Returns the rest, energy_nj when all weights are 0 and else 0, so that
 *
 *	sum(ret_nj[0..n)) + return value == energy_nj
 *
 * holds exactly, in integers, for every input.  weights and ret_nj may be the same array.
 */
uint64_t attribute(uint64_t energy_nj, const uint64_t *weights, size_t n, uint64_t *ret_nj);

#endif
