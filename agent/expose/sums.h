/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums: a snapshot's namespaces, workloads, functions and processes under the labels that users
 * see.  Two whose labels would print the same are one, so no series appears twice.  Pure.
 */
#ifndef PODJOULE_SUMS_H
#define PODJOULE_SUMS_H

#include "expose/labels.h"
#include "expose/snapshot.h"

enum sum_kind { SUM_NAMESPACE, SUM_WORKLOAD, SUM_FUNCTION, SUM_PROCESS, _SUM_MAX };

struct sum {
	enum sum_kind kind;
	const struct group_key *key;       /* NULL for processes */
	const struct process_row *process; /* NULL for all others */
	const char *container_id;          /* of a process; "" outside containers */
	struct tally total;
	struct tally overhead, cold; /* of functions, as what follows */
	uint64_t pods, cold_starts;
};

struct sums {
	struct sum *all;
	size_t n;
	struct labels labels; /* entry i is of sum i */
};

/* 0 or -ENOMEM; borrows the snapshot until sums_free(). */
int sums_collect(const struct snapshot *snapshot, struct sums *ret);
void sums_free(struct sums *sums);
/* The one with the kind and labels of like (which may belong to other sums), or NULL. */
const struct sum *sums_find(const struct sums *sums, const struct sums *owner,
			    const struct sum *like);

#define _sums_ _cleanup_(sums_free)

#endif
