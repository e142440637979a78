/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshot copy: what a ledger has, into the memory of a snapshot that nobody reads any more.
 * References that it held before are kept where they are still right, so that a steady copy
 * allocates nothing and touches few counters.
 */
#ifndef PODJOULE_SNAPSHOT_COPY_H
#define PODJOULE_SNAPSHOT_COPY_H

#include "expose/snapshot.h"

/* Where each of the ledger's pods is in the snapshot; the sampler's own, kept between copies. */
struct pod_map {
	uint32_t *shown; /* index of snapshot.pods, or POD_NONE */
	size_t n, capacity;
};

/* Accounts, pods, groups and processes.  0 or -ENOMEM: then the snapshot is as it was. */
int snapshot_copy(struct snapshot *snapshot, const struct snapshot_input *input,
		  struct pod_map *map);
/* Gives back every reference and the arrays; the struct itself is the caller's. */
void snapshot_release(struct snapshot *snapshot);

#endif
