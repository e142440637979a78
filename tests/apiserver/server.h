/* SPDX-License-Identifier: Apache-2.0 */
/* Server: what all of it shares, and one request on its way through. */
#ifndef FAKE_APISERVER_SERVER_H
#define FAKE_APISERVER_SERVER_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "apiserver/answer.h"
#include "apiserver/fault.h"
#include "apiserver/journal.h"
#include "apiserver/pipe.h"
#include "apiserver/selector.h"
#include "apiserver/store.h"
#include "apiserver/storm.h"
#include "platform/host.h"
#include "platform/sbuf.h"

#define SERVER_MAX_BODY_BYTES (3u << 20)
#define TARGET_MAX            256

struct settings {
	const char *token;      /* NULL: whoever comes is welcome */
	const char *token_file; /* the same, read again for each request */
	uint64_t bookmark_ns;
	uint64_t min_timeout_ns; /* of a watch that names no timeout; up to twice as long */
	size_t history;          /* events that each resource remembers */
};

struct server {
	pthread_mutex_t lock; /* over everything below */
	struct settings settings;
	struct MHD_Daemon *daemon;
	struct store store;
	struct faults faults;
	struct journal journal;
	struct storm storm;
	struct pipe *pipes;
	struct watch *watches;
	struct request *waiting;
	char flow_uid[37], priority_uid[37];
	uint64_t next_look_ns; /* at the peers of sleeping connections */
	bool look;             /* this tick does */
	bool stopping;
};

/* What a path below /api or /apis names. */
struct target {
	const struct resource *resource;
	char namespace[TARGET_MAX]; /* "": none, or all of them */
	char name[TARGET_MAX];      /* "": the collection */
	char sub[TARGET_MAX];       /* subresource */
	bool watch;                 /* the old path /watch/ */
};

struct request {
	struct server *server;
	struct MHD_Connection *connection;
	char *uri; /* path and query as they came */
	const char *method;
	char *path; /* decoded, without the query */
	struct sbuf body;
	bool too_large;
	struct target target;
	/* From its first look on. */
	bool begun, served;
	uint64_t journal_seq;
	bool has_fault;
	struct fault fault;
	/* Asleep until a time, or until the store has come to an RV; released: give up. */
	uint64_t wait_until_ns, wait_rv;
	bool suspended, released;
	struct request *next, *previous;
};

/* A parameter of the query or a header; NULL when absent.  Borrowed. */
const char *request_query(const struct request *request, const char *key);
const char *request_header(const struct request *request, const char *key);
bool request_is_watch(const struct request *request);
/* 0, or -EINVAL and the answer is 400. */
int request_selector(const struct request *request, struct selector *selector,
		     struct answer *answer);

/* The other end of a sleeping connection has closed; looks only every so often. */
bool server_peer_gone(struct MHD_Connection *connection);
/* What time brings: waiting requests, slow bodies, bookmarks, deadlines, storms. */
void server_tick(struct server *server, uint64_t now_ns);
/* Start to serve on the loopback address; 0 or -errno, logged. */
struct listen {
	char host[64];
	uint16_t port;           /* 0: the kernel chooses; the real one afterwards */
	char *certificate, *key; /* PEM; NULL: plain HTTP */
};
int server_start(struct server *server, struct listen *listen);
void server_stop(struct server *server);

/* Answer a request; status 0 afterwards: it waits. */
void route_serve(struct request *request, struct answer *answer);
/* 0; -ENOENT: no such path; -ENXIO: no such resource in a group of built-ins. */
int route_target(const char *path, struct target *ret);
const char *route_verb(const struct request *request);
enum request_kind route_kind(const struct request *request);
/* 403 as somebody without the right would see it. */
void route_forbid(const struct request *request, struct answer *answer);

#endif
