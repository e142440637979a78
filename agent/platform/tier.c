/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/tier.h"

const char *tier_name(bool virtual, bool measured, bool pmu)
{
	if (!virtual)
		return "host";
	if (measured)
		return "T0";
	return pmu ? "T2" : "T3";
}
