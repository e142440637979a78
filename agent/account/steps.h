/* SPDX-License-Identifier: Apache-2.0 */
/* Steps: what was last seen of each activity row, so that totals become steps.  Pure. */
#ifndef PODJOULE_STEPS_H
#define PODJOULE_STEPS_H

#include "activity/activity.h"

struct seen_row {
	uint64_t cgroup_id;
	uint32_t entry; /* who owns it, as in struct owners */
	struct usage usage;
};

struct steps {
	struct seen_row *table; /* [capacity] */
	uint64_t *weight;       /* [capacity * n_packages] */
	uint32_t capacity;
	unsigned int n_packages;
};

/* What a row did since it was last seen. */
struct step {
	struct usage usage;
	uint64_t weight[HOST_MAX_PACKAGES];
	uint64_t all_weight; /* of all packages */
};

int steps_init(struct steps *steps, uint32_t capacity, unsigned int n_packages); /* 0 or -ENOMEM */
void steps_free(struct steps *steps);
/* Forget a row that was given to another cgroup. */
void steps_restart(struct steps *steps, uint32_t at, uint64_t cgroup_id, uint32_t entry);
/* A total that fell has begun again from 0: steps are never negative. */
void steps_take(struct steps *steps, const struct activity *activity, uint32_t at,
		struct step *ret);

void usage_add(struct usage *usage, const struct usage *more);

#endif
