/* SPDX-License-Identifier: Apache-2.0 */
/* Zone load: how busy a zone's own CPUs are.  Pure. */
#ifndef PODJOULE_ZONE_LOAD_H
#define PODJOULE_ZONE_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "activity/activity.h"

struct zone_load {
	uint64_t busy_ns; /* cumulative */
	unsigned int cpus;
	bool known; /* false: nobody says who was busy, so nothing can be learned from it */
};

struct cpu_count {
	unsigned int online; /* when the rest was counted */
	unsigned int of_package[HOST_MAX_PACKAGES];
};

/* CPUs go on and off line; counts again when their number has changed.  topology may be NULL. */
void cpu_count_update(struct cpu_count *count, const struct topology *topology,
		      const struct activity *activity);
/* package -1: the whole machine. */
struct zone_load zone_load_of(const struct cpu_count *count, int package,
			      const struct activity *activity);

#endif
