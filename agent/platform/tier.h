/* SPDX-License-Identifier: Apache-2.0 */
/* Tier: how much of the truth about energy a node can see.  Pure. */
#ifndef PODJOULE_TIER_H
#define PODJOULE_TIER_H

#include <stdbool.h>

/*
 * "host" on the hardware itself; in a guest "T0" when package energy is measured there, "T2" when
 * only its CPU counters count, "T3" when there is nothing but time.
 */
const char *tier_name(bool virtual, bool measured, bool pmu);

#endif
