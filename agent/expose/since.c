/* SPDX-License-Identifier: Apache-2.0 */
/* What happened between two snapshots. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "expose/since.h"
#include "expose/snapshot_copy.h"
#include "platform/scope.h"

/* Sums only grow; where two snapshots disagree all the same, the answer is 0, never a wrap. */
#define LESS(a, b) ((a)-MIN((a), (b)))

typedef __int128 snj_t; /* the difference of two nj_t */

#define REST_OF_SNAPSHOT offsetof(struct snapshot, facts)

/* Base's accounts by owner and cgroup: index + 1, open addressing. */
struct matcher {
	const struct snapshot *base;
	uint32_t *slots;
	size_t mask;
	bool *matched;
};

static uint32_t *matcher_slot(const struct matcher *matcher, const struct snapshot_account *like)
{
	uint64_t i = (like->cgroup_id ^ (uint64_t)like->owner << 56) * 0x9e3779b97f4a7c15u;

	for (i ^= i >> 32;; i++) {
		uint32_t *slot = &matcher->slots[i & matcher->mask];
		const struct snapshot_account *a;

		if (!*slot)
			return slot;
		a = &matcher->base->accounts[*slot - 1];
		if (a->cgroup_id == like->cgroup_id && a->owner == like->owner)
			return slot;
	}
}

static int matcher_open(struct matcher *ret, const struct snapshot *base)
{
	size_t size = 16;

	while (size < 2 * base->n_accounts)
		size *= 2;
	*ret = (struct matcher){ .base = base, .mask = size - 1 };
	ret->slots = calloc(size, sizeof(*ret->slots));
	ret->matched = calloc(base->n_accounts + 1, sizeof(*ret->matched));
	if (!ret->slots || !ret->matched)
		return -ENOMEM;
	for (size_t i = 0; i < base->n_accounts; i++)
		*matcher_slot(ret, &base->accounts[i]) = (uint32_t)i + 1;
	return 0;
}

static void matcher_close(struct matcher *matcher)
{
	free(matcher->slots);
	free(matcher->matched);
}

static void usage_less(struct usage *usage, const struct usage *base)
{
	usage->busy_ns = LESS(usage->busy_ns, base->busy_ns);
	usage->cycles = LESS(usage->cycles, base->cycles);
	usage->instructions = LESS(usage->instructions, base->instructions);
	usage->voluntary = LESS(usage->voluntary, base->voluntary);
	usage->involuntary = LESS(usage->involuntary, base->involuntary);
}

static void nj_less(nj_t *nj, const nj_t *base, size_t n)
{
	for (size_t i = 0; i < n; i++)
		nj[i] = LESS(nj[i], base[i]);
}

static void account_less(struct snapshot_account *account, const struct snapshot_account *base)
{
	usage_less(&account->usage, &base->usage);
	nj_less(account->nj, base->nj, _COLUMN_MAX);
	nj_less(account->idle_nj, base->idle_nj, _COLUMN_MAX);
	for (int c = 0; c < _COLUMN_MAX; c++)
		account->variance_nj2[c] =
			fmax(0, account->variance_nj2[c] - base->variance_nj2[c]);
}

static bool did_nothing(const struct snapshot_account *account)
{
	static const struct usage none;
	nj_t nj = 0;

	for (int c = 0; c < _COLUMN_MAX; c++)
		nj |= account->nj[c] | account->idle_nj[c];
	return !nj && !memcmp(&account->usage, &none, sizeof(none));
}

/*
 * What was folded holds all that its accounts ever had.  Those that base still lists had a part of
 * it before: take that out again, so that the buckets stay the sum of what is in them.
 */
static void subtract_folded(struct snapshot *to, const struct matcher *matcher)
{
	const struct snapshot *base = matcher->base;

	for (int b = 0; b < _BUCKET_ENERGY_MAX; b++) {
		usage_less(&to->folded[b].usage, &base->folded[b].usage);
		nj_less(to->folded[b].nj, base->folded[b].nj, _COLUMN_MAX);
		to->folded[b].n = LESS(to->folded[b].n, base->folded[b].n);
	}
	for (size_t i = 0; i < base->n_accounts; i++) {
		const struct snapshot_account *gone = &base->accounts[i];

		if (matcher->matched[i] || gone->bucket >= _BUCKET_ENERGY_MAX)
			continue;
		usage_less(&to->folded[gone->bucket].usage, &gone->usage);
		nj_less(to->folded[gone->bucket].nj, gone->nj, _COLUMN_MAX);
	}
}

