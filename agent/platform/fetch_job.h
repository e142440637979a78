/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch job: one request as curl wants it, and what came of it.  Private to fetch.c. */
#ifndef PODJOULE_FETCH_JOB_H
#define PODJOULE_FETCH_JOB_H

#include <curl/curl.h>
#include <stdbool.h>

#include "platform/fetch.h"

#define FETCH_MAX_HEAD (64u << 10) /* bytes of an answer's head that curl may have to keep */

struct fetch_job {
	struct fetch_job *next, **link; /* link NULL: in no list */
	struct fetcher *fetcher;
	struct fetch fetch; /* its callbacks and limits; its strings are curl's by now */
	CURL *easy;
	struct curl_slist *headers;
	struct loop_timer *silence;
	uint64_t heard_ns; /* CLOCK_MONOTONIC of the newest byte */
	size_t head_bytes;
	int refused; /* what a callback ended it with */
	int doomed;  /* -errno that it is to end with */
	bool added, cancelled, paused, finishing, had_head;
	char text[CURL_ERROR_SIZE]; /* curl's own words */
};

typedef size_t (*fetch_sink)(char *bytes, size_t size, size_t n, void *ctx);

/* Fill job->easy and job->headers.  0, -EINVAL (URL or header are none), -ENOMEM. */
int fetch_job_prepare(struct fetch_job *job, const struct fetch *fetch, fetch_sink on_body,
		      fetch_sink on_header);
/* What curl's code means: 0 or -errno, and words for a log line, borrowed. */
int fetch_job_error(const struct fetch_job *job, CURLcode code);
const char *fetch_job_why(const struct fetch_job *job, CURLcode code);
void fetch_job_result(const struct fetch_job *job, int error, const char *why,
		      struct fetch_result *ret);

#endif
