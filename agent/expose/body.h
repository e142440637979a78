/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Body: what HTTP sends, finished, immutable and counted.  Made at the first request after a
 * publish; a slow client holds its body and nobody up.  One thread only: the edge's.
 */
#ifndef PODJOULE_BODY_H
#define PODJOULE_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expose/snapshot.h"

enum body_kind { BODY_TEXT, BODY_OPENMETRICS, BODY_JSON, BODY_FRONT, _BODY_KIND_MAX };

struct body {
	unsigned int refs;
	size_t len;
	uint64_t t_ns; /* of its snapshot */
	char *bytes;
};

/* Render a snapshot; the caller has the one reference.  -E2BIG or -ENOMEM. */
int body_new(const struct snapshot *snapshot, enum body_kind kind, bool gzip, struct body **ret);
struct body *body_ref(struct body *body);
void body_unref(struct body *body); /* NULL is fine; the last one frees */

/* The bodies of the pool's current snapshot, each made when it is first asked for. */
struct body_cache;
int body_cache_new(struct snapshot_pool *pool, struct body_cache **ret);
void body_cache_free(struct body_cache *cache);
/* A reference for the caller; -EAGAIN before the first snapshot, else as body_new. */
int body_cache_get(struct body_cache *cache, enum body_kind kind, bool gzip, struct body **ret);
/* Give the memory back between two scrapes; bodies in flight live on. */
void body_cache_forget(struct body_cache *cache);

#endif