static const struct snapshot_zone *same_zone(const struct snapshot *base,
					     const struct snapshot_zone *like)
{
	for (size_t i = 0; i < base->n_zones; i++) {
		const struct zone *zone = &base->zones[i].zone;

		if (zone->kind == like->zone.kind && !strcmp(zone->device, like->zone.device))
			return &base->zones[i];
	}
	return NULL;
}

static void subtract_zones(struct snapshot *to, const struct snapshot *base)
{
	for (size_t i = 0; i < to->n_zones; i++) {
		struct snapshot_zone *zone = &to->zones[i];
		const struct snapshot_zone *before = same_zone(base, zone);
		double variance;

		if (!before)
			continue;
		/* Buckets may wrap here; settle_all() makes that good. */
		zone->nj = LESS(zone->nj, before->nj);
		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
			zone->bucket_nj[b] -= before->bucket_nj[b];
		variance = zone->total_stddev_joules * zone->total_stddev_joules -
			   before->total_stddev_joules * before->total_stddev_joules;
		zone->total_stddev_joules = variance > 0 ? sqrt(variance) : 0;
		zone->unknown_seconds = fmax(0, zone->unknown_seconds - before->unknown_seconds);
	}
}

/* Signed: how much a bucket has gained so far. */
static snj_t gain_of(const struct snapshot_zone *zone, enum bucket bucket)
{
	return (snj_t)zone->bucket_nj[bucket];
}

static nj_t move_bucket(struct snapshot_zone *zone, enum bucket from, enum bucket to, snj_t most)
{
	snj_t nj = MIN(most, gain_of(zone, to));

	if (nj <= 0)
		return 0;
	zone->bucket_nj[to] -= (nj_t)nj;
	zone->bucket_nj[from] += (nj_t)nj;
	return (nj_t)nj;
}

/*
 * A cgroup that was named between base and end took what it had before into its new bucket.  That
 * did not happen in the interval: put it back, first where a bucket has lost, then anywhere (an
 * account does not know its share by device).
 */
static void put_back(struct snapshot *to, const struct snapshot_account *before, enum bucket now)
{
	nj_t left[_COLUMN_MAX];

	if (before->bucket >= _BUCKET_ENERGY_MAX || now >= _BUCKET_ENERGY_MAX)
		return;
	to->cpu_ns[before->bucket] += before->usage.busy_ns;
	to->cpu_ns[now] -= before->usage.busy_ns;
	memcpy(left, before->nj, sizeof(left));
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < to->n_zones; i++) {
			struct snapshot_zone *zone = &to->zones[i];
			snj_t most = -gain_of(zone, before->bucket);

			if (!zone->split || zone->column < 0)
				continue;
			if (pass || most > (snj_t)left[zone->column])
				most = (snj_t)left[zone->column];
			left[zone->column] -= move_bucket(zone, before->bucket, now, most);
		}
	}
}

static void subtract_accounts(struct snapshot *to, const struct snapshot *end,
			      struct matcher *matcher)
{
	for (size_t i = 0; i < end->n_accounts; i++) {
		struct snapshot_account account = end->accounts[i];
		uint32_t at = *matcher_slot(matcher, &account);

		if (at) {
			const struct snapshot_account *before = &matcher->base->accounts[at - 1];

			if (before->bucket != account.bucket)
				put_back(to, before, account.bucket);
			account_less(&account, before);
			matcher->matched[at - 1] = true;
		}
		if (did_nothing(&account))
			continue;
		account.name = name_ref(account.name);
		to->accounts[to->n_accounts++] = account;
	}
}

/* Whatever has still lost gives the loss to who gained most: no bucket below 0, the same sum. */
static void settle(snj_t *gains, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		while (gains[i] < 0) {
			size_t most = 0;
			snj_t nj;

			for (size_t k = 1; k < n; k++)
				most = gains[k] > gains[most] ? k : most;
			nj = MIN(-gains[i], gains[most]);
			if (nj <= 0) { /* the sum itself has fallen */
				gains[i] = 0;
				break;
			}
			gains[most] -= nj;
			gains[i] += nj;
		}
	}
}

