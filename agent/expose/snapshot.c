/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/snapshot.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "expose/snapshot_copy.h"
#include "platform/scope.h"

#define NS_PER_SECOND 1000000000u

/*
 * A zone that is left asleep keeps its last power; an idle package is read every 30 s, so what has
 * had no reading for a minute is broken and its power is not known.
 */
#define POWER_KEEPS_NS (60ull * NS_PER_SECOND)

const double late_bound_seconds[LATE_BUCKETS - 1] = { 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1 };

struct slot {
	struct snapshot snapshot;
	struct slot *next; /* of the free ones */
};

/* What a zone had at the last publish that saw a new reading. */
struct mark {
	bool set;
	uint64_t t_ns, unknown_ns;
	nj_t nj;
	double variance_nj2;
	uint64_t interval_nj, interval_ns;
	double stddev_joules;
};

struct snapshot_pool {
	pthread_mutex_t lock; /* current, spare and reference counts that fall to 0 */
	struct slot *current;
	struct slot *spare;
	uint64_t sequence; /* the sampler's own, as the marks and the map */
	struct mark marks[ENERGY_MAX_ZONES];
	struct pod_map pods;
	_Atomic uint64_t twice_ns, once_ns; /* as snapshot_seen() */
};

int snapshot_pool_new(struct snapshot_pool **ret)
{
	_free_ struct snapshot_pool *pool = calloc(1, sizeof(*pool));
	pthread_mutexattr_t attr;
	int r;

	if (!pool)
		return -ENOMEM;

	/* A scheduled-out reader must not hold up a sampler with --realtime. */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	r = pthread_mutex_init(&pool->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	if (r != 0)
		return -r;
	atomic_init(&pool->twice_ns, UINT64_MAX);
	atomic_init(&pool->once_ns, UINT64_MAX);

	*ret = TAKE_PTR(pool);
	return 0;
}

static void slot_free(struct slot *slot)
{
	snapshot_release(&slot->snapshot);
	free(slot);
}

void snapshot_pool_free(struct snapshot_pool *pool)
{
	struct slot *slot;

	if (!pool)
		return;
	while ((slot = pool->spare)) {
		pool->spare = slot->next;
		slot_free(slot);
	}
	if (pool->current)
		slot_free(pool->current);
	pthread_mutex_destroy(&pool->lock);
	free(pool->pods.shown);
	free(pool);
}

/* With the lock held: drop a reference; nobody's snapshot is the next publish's memory. */
static void slot_drop(struct snapshot_pool *pool, struct slot *slot)
{
	if (atomic_fetch_sub(&slot->snapshot.refs, 1) != 1)
		return;
	slot->next = pool->spare;
	pool->spare = slot;
}

static struct slot *slot_take(struct snapshot_pool *pool)
{
	struct slot *slot;

	pthread_mutex_lock(&pool->lock);
	slot = pool->spare;
	if (slot)
		pool->spare = slot->next;
	pthread_mutex_unlock(&pool->lock);

	if (!slot)
		slot = calloc(1, sizeof(*slot));
	if (slot)
		atomic_store(&slot->snapshot.refs, 1);
	return slot;
}

/* Move the mark to what the zone has now; its interval is what came since. */
static void mark_move(struct mark *mark, const struct zone_total *total)
{
	uint64_t window_ns, unknown_ns;
	double variance;

	if (!mark->set || total->nj < mark->nj || total->meter.t_ns < mark->t_ns) {
		mark->interval_nj = total->last_window_ns ? total->last_nj : 0;
		mark->interval_ns = total->last_window_ns;
		variance = total->variance_nj2;
	} else {
		window_ns = total->meter.t_ns - mark->t_ns;
		unknown_ns = total->meter.unknown_ns - mark->unknown_ns;
		mark->interval_nj = (uint64_t)(total->nj - mark->nj);
		mark->interval_ns = window_ns - MIN(window_ns, unknown_ns);
		variance = total->variance_nj2 - mark->variance_nj2;
	}
	mark->stddev_joules = variance > 0 ? sqrt(variance) / NS_PER_SECOND : 0;
	mark->set = true;
	mark->t_ns = total->meter.t_ns;
	mark->unknown_ns = total->meter.unknown_ns;
	mark->nj = total->nj;
	mark->variance_nj2 = total->variance_nj2;
}

static void copy_zone(struct snapshot_zone *to, const struct zone_total *from, struct mark *mark,
		      uint64_t t_ns)
{
	bool moved = !mark->set || from->meter.t_ns != mark->t_ns || from->nj != mark->nj;
	bool known;

	if (from->meter.started && moved)
		mark_move(mark, from);
	/* Without a new reading the last power holds, unless we know that we do not know. */
	known = from->meter.started && from->meter.unknown_ns == mark->unknown_ns &&
		t_ns < mark->t_ns + POWER_KEEPS_NS;

	*to = (struct snapshot_zone){
		.zone = from->zone,
		.split = from->split,
		.column = from->column,
		.nj = from->nj,
		.interval_nj = known ? mark->interval_nj : 0,
		.interval_ns = known ? mark->interval_ns : 0,
		.stddev_joules = known ? mark->stddev_joules : 0,
		.total_stddev_joules =
			from->variance_nj2 > 0 ? sqrt(from->variance_nj2) / NS_PER_SECOND : 0,
		.unknown_seconds = (double)from->meter.unknown_ns / NS_PER_SECOND,
	};
	memcpy(to->bucket_nj, from->bucket_nj, sizeof(to->bucket_nj));
}

static void copy_zones(struct snapshot *snapshot, const struct ledger *ledger, struct mark *marks)
{
	size_t n;
	const struct zone_total *zones = ledger_zones(ledger, &n);

	memset(snapshot->has_column, 0, sizeof(snapshot->has_column));
	snapshot->n_zones = MIN(n, (size_t)ENERGY_MAX_ZONES);
	for (size_t i = 0; i < snapshot->n_zones; i++) {
		copy_zone(&snapshot->zones[i], &zones[i], &marks[i], snapshot->t_ns);
		if (zones[i].split && zones[i].column >= 0)
			snapshot->has_column[zones[i].column] = true;
	}
}

int snapshot_publish(struct snapshot_pool *pool, const struct snapshot_input *input)
{
	const struct ledger *ledger = input->ledger;
	struct slot *slot = slot_take(pool);
	struct snapshot *snapshot;
	int r;

	if (!slot)
		return -ENOMEM;
	snapshot = &slot->snapshot;
	r = snapshot_copy(snapshot, input, &pool->pods);
	if (r < 0) {
		pthread_mutex_lock(&pool->lock);
		slot_drop(pool, slot);
		pthread_mutex_unlock(&pool->lock);
		return r;
	}

	snapshot->facts = input->facts;
	snapshot->stats = *input->stats;
	snapshot->sequence = ++pool->sequence;
	snapshot->start_t_ns = input->facts->start_mono_ns;
	snapshot->start_wall_ns = input->facts->start_wall_ns;
	snapshot->t_ns = input->t_ns;
	snapshot->wall_ns = input->wall_ns;
	snapshot->cpus = input->cpus;
	snapshot->shares_idle = input->shares_idle;
	copy_zones(snapshot, ledger, pool->marks);
	ledger_cpu_ns(ledger, snapshot->cpu_ns);
	memcpy(snapshot->folded, ledger_folded(ledger), sizeof(snapshot->folded));

	pthread_mutex_lock(&pool->lock);
	if (pool->current)
		slot_drop(pool, pool->current);
	pool->current = slot;
	pthread_mutex_unlock(&pool->lock);
	return 0;
}

void snapshot_set_seen(struct snapshot_pool *pool, struct snapshot_seen seen)
{
	atomic_store_explicit(&pool->twice_ns, seen.twice_ns, memory_order_relaxed);
	atomic_store_explicit(&pool->once_ns, seen.once_ns, memory_order_relaxed);
}

struct snapshot_seen snapshot_seen(const struct snapshot_pool *pool)
{
	return (struct snapshot_seen){
		.twice_ns = atomic_load_explicit(&pool->twice_ns, memory_order_relaxed),
		.once_ns = atomic_load_explicit(&pool->once_ns, memory_order_relaxed),
	};
}

struct snapshot *snapshot_current(struct snapshot_pool *pool)
{
	struct snapshot *snapshot = NULL;

	pthread_mutex_lock(&pool->lock);
	if (pool->current) {
		snapshot = &pool->current->snapshot;
		atomic_fetch_add(&snapshot->refs, 1);
	}
	pthread_mutex_unlock(&pool->lock);
	return snapshot;
}

void snapshot_put(struct snapshot_pool *pool, struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	pthread_mutex_lock(&pool->lock);
	slot_drop(pool, container_of(snapshot, struct slot, snapshot));
	pthread_mutex_unlock(&pool->lock);
}
