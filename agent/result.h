/* SPDX-License-Identifier: Apache-2.0 */
/* Result: what --duration prints when the time is up. */
#ifndef PODJOULE_RESULT_H
#define PODJOULE_RESULT_H

#include "config.h"
#include "expose/snapshot.h"

/*
 * Print the pool's current snapshot to standard output in the form of --output; without one, the
 * table, unless --live has shown it on a terminal.  Every byte arrived, or this logs one line and
 * returns -errno.
 */
int edge_print_result(const struct config *config, struct snapshot_pool *pool);

#endif
