/* SPDX-License-Identifier: Apache-2.0 */
/* Fake activity: rows and packages filled by hand instead of by a driver. */
#ifndef PODJOULE_FAKE_ACTIVITY_H
#define PODJOULE_FAKE_ACTIVITY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "activity/activity.h"

struct fake_activity {
	struct activity activity;
	struct topology topology;
	bool *moved; /* rows in activity.active */
};

static inline void fake_activity_init(struct fake_activity *fake, uint32_t capacity,
				      unsigned int n_packages, unsigned int cpus)
{
	*fake = (struct fake_activity){
		.activity = { .rows = calloc(capacity, sizeof(struct activity_row)),
			      .capacity = capacity,
			      .weight = calloc((size_t)capacity * n_packages, sizeof(uint64_t)),
			      .package_busy_ns = calloc(n_packages, sizeof(uint64_t)),
			      .n_packages = n_packages,
			      .active = calloc(capacity, sizeof(uint32_t)),
			      .cpus = cpus,
			      .unit = WEIGHT_TIME },
		.topology = { .n_cpus = cpus,
			      .n_online = cpus,
			      .n_cores = cpus,
			      .n_packages = n_packages },
		.moved = calloc(capacity, sizeof(bool)),
	};
	for (unsigned int i = 0; i < cpus; i++) {
		fake->topology.online[i] = true;
		fake->topology.package_of[i] = (uint8_t)(i * n_packages / cpus);
	}
}

static inline void fake_activity_free(struct fake_activity *fake)
{
	free(fake->activity.rows);
	free(fake->activity.weight);
	free(fake->activity.package_busy_ns);
	free(fake->activity.active);
	free(fake->moved);
}

/* A new collect: nothing has moved yet. */
static inline void fake_begin(struct fake_activity *fake, uint64_t t_ns)
{
	for (uint32_t i = 0; i < fake->activity.n_active; i++)
		fake->moved[fake->activity.active[i]] = false;
	fake->activity.n_active = 0;
	fake->activity.t_ns = t_ns;
}

static inline void fake_move(struct fake_activity *fake, uint32_t row)
{
	if (!fake->moved[row])
		fake->activity.active[fake->activity.n_active++] = row;
	fake->moved[row] = true;
}

/* cgroup_id ran for ns on a package; a row that it takes from another cgroup starts from 0. */
static inline void fake_run(struct fake_activity *fake, uint32_t row, uint64_t cgroup_id,
			    unsigned int package, uint64_t ns)
{
	struct activity_row *at = &fake->activity.rows[row];
	uint64_t *weight = &fake->activity.weight[(size_t)row * fake->activity.n_packages];

	if (at->cgroup_id != cgroup_id) {
		*at = (struct activity_row){ .cgroup_id = cgroup_id };
		for (unsigned int i = 0; i < fake->activity.n_packages; i++)
			weight[i] = 0;
	}
	at->usage.busy_ns += ns;
	at->usage.cycles += 3 * ns;
	at->usage.voluntary++;
	weight[package] += ns;
	if (row != OWNER_IDLE && row != OWNER_STEAL)
		fake->activity.package_busy_ns[package] += ns;
	fake_move(fake, row);
}

#endif