static void settle_all(struct snapshot *to)
{
	snj_t gains[_BUCKET_MAX];

	for (size_t i = 0; i < to->n_zones; i++) {
		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
			gains[b] = gain_of(&to->zones[i], b);
		settle(gains, _BUCKET_ENERGY_MAX);
		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
			to->zones[i].bucket_nj[b] = (nj_t)gains[b];
	}
	for (int b = 0; b < _BUCKET_MAX; b++)
		gains[b] = (int64_t)to->cpu_ns[b];
	settle(gains, _BUCKET_MAX);
	for (int b = 0; b < _BUCKET_MAX; b++)
		to->cpu_ns[b] = (uint64_t)gains[b];
}

static void subtract_stats(struct agent_stats *stats, const struct agent_stats *base)
{
	stats->samples = LESS(stats->samples, base->samples);
	for (int i = 0; i < LATE_BUCKETS; i++)
		stats->late[i] = LESS(stats->late[i], base->late[i]);
	stats->late_sum_seconds = fmax(0, stats->late_sum_seconds - base->late_sum_seconds);
	stats->lost_events = LESS(stats->lost_events, base->lost_events);
	stats->folded = LESS(stats->folded, base->folded);
	stats->folded_pods = LESS(stats->folded_pods, base->folded_pods);
	for (int kind = 0; kind < _GROUP_KIND_MAX; kind++)
		stats->folded_groups[kind] =
			LESS(stats->folded_groups[kind], base->folded_groups[kind]);
	stats->api_events = LESS(stats->api_events, base->api_events);
	stats->api_relists = LESS(stats->api_relists, base->api_relists);
	stats->api_dropped = LESS(stats->api_dropped, base->api_dropped);
	stats->overflow_switches = LESS(stats->overflow_switches, base->overflow_switches);
	stats->counter_errors = LESS(stats->counter_errors, base->counter_errors);
	stats->torn_reads = LESS(stats->torn_reads, base->torn_reads);
	stats->dropped = LESS(stats->dropped, base->dropped);
	stats->cpu_ns = LESS(stats->cpu_ns, base->cpu_ns);
	stats->bpf_ns = LESS(stats->bpf_ns, base->bpf_ns);
}

static void free_snapshot(struct snapshot **snapshot)
{
	snapshot_free(*snapshot);
}

/* All of end but its reference count, which other threads may be moving, and its tables. */
static struct snapshot *snapshot_like(const struct snapshot *end)
{
	struct snapshot *to = malloc(sizeof(*to));

	if (!to)
		return NULL;
	memcpy((char *)to + REST_OF_SNAPSHOT, (const char *)end + REST_OF_SNAPSHOT,
	       sizeof(*to) - REST_OF_SNAPSHOT);
	atomic_init(&to->refs, 1);
	to->accounts = NULL;
	to->pods = NULL;
	to->groups = NULL;
	to->processes = NULL;
	to->n_accounts = to->capacity = 0;
	to->n_pods = to->pods_capacity = 0;
	to->n_groups = to->groups_capacity = 0;
	to->n_processes = to->processes_capacity = 0;
	return to;
}

int snapshot_since(const struct snapshot *base, const struct snapshot *end, struct snapshot **ret)
{
	_cleanup_(free_snapshot) struct snapshot *to = snapshot_like(end);
	_cleanup_(matcher_close) struct matcher matcher = { 0 };
	int r;

	if (!to)
		return -ENOMEM;
	r = matcher_open(&matcher, base);
	if (r < 0)
		return r;
	to->capacity = end->n_accounts + 1;
	to->accounts = calloc(to->capacity, sizeof(*to->accounts));
	if (!to->accounts)
		return -ENOMEM;
	r = since_names(base, end, to);
	if (r < 0)
		return r;

	to->start_t_ns = base->t_ns;
	to->start_wall_ns = base->wall_ns;
	subtract_zones(to, base);
	for (int b = 0; b < _BUCKET_MAX; b++)
		to->cpu_ns[b] -= base->cpu_ns[b];
	subtract_accounts(to, end, &matcher);
	subtract_folded(to, &matcher);
	settle_all(to);
	subtract_stats(&to->stats, &base->stats);
	r = since_drop_pods(to);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(to);
	return 0;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	snapshot_release(snapshot);
	free(snapshot);
}
