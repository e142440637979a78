/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshot: everything that can be shown, at one moment.  Immutable once published, counted; the
 * sampler fills one from a small pool, the edge renders it.  Nothing else crosses the two threads.
 */
#ifndef PODJOULE_SNAPSHOT_H
#define PODJOULE_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "account/ledger.h"
#include "account/processes.h"

#define LATE_BUCKETS 8 /* upper bounds: 1 10 50 100 250 500 1000 ms, +Inf */
extern const double late_bound_seconds[LATE_BUCKETS - 1];

/* What does not change while the agent runs. */
struct node_facts {
	char node[256];
	char cpu[128];    /* model name */
	char kernel[128]; /* release */
	char tier[8];     /* "host", "T0" … "T3" */
	unsigned int sockets, cores, threads;
	bool virtual;
	char activity[16]; /* "bpf" */
	char hierarchy[32];
	enum activity_weight weight;
	bool has_counters;
	uint64_t publish_ns;
	uint64_t start_wall_ns; /* CLOCK_REALTIME of the first reading */
	uint64_t start_mono_ns;
};

/* The agent on itself. */
struct agent_stats {
	uint64_t samples;
	uint64_t late[LATE_BUCKETS]; /* ticks by lateness */
	double late_sum_seconds;
	uint64_t folded_pods, folded_groups[_GROUP_KIND_MAX];
	bool watches_api; /* the figures of `api` are of a real watch */
	bool api_connected;
	uint64_t api_events, api_relists, api_dropped;
	uint64_t lost_events, folded, overflow_switches, counter_errors, torn_reads, dropped;
	uint64_t cpu_ns; /* of the process */
	uint64_t resident_bytes;
	uint64_t bpf_ns; /* run time of our programs; 0 unless kernel.bpf_stats_enabled */
	bool has_bpf_ns;
};

struct snapshot_account {
	struct name *name; /* reference held */
	uint64_t cgroup_id;
	enum bucket bucket;
	int owner; /* enum owner for fixed accounts, else OWNER_CGROUP */
	uint64_t born_ns, ended_ns;
	struct usage usage;
	nj_t nj[_COLUMN_MAX];
	double variance_nj2[_COLUMN_MAX];
	nj_t idle_nj[_COLUMN_MAX];
	uint32_t pod;                          /* of snapshot.pods, or POD_NONE */
	bool sandbox;                          /* overhead of its pod */
	const struct pod_container *container; /* of its pod's facts, which the snapshot holds */
};

/* A pod, or a container that is in none (is_pod false): then it is no series of its own. */
struct snapshot_pod {
	char key[PATH_MAX_ID];
	bool is_pod;
	struct pod *facts[_POD_SOURCE_MAX]; /* references */
	uint64_t born_ns, ended_ns;
	struct tally total; /* with what was folded into it */
};

struct snapshot_group {
	struct group_key *key; /* reference */
	struct tally total, overhead, cold;
	uint64_t pods, cold_starts;
};

struct snapshot_zone {
	struct zone zone;
	bool split;
	int column;
	nj_t nj;
	nj_t bucket_nj[_BUCKET_ENERGY_MAX];
	uint64_t interval_nj;       /* energy of the last publish interval, */
	uint64_t interval_ns;       /* and the time that it stands for; 0: no reading in it */
	double stddev_joules;       /* random part of the last publish interval */
	double total_stddev_joules; /* of nj since the start */
	double unknown_seconds;
};

struct snapshot {
	atomic_uint refs;
	const struct node_facts *facts; /* borrowed, constant */
	struct agent_stats stats;
	uint64_t sequence;
	uint64_t start_t_ns; /* the moment that its sums begin: the facts' start, or base's time */
	uint64_t start_wall_ns;
	uint64_t t_ns;    /* CLOCK_MONOTONIC */
	uint64_t wall_ns; /* CLOCK_REALTIME */
	unsigned int cpus;
	struct snapshot_zone zones[ENERGY_MAX_ZONES];
	size_t n_zones;
	bool has_column[_COLUMN_MAX]; /* columns that workloads carry on this node */
	uint64_t cpu_ns[_BUCKET_MAX];
	struct folded folded[_BUCKET_ENERGY_MAX];
	struct snapshot_account *accounts;
	size_t n_accounts, capacity;
	struct snapshot_pod *pods; /* shown ones only */
	size_t n_pods, pods_capacity;
	struct snapshot_group *groups; /* with anything in them */
	size_t n_groups, groups_capacity;
	struct process_row *processes; /* most energy first */
	size_t n_processes, processes_capacity;
	bool shares_idle; /* --idle: accounts have idle_nj */
};

/* A pool hands out snapshots that nobody reads any more, so that publishing allocates nothing
 * once accounts have stopped growing.  Thread-safe. */
struct snapshot_pool;
int snapshot_pool_new(struct snapshot_pool **ret);
void snapshot_pool_free(struct snapshot_pool *pool); /* after every reference is back */

/* What a snapshot is made of. */
struct snapshot_input {
	const struct ledger *ledger;
	const struct processes *processes; /* NULL: none are shown */
	const struct node_facts *facts;
	const struct agent_stats *stats;
	uint64_t t_ns, wall_ns;
	unsigned int cpus;
	bool shares_idle;
};

/* Sampler: fill a free snapshot and make it the current one.  0 or -ENOMEM. */
int snapshot_publish(struct snapshot_pool *pool, const struct snapshot_input *input);
/* Edge: what every scraper has seen twice, and once (UINT64_MAX: nobody scrapes); the sampler
 * passes it on to the ledger. */
struct snapshot_seen {
	uint64_t twice_ns, once_ns;
};
void snapshot_set_seen(struct snapshot_pool *pool, struct snapshot_seen seen);
struct snapshot_seen snapshot_seen(const struct snapshot_pool *pool);
/* Edge: the current snapshot with a reference, or NULL before the first. */
struct snapshot *snapshot_current(struct snapshot_pool *pool);
void snapshot_put(struct snapshot_pool *pool, struct snapshot *snapshot);

/*
 * What happened between two snapshots, as a snapshot of its own: end - base in integers, accounts
 * matched by cgroup id, those without change left out.  0 or -ENOMEM; the caller frees it.
 */
int snapshot_since(const struct snapshot *base, const struct snapshot *end, struct snapshot **ret);
void snapshot_free(struct snapshot *snapshot); /* of snapshot_since */

#endif
