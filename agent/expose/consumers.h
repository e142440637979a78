/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consumers: a snapshot's cgroups under the names that users see.  Two cgroups that would carry the
 * same labels (a container's inner cgroups, a unit in two places, names that differ only in bytes
 * that are no UTF-8) are one consumer, so no series appears twice.  Pure.
 */
#ifndef PODJOULE_CONSUMERS_H
#define PODJOULE_CONSUMERS_H

#include "expose/labels.h"
#include "expose/snapshot.h"

enum consumer_kind {
	CONSUMER_CONTAINER,
	CONSUMER_POD, /* every pod; what it used besides its containers is its overhead */
	CONSUMER_VM,
	CONSUMER_UNIT, /* every other cgroup */
	_CONSUMER_MAX
};

struct consumer {
	enum consumer_kind kind;
	enum bucket bucket;
	const struct snapshot_account *account; /* its outermost cgroup; NULL: a pod has none */
	const struct snapshot_pod *pod;         /* where it runs; NULL: not known */
	uint64_t ended_ns;                      /* 0: alive */
	struct usage usage;
	nj_t nj[_COLUMN_MAX];
	nj_t idle_nj[_COLUMN_MAX];
	double variance_nj2[_COLUMN_MAX];
	struct tally with_containers; /* of a pod: all that it ever used */
};

/* What a bucket holds besides its consumers: fixed owners, and cgroups that were folded. */
struct bucket_rest {
	nj_t nj[_COLUMN_MAX];
	uint64_t busy_ns;
	uint64_t switches; /* of fixed owners */
};

struct consumers {
	const struct snapshot *snapshot;
	struct consumer *all;
	size_t n;
	struct bucket_rest rest[_BUCKET_ENERGY_MAX];
	nj_t bucket_nj[_BUCKET_ENERGY_MAX][_COLUMN_MAX]; /* summed over devices */
	struct labels labels;                            /* entry i is of consumer i */
	uint32_t *of_pod; /* the consumer of each of the snapshot's pods */
};

/* 0 or -ENOMEM; borrows the snapshot until consumers_free(). */
int consumers_collect(const struct snapshot *snapshot, struct consumers *ret);
void consumers_free(struct consumers *consumers);
/* The one with the kind and labels of like (which may belong to other consumers), or NULL. */
const struct consumer *consumers_find(const struct consumers *consumers,
				      const struct consumers *owner, const struct consumer *like);

#define CONSUMER_ID_SIZE 32
/* Container id, pod uid, VM or unit; "cgroup:ID" where no path has told us (written into buf). */
const char *consumer_id(const struct consumer *consumer, char buf[CONSUMER_ID_SIZE]);
const char *consumer_kind_name(enum consumer_kind kind);
/* "" when not known, or when there is none. */
const char *consumer_path(const struct consumer *consumer);
const char *consumer_namespace(const struct consumer *consumer);
const char *consumer_pod_name(const struct consumer *consumer);
const char *consumer_pod_uid(const struct consumer *consumer);
const char *consumer_container_name(const struct consumer *consumer);
const char *consumer_role(const struct consumer *consumer); /* "main", "init", "ephemeral" */
const char *consumer_runtime(const struct consumer *consumer);
const char *consumer_vm_uuid(const struct consumer *consumer);
/* The function that its pod runs, or NULL. */
const struct function *consumer_function(const struct consumer *consumer);
nj_t consumer_total_nj(const nj_t nj[_COLUMN_MAX]); /* summed over columns */

#define _consumers_ _cleanup_(consumers_free)

#endif
