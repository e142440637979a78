/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Naming: who is asked for names: the API server, the node's own files, the command lines of
 * hypervisors.  On the edge's loop; what they find goes to the sampler by the mailbox.
 */
#ifndef PODJOULE_NAMING_H
#define PODJOULE_NAMING_H

#include <stdbool.h>

#include "config.h"
#include "expose/snapshot.h"
#include "names/mailbox.h"
#include "platform/host.h"
#include "platform/loop.h"

struct naming_sources;

struct naming_config {
	const struct config *config;
	const struct host *host;
	const char *hierarchy; /* that owns tasks; "": find it */
	struct mailbox *mailbox;
	struct snapshot_pool *pool;
};

/* 0 also when nobody is there to ask; -errno, logged, when --pods asks for what cannot be. */
int naming_open(struct loop *loop, const struct naming_config *config, struct naming_sources **ret);
/* Does somebody name pods?  *ret_known: the first attempts have their outcome. */
bool naming_works(const struct naming_sources *sources, bool *ret_known);
void naming_close(struct naming_sources *sources); /* NULL is fine */

#endif
