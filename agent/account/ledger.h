/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger: cumulative energy and time per owner.  Booked to a cgroup at once, named late.  Pure. */
#ifndef PODJOULE_LEDGER_H
#define PODJOULE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "account/baseline.h"
#include "account/groups.h"
#include "account/meter.h"
#include "account/pods.h"
#include "account/tally.h"
#include "activity/activity.h"
#include "energy/energy.h"
#include "names/names.h"

/* The column of a zone kind, or -1 for kinds that carry no workload series. */
int column_of(enum zone_kind kind);
const char *column_name(enum column column);

/* One cgroup, or one of the fixed owners (kernel threads, overflow, …). */
struct account {
	uint64_t cgroup_id; /* 0: free, unless fixed */
	struct name *name;  /* owned reference; NULL: not known (yet) */
	enum bucket bucket;
	uint32_t row; /* activity row, or UINT32_MAX once it has none */
	uint64_t born_ns;
	uint64_t ended_ns; /* 0: alive */
	struct usage usage;
	nj_t nj[_COLUMN_MAX];
	double variance_nj2[_COLUMN_MAX];      /* random part of the error, nJ squared */
	nj_t idle_nj[_COLUMN_MAX];             /* its part of static energy, with --idle */
	uint32_t pod;                          /* of ledger_pods(), or POD_NONE */
	bool sandbox;                          /* a pod's pause container: overhead of the pod */
	const struct pod_container *container; /* of the facts of its pod; NULL: not known */
	uint32_t pod_generation;               /* of the pod when container was looked up */
};

/* How static energy is shared out to the containers of running pods (--idle). */
enum idle_share { IDLE_NOT_SHARED, IDLE_BY_REQUEST, IDLE_EQUALLY };

/* What was booked under a pod that has no container of its own left, and what was folded away. */
struct folded {
	struct usage usage;
	nj_t nj[_COLUMN_MAX];
	uint64_t n; /* accounts folded */
};

struct zone_total {
	struct zone zone;
	struct meter meter;
	struct baseline baseline;
	bool split; /* carries workload series */
	int column; /* of the workload series, -1 */
	nj_t nj;    /* what the source gave */
	nj_t bucket_nj[_BUCKET_ENERGY_MAX];
	uint64_t busy_ns_seen;            /* CPU time of the zone's CPUs at the last window */
	double variance_nj2;              /* of nj since the start */
	uint64_t last_nj, last_window_ns; /* newest window: power, doubt of the tick phase */
};

struct ledger;

struct ledger_config {
	uint32_t max_accounts; /* cgroups + tombstones */
	uint32_t max_rows;     /* activity capacity */
	uint32_t tombstones;   /* ended accounts kept at most, and as many ended pods */
	uint32_t max_groups;   /* namespaces, workloads and functions, of each; 0: 1024 */
	enum idle_share idle;
	uint64_t keep_min_ns; /* an ended account keeps its series at least this long, */
	uint64_t keep_max_ns; /* and at most this long (CONTRACT section 3) */
	unsigned int n_packages;
	const struct topology *topology;
};

/* An empty book for the zones that energy has chosen (copied).  0 or -ENOMEM. */
int ledger_new(const struct ledger_config *config, const struct energy *energy,
	       struct ledger **ret);
void ledger_free(struct ledger *ledger);

/* A source that knows its own static power (the model) tells it here, in watts. */
void ledger_set_static(struct ledger *ledger, size_t zone, double floor_w, double given_w);

/* Lifecycle: a cgroup has a name; a cgroup is gone.  Takes its own reference of name. */
void ledger_born(struct ledger *ledger, uint64_t cgroup_id, struct name *name, uint64_t t_ns);
void ledger_gone(struct ledger *ledger, uint64_t cgroup_id, uint64_t t_ns);

/*
 * One tick.  Takes the rows that moved (usage and weights are remembered until the zone's next
 * reading, so a zone that is read late or fails for an hour is still split by who ran), then meters
 * and splits every zone that has a reading (want[i] and readings[i].error == 0).  Allocates
 * nothing.  readings may be NULL: activity only.
 */
void ledger_tick(struct ledger *ledger, const struct activity *activity,
		 const struct reading *readings);

/* Fold ended accounts that have had their time, oldest first; call it once per publish. */
void ledger_fold(struct ledger *ledger, uint64_t t_ns);

/*
 * What there was at twice_ns has been seen by every scraper twice: series that had ended by then
 * may go once they had their least time.  What there was at once_ns has been seen by all of them
 * once: a group that is newer shows 0 until then, so that its first value is an increase to them.
 * Never called, or UINT64_MAX: nobody scrapes.
 */
void ledger_scraped(struct ledger *ledger, uint64_t twice_ns, uint64_t once_ns);

/*
 * Names that come late.  They take references of their own; wall_ns is CLOCK_REALTIME.  Facts that
 * are replaced go at once: until the next ledger_roll() no account->container may be looked at.
 */
void ledger_pod(struct ledger *ledger, struct pod *pod, uint64_t t_ns, uint64_t wall_ns);
void ledger_pod_gone(struct ledger *ledger, enum pod_source source, const char *key, uint64_t t_ns);
/* A cgroup is somebody else than was thought (a VM).  What it used so far stays where it was
 * booked: its old account ends, and a new one begins, so that no counter ever falls. */
void ledger_rename(struct ledger *ledger, uint64_t cgroup_id, struct name *name, uint64_t t_ns);

/*
 * Once per publish, before ledger_fold() and the snapshot: pods and groups get what came since the
 * last time, static energy is shared out, containers find their names.  any: somebody names pods,
 * so one without a name waits for it; api: owners and functions are still to be had for pods that
 * only the node's files have named.
 */
void ledger_roll(struct ledger *ledger, bool any, bool api, uint64_t t_ns);
/* Entries with key "" are free. */
const struct pod_entry *ledger_pods(const struct ledger *ledger, size_t *ret_n);
const struct group *ledger_groups(const struct ledger *ledger, size_t *ret_n);
uint64_t ledger_folded_groups(const struct ledger *ledger, enum group_kind kind);
uint64_t ledger_folded_pods(const struct ledger *ledger);
/* Facts that found no room while no cgroup of their pod was here. */
uint64_t ledger_dropped_pods(const struct ledger *ledger);
/* Containers that nobody has named yet, and that the last ledger_roll() met for the first time. */
uint32_t ledger_unnamed(const struct ledger *ledger);

/* What is in the book.  Borrowed until the next call that is not a getter. */
const struct zone_total *ledger_zones(const struct ledger *ledger, size_t *ret_n);
const struct account *
ledger_accounts(const struct ledger *ledger,
		size_t *ret_n); /* dense, live ones have cgroup_id or are fixed (< _OWNER_FIXED) */
const struct folded *ledger_folded(const struct ledger *ledger); /* [_BUCKET_ENERGY_MAX] */
/* CPU nanoseconds by bucket, `steal` included: they sum to what activity booked. */
void ledger_cpu_ns(const struct ledger *ledger, uint64_t ret_ns[_BUCKET_MAX]);
uint64_t ledger_dropped(const struct ledger *ledger); /* cgroups that found no account */
/* Is zone i worth a read?  False while its package has been idle (< 1 %) for less than 30 s. */
bool ledger_wants(const struct ledger *ledger, size_t zone, const struct activity *activity,
		  int running_package);

#endif
