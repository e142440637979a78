/* SPDX-License-Identifier: Apache-2.0 */
/* Watch: a stream of events of one resource, as one client asked for it. */
#ifndef FAKE_APISERVER_WATCH_H
#define FAKE_APISERVER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "apiserver/pipe.h"
#include "apiserver/server.h"

struct watch {
	struct pipe pipe; /* first: a pipe of a watch is a watch */
	const struct resource *resource;
	char *uri;
	char namespace[TARGET_MAX];
	char name[TARGET_MAX]; /* of the old path to one object; "": all */
	struct selector selector;
	uint64_t start_rv;
	uint64_t seq; /* the next event of the shelf */
	bool bookmarks, bookmark_due, last_bookmark;
	uint64_t next_bookmark_ns, deadline_ns;
	bool has_fault;
	struct fault fault;
	uint64_t n_events; /* sent */
	uint64_t n_frames;
	char *held;          /* an event that has to let the next one pass */
	struct watch **head; /* of the list that it is in */
	struct watch *next, *previous;
};

/* Open what the request asks for; the answer has the watch, or says what is wrong. */
void watch_open(struct request *request, struct answer *answer);
/* An event of this resource is there. */
void watches_notify(struct server *server, const struct resource *resource);
void watches_tick(struct server *server, uint64_t now_ns);
/* Faults have changed: strike open watches, or set them free. */
void watches_strike(struct server *server);
void watches_release(struct server *server);
/* Hang up on all of them. */
void watches_break(struct server *server);

#endif
