/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetch: HTTP as a client, on the loop.  libcurl's multi interface with our epoll: no thread, no
 * wait.  A body comes in pieces as it arrives, so a watch that never ends needs no memory.
 */
#ifndef PODJOULE_FETCH_H
#define PODJOULE_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "platform/loop.h"

struct fetcher;
struct fetch_job;

struct fetch_result {
	int error;               /* 0: an answer came to its end; else -errno (-ETIMEDOUT, …) */
	char why[160];           /* of an error, for a log line */
	long status;             /* HTTP status; 0: none came */
	uint64_t retry_after_ns; /* of Retry-After, seconds or date; 0: none */
};

/* What is wanted.  All strings are copied by fetch_start(). */
struct fetch {
	const char *method;         /* NULL: GET */
	const char *url;            /* http:// or https:// */
	const char *const *headers; /* "Name: value", NULL at the end; NULL: none */
	const char *body;           /* NULL: none */
	size_t body_len;
	const char *ca_file;       /* trust these certificates; NULL: the system's */
	uint64_t connect_limit_ns; /* 0: 10 s */
	uint64_t silence_limit_ns; /* give up after so long without a byte; 0: never */
	uint64_t limit_ns;         /* give up after so long in all; 0: never */
	/* The head of the answer has come, its body has not; NULL: not wanted. */
	void (*on_head)(void *ctx, long status);
	/* A piece of the body, status known: <0 ends the job with that error. */
	int (*on_data)(void *ctx, long status, const char *bytes, size_t len);
	/* Once, unless cancelled; the job is gone afterwards.  May start another. */
	void (*on_done)(void *ctx, const struct fetch_result *result);
	void *ctx;
};

/* 0 or -errno (-ENOMEM).  The loop outlives the fetcher. */
int fetcher_new(struct loop *loop, struct fetcher **ret);
void fetcher_free(struct fetcher *fetcher); /* cancels what is under way; NULL is fine */

int fetch_start(struct fetcher *fetcher, const struct fetch *fetch, struct fetch_job **ret);
/* Safe from inside its own callbacks; on_done is not called. */
void fetch_cancel(struct fetch_job *job);
/* Stop reading from the connection, and go on: the peer is held up, no memory is. */
void fetch_pause(struct fetch_job *job, int paused);

#endif
