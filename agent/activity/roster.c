/* SPDX-License-Identifier: Apache-2.0 */
#include "activity/roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REST_NS 1000000000u

int roster_open(struct activity *activity, struct roster *ret)
{
	struct roster roster = { .activity = activity };

	roster.queue = calloc(activity->capacity, sizeof(*roster.queue));
	roster.freed_ns = calloc(activity->capacity, sizeof(*roster.freed_ns));
	roster.last_id = calloc(activity->capacity, sizeof(*roster.last_id));
	if (!roster.queue || !roster.freed_ns || !roster.last_id) {
		roster_close(&roster);
		return -ENOMEM;
	}
	for (uint32_t row = _OWNER_FIXED; row < activity->capacity; row++)
		roster.queue[roster.n++] = row;
	*ret = roster;
	return 0;
}

void roster_close(struct roster *roster)
{
	free(roster->queue);
	free(roster->freed_ns);
	free(roster->last_id);
	*roster = (struct roster){ 0 };
}

uint32_t roster_take(struct roster *roster, uint64_t cgroup_id, uint64_t now_ns)
{
	struct activity *activity = roster->activity;
	uint32_t row;

	if (roster->n == 0)
		return OWNER_OVERFLOW;
	row = roster->queue[roster->head];
	if (roster->freed_ns[row] && now_ns - roster->freed_ns[row] < REST_NS)
		return OWNER_OVERFLOW;
	roster->head = (roster->head + 1) % activity->capacity;
	roster->n--;
	activity->rows[row].cgroup_id = cgroup_id;
	if (roster->last_id[row] == cgroup_id)
		return row;
	roster->last_id[row] = cgroup_id;
	activity->rows[row].usage = (struct usage){ 0 };
	memset(&activity->weight[(size_t)row * activity->n_packages], 0,
	       activity->n_packages * sizeof(*activity->weight));
	return row;
}

void roster_give(struct roster *roster, uint32_t row, uint64_t now_ns)
{
	if (row < _OWNER_FIXED)
		return;
	roster->activity->rows[row].cgroup_id = 0;
	roster->freed_ns[row] = now_ns ? now_ns : 1;
	roster->queue[(roster->head + roster->n++) % roster->activity->capacity] = row;
}

void roster_begin(struct roster *roster)
{
	roster->activity->n_active = 0;
	memset(roster->spill_ns, 0, sizeof(roster->spill_ns));
}

static void book(struct activity *activity, uint32_t row, const uint64_t *ns)
{
	uint64_t sum = 0;

	for (unsigned int p = 0; p < activity->n_packages; p++) {
		activity->weight[(size_t)row * activity->n_packages + p] += ns[p];
		activity->package_busy_ns[p] += ns[p];
		sum += ns[p];
	}
	if (sum == 0)
		return;
	activity->rows[row].usage.busy_ns += sum;
	activity->active[activity->n_active++] = row;
}

void roster_book(struct roster *roster, uint32_t row, const uint64_t *ns)
{
	uint64_t sum = 0;

	if (row != OWNER_OVERFLOW) {
		book(roster->activity, row, ns);
		return;
	}
	for (unsigned int p = 0; p < roster->activity->n_packages; p++) {
		roster->spill_ns[p] += ns[p];
		sum += ns[p];
	}
	roster->activity->overflow_switches += sum > 0;
}

void roster_spread(uint64_t ns, const uint64_t *weights, unsigned int n, uint64_t *ret)
{
	unsigned __int128 sum = 0, running = 0;
	uint64_t given = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += weights[i];
	/* Cumulative, so that one part's rounding is the next one's gain. */
	for (unsigned int i = 0; i < n; i++) {
		uint64_t upto;

		running += weights[i];
		upto = sum ? (uint64_t)(ns * running / sum) : ns;
		ret[i] = upto - given;
		given = upto;
	}
}

void roster_book_spread(struct roster *roster, uint32_t row, uint64_t ns, const uint64_t *weights)
{
	uint64_t parts[HOST_MAX_PACKAGES];

	roster_spread(ns, weights, roster->activity->n_packages, parts);
	roster_book(roster, row, parts);
}

void roster_book_rest(struct roster *roster, enum owner owner, uint64_t ns)
{
	struct activity *activity = roster->activity;

	if (ns == 0)
		return;
	activity->rows[owner].usage.busy_ns += ns;
	activity->active[activity->n_active++] = owner;
}

void roster_end(struct roster *roster)
{
	book(roster->activity, OWNER_OVERFLOW, roster->spill_ns);
}
