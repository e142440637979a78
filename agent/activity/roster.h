/* SPDX-License-Identifier: Apache-2.0 */
/* Roster: hands out rows of struct activity to cgroups and books time to them.  Pure. */
#ifndef PODJOULE_ROSTER_H
#define PODJOULE_ROSTER_H

#include "activity/activity.h"

struct roster { /* first in, first out: a row rests as long as possible before its next owner */
	struct activity *activity;
	uint32_t *queue;    /* free rows */
	uint64_t *freed_ns; /* [capacity] by row; 0: never used */
	uint64_t *last_id;  /* [capacity] by row: the latest owner, also after it left */
	uint32_t head, n;
	uint64_t spill_ns[HOST_MAX_PACKAGES]; /* gathered for OWNER_OVERFLOW in this collect */
};

/* activity must have its arrays.  0 or -ENOMEM. */
int roster_open(struct activity *activity, struct roster *ret);
void roster_close(struct roster *roster);

/*
 * A zeroed row for cgroup_id, or OWNER_OVERFLOW when none is free.  A row that was given back
 * rests for a second, so that whoever reads rows has seen that its owner is gone; should the same
 * id get it again, its totals go on.
 */
uint32_t roster_take(struct roster *roster, uint64_t cgroup_id, uint64_t now_ns);
void roster_give(struct roster *roster, uint32_t row,
		 uint64_t now_ns); /* fixed rows are left alone */

/* Start of a collect: nothing has moved yet. */
void roster_begin(struct roster *roster);
/* Book ns[n_packages] to a row, at most once per collect; OWNER_OVERFLOW as often as needed. */
void roster_book(struct roster *roster, uint32_t row, const uint64_t *ns);
/* The same for an amount that is known as a whole: spread over packages by weights[]. */
void roster_book_spread(struct roster *roster, uint32_t row, uint64_t ns, const uint64_t *weights);
/* Idle and steal: time of nobody, no weight. */
void roster_book_rest(struct roster *roster, enum owner owner, uint64_t ns);
/* End of a collect: what found no row is booked to OWNER_OVERFLOW at once. */
void roster_end(struct roster *roster);

/* ns over n parts in proportion to weights (all to the first when there are none): exact sum. */
void roster_spread(uint64_t ns, const uint64_t *weights, unsigned int n, uint64_t *ret);

#endif
