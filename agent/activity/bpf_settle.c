/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settling a tick of the BPF activity source: what rows gained becomes cumulative, and every tick
 * sums to its length.
 */
#include "activity/bpf_source.h"

#include <string.h>

#include "platform/scope.h"

void bpf_mark_active(struct bpf_source *source, uint32_t row)
{
	struct activity *activity = &source->base.activity;

	if (source->marked[row])
		return;
	source->marked[row] = true;
	activity->active[activity->n_active++] = row;
}

/*
 * Rows only grow, but what a row gained can be negative: steal, and the end of a stint whose switch
 * was not shown, become known when the stint is closed, after its owner was credited with that time
 * as running.  Such a row carries a debt and repays it with its next time; as long as it does, as
 * much is withheld from the rows that really had the time, so that every tick sums to its length.
 */
static struct row_cell *cell_of(struct bpf_source *source, uint32_t row, unsigned int package)
{
	return &source->cells[(size_t)row * source->base.activity.n_packages + package];
}

void bpf_forget_row(struct bpf_source *source, uint32_t slot)
{
	struct activity *activity = &source->base.activity;
	size_t at = (size_t)slot * activity->n_packages;
	unsigned int package;

	/* A debt that nobody can repay any more stays owed, and what is withheld for it withheld:
	 * the row was shown that time.  What the row itself withholds goes where such time belongs.
	 */
	for (package = 0; package < activity->n_packages; package++) {
		if (source->cells[at + package].carry_ns > 0)
			cell_of(source, OWNER_STEAL, package)->carry_ns +=
				source->cells[at + package].carry_ns;
	}
	memset(&activity->rows[slot], 0, sizeof(activity->rows[slot]));
	memset(&activity->weight[at], 0, activity->n_packages * sizeof(*activity->weight));
	memset(&source->cells[at], 0, activity->n_packages * sizeof(*source->cells));
}

/* What a row has to show; debts stay behind and are added to *owed. */
static void settle_debt(struct row_cell *cell, int64_t *owed)
{
	cell->delta_ns += cell->carry_ns;
	*owed += cell->carry_ns; /* debts are negative, what was withheld is positive */
	cell->carry_ns = MIN(cell->delta_ns, 0);
	*owed -= cell->carry_ns;
	cell->delta_ns = MAX(cell->delta_ns, 0);
}

/* Give a row its time, less what is owed elsewhere. */
static void settle_row(struct bpf_source *source, uint32_t row, unsigned int package, int64_t *owed)
{
	struct activity *activity = &source->base.activity;
	struct row_cell *cell = cell_of(source, row, package);
	int64_t keep = MIN(cell->delta_ns, MAX(*owed, 0));
	uint64_t ns = (uint64_t)(cell->delta_ns - keep);

	cell->carry_ns += keep;
	*owed -= keep;
	activity->rows[row].usage.busy_ns += ns;
	activity->weight[(size_t)row * activity->n_packages + package] +=
		activity->unit == WEIGHT_CYCLES ? cell->cycles : ns;
	if (row != OWNER_IDLE && row != OWNER_STEAL)
		activity->package_busy_ns[package] += ns;
	cell->delta_ns = 0;
	cell->cycles = 0;
}

/* Turn this tick's deltas into cumulative rows. */
void bpf_settle(struct bpf_source *source)
{
	/* Whose time it most often was: they wait first. */
	static const uint32_t first[] = { OWNER_STEAL, OWNER_IRQ, OWNER_IDLE, OWNER_KERNEL };
	struct activity *activity = &source->base.activity;
	unsigned int package;
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(first); i++)
		bpf_mark_active(source, first[i]);
	for (i = 0; i < source->n_carriers; i++)
		bpf_mark_active(source, source->carriers[i]);
	source->n_carriers = 0;
	for (package = 0; package < activity->n_packages; package++) {
		int64_t *owed = &source->owed[package];

		for (i = 0; i < activity->n_active; i++)
			settle_debt(cell_of(source, activity->active[i], package), owed);
		for (i = 0; i < ARRAY_SIZE(first); i++)
			settle_row(source, first[i], package, owed);
		for (i = 0; i < activity->n_active; i++)
			settle_row(source, activity->active[i], package, owed);
	}
	for (i = 0; i < activity->n_active; i++) {
		uint32_t row = activity->active[i];

		source->marked[row] = false;
		for (package = 0; package < activity->n_packages; package++) {
			if (!cell_of(source, row, package)->carry_ns)
				continue;
			source->carriers[source->n_carriers++] = row;
			break;
		}
	}
}
