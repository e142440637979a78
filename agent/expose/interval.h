/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interval: `?for=5s`, an answer that takes its time.  The connection sleeps in libmicrohttpd and
 * a timer wakes it when the pool has a snapshot that is late enough.
 */
#ifndef PODJOULE_INTERVAL_H
#define PODJOULE_INTERVAL_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expose/snapshot.h"
#include "platform/loop.h"

/* Each holds a snapshot of its own in memory and one of the connections. */
#define INTERVAL_MAX_WAITING 8
#define INTERVAL_MIN_NS      100000000ull
#define INTERVAL_MAX_NS      3600000000000ull

struct interval;

struct interval_list {
	struct loop *loop;
	struct snapshot_pool *pool;
	struct interval *first;
	unsigned int n;
	bool closing;             /* those that waited have been woken; no interval begins */
	void (*woken)(void *ctx); /* MHD_run() is due: resuming alone makes no event */
	void *ctx;
};

/*
 * Put the connection to sleep for span_ns from the current snapshot on; its handler is called
 * again then.  -EAGAIN before the first snapshot, -EBUSY when too many wait, -ENOMEM.
 */
int interval_begin(struct interval_list *list, struct MHD_Connection *connection, uint64_t span_ns,
		   struct interval **ret);
/* What happened, as a snapshot for snapshot_free(); -ESHUTDOWN when the server closes. */
int interval_result(const struct interval *interval, struct snapshot **ret);
void interval_free(struct interval *interval); /* when its request is complete */
/* Wake everybody; MHD_run() then lets them answer, and MHD_stop_daemon() finds nobody asleep. */
void interval_close(struct interval_list *list);

#endif
