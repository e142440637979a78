/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edge: the network thread, which is the main one.  HTTP, names, signals, the service manager, the
 * live table and the end of --duration, all on one loop.  It reads snapshots and the age of the
 * newest tick; it never waits for the sampler.
 */
#ifndef PODJOULE_EDGE_H
#define PODJOULE_EDGE_H

#include "config.h"
#include "expose/snapshot.h"
#include "sampler.h"

struct edge_config {
	const struct config *config;
	const struct host *host;
	struct snapshot_pool *pool;
	struct sampler *sampler;
	struct mailbox *mailbox; /* for the names that it finds out */
};

/*
 * Call this first of all, before any thread: SIGINT and SIGTERM then wait for edge_run(), also
 * those that come while sources are opened, and no other thread can die of them.
 */
void edge_block_signals(void);

/*
 * Serve until SIGINT, SIGTERM or the end of --duration: then 0.  EXIT_REFUSED when nobody names
 * pods and --require=pods; -errno when it could not listen or could not go on.  Both have been
 * logged.
 */
int edge_run(const struct edge_config *config);

#endif
