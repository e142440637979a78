/* SPDX-License-Identifier: Apache-2.0 */
#include "account/steps.h"

#include <errno.h>
#include <stdlib.h>

#include "platform/scope.h"

int steps_init(struct steps *steps, uint32_t capacity, unsigned int n_packages)
{
	*steps = (struct steps){ .capacity = capacity,
				 .n_packages = MIN(n_packages, HOST_MAX_PACKAGES) };
	/* One more of each, so that an empty table is not a failed allocation. */
	steps->table = calloc((size_t)capacity + 1, sizeof(*steps->table));
	steps->weight = calloc((size_t)capacity * steps->n_packages + 1, sizeof(*steps->weight));
	return steps->table && steps->weight ? 0 : -ENOMEM;
}

void steps_free(struct steps *steps)
{
	free(steps->table);
	free(steps->weight);
	*steps = (struct steps){ 0 };
}

void steps_restart(struct steps *steps, uint32_t at, uint64_t cgroup_id, uint32_t entry)
{
	uint64_t *weight = &steps->weight[(size_t)at * steps->n_packages];

	steps->table[at] = (struct seen_row){ .cgroup_id = cgroup_id, .entry = entry };
	for (unsigned int i = 0; i < steps->n_packages; i++)
		weight[i] = 0;
}

static uint64_t advance(uint64_t *seen, uint64_t now)
{
	uint64_t step = now >= *seen ? now - *seen : now;

	*seen = now;
	return step;
}

void steps_take(struct steps *steps, const struct activity *activity, uint32_t at, struct step *ret)
{
	const uint64_t *now_weight = &activity->weight[(size_t)at * activity->n_packages];
	uint64_t *seen_weight = &steps->weight[(size_t)at * steps->n_packages];
	const struct usage *now = &activity->rows[at].usage;
	struct usage *seen = &steps->table[at].usage;

	ret->usage = (struct usage){
		.busy_ns = advance(&seen->busy_ns, now->busy_ns),
		.cycles = advance(&seen->cycles, now->cycles),
		.instructions = advance(&seen->instructions, now->instructions),
		.voluntary = advance(&seen->voluntary, now->voluntary),
		.involuntary = advance(&seen->involuntary, now->involuntary),
	};
	ret->all_weight = 0;
	for (unsigned int i = 0; i < MIN(steps->n_packages, activity->n_packages); i++) {
		ret->weight[i] = advance(&seen_weight[i], now_weight[i]);
		if (__builtin_add_overflow(ret->all_weight, ret->weight[i], &ret->all_weight))
			ret->all_weight = UINT64_MAX;
	}
}

void usage_add(struct usage *usage, const struct usage *more)
{
	usage->busy_ns += more->busy_ns;
	usage->cycles += more->cycles;
	usage->instructions += more->instructions;
	usage->voluntary += more->voluntary;
	usage->involuntary += more->involuntary;
}
