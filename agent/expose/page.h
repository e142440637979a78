/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page: HTTP on the edge's loop.  libmicrohttpd in external epoll mode: no thread of its own.
 * Bodies are rendered at the first request after a publish, kept plain and gzipped, immutable and
 * counted, so that a slow client holds memory and nobody up.
 */
#ifndef PODJOULE_PAGE_H
#define PODJOULE_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "expose/snapshot.h"
#include "platform/loop.h"

struct page_server;

struct page_config {
	const char *host; /* "" any, else an address or name */
	uint16_t port;    /* 0: the kernel chooses (tests) */
	bool health_only; /* --health-listen */
	struct snapshot_pool *pool;
	/* Is the agent well?  Fills one line of text.  Called on the edge thread. */
	bool (*healthy)(void *ctx, char *ret_line, unsigned int size);
	void *ctx;
};

/* Start listening; logs and returns -errno (-EADDRINUSE names the address and the remedy). */
int page_open(struct loop *loop, const struct page_config *config, struct page_server **ret);
uint16_t page_port(const struct page_server *server);
void page_close(struct page_server *server);

#endif
