/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consumers: a snapshot's cgroups under the names that users see.  Two cgroups that would carry the
 * same labels (a container's inner cgroups, a unit in two places, names that differ only in bytes
 * that are no UTF-8) are one consumer, so no series appears twice.  Pure.
 */
#ifndef PODJOULE_CONSUMERS_H
#define PODJOULE_CONSUMERS_H

#include "expose/snapshot.h"
#include "platform/sbuf.h"

enum consumer_kind {
	CONSUMER_CONTAINER,
	CONSUMER_POD, /* every pod of a container or with a cgroup of its own: its overhead */
	CONSUMER_VM,
	CONSUMER_UNIT, /* every other cgroup */
	_CONSUMER_MAX
};

struct consumer {
	enum consumer_kind kind;
	enum bucket bucket;
	const struct snapshot_account *account; /* its outermost cgroup: name, path */
	size_t label, label_len;                /* in consumers.labels: `unit="x"`, escaped */
	uint64_t ended_ns;                      /* 0: alive */
	struct usage usage;
	nj_t nj[_COLUMN_MAX];
	double variance_nj2[_COLUMN_MAX];
	nj_t pod_nj[_COLUMN_MAX]; /* of a pod: overhead and containers */
};

/* What a bucket holds besides its consumers: fixed owners, and cgroups that were folded. */
struct bucket_rest {
	nj_t nj[_COLUMN_MAX];
	uint64_t busy_ns;
	uint64_t switches; /* of fixed owners */
};

struct consumers {
	struct consumer *all;
	size_t n;
	struct bucket_rest rest[_BUCKET_ENERGY_MAX];
	nj_t bucket_nj[_BUCKET_ENERGY_MAX][_COLUMN_MAX]; /* summed over devices */
	struct sbuf labels;
	uint32_t *index; /* open addressing: consumer + 1 */
	size_t mask;
};

/* 0 or -ENOMEM; borrows the snapshot until consumers_free(). */
int consumers_collect(const struct snapshot *snapshot, struct consumers *ret);
void consumers_free(struct consumers *consumers);
/* The one with the kind and labels of like (which may belong to other consumers), or NULL. */
const struct consumer *consumers_find(const struct consumers *consumers,
				      const struct consumers *owner, const struct consumer *like);

#define CONSUMER_ID_SIZE 32
/* Container id, VM or unit; "cgroup:ID" where no path has told us (written into buf). */
const char *consumer_id(const struct consumer *consumer, char buf[CONSUMER_ID_SIZE]);
const char *consumer_kind_name(enum consumer_kind kind);
const char *consumer_path(const struct consumer *consumer);    /* "" when not known */
const char *consumer_pod_uid(const struct consumer *consumer); /* "" when in no pod */
const char *consumer_runtime(const struct consumer *consumer); /* "" when not known */
nj_t consumer_total_nj(const nj_t nj[_COLUMN_MAX]);            /* summed over columns */

#define _consumers_ _cleanup_(consumers_free)

#endif
