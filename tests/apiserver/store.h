/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store: objects of all resources, one counter of versions, and for each resource the last events.
 * A version of an object never changes once it is there; whoever keeps one holds a reference.
 * Not thread-safe: the server's lock is held by whoever calls.
 */
#ifndef FAKE_APISERVER_STORE_H
#define FAKE_APISERVER_STORE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apiserver/resource.h"
#include "platform/scope.h"

struct version {
	unsigned int references;
	const struct resource *resource;
	char *namespace;
	char *name;
	uint64_t rv;
	char *text; /* compact JSON with kind and apiVersion */
	size_t len;
	size_t head; /* of a built-in: bytes of {"kind":…,"apiVersion":…, before its metadata */
	cJSON *labels; /* NULL: none */
	cJSON *fields; /* what field selectors may ask for */
};

/* before NULL: born; gone: after is the last state under the RV of the deletion. */
struct event {
	uint64_t rv;
	struct version *before, *after;
	bool gone;
};

struct shelf {
	struct version **items; /* by namespace and name */
	size_t n, capacity;
	struct event *ring;
	uint64_t first, next; /* events first … next - 1 are in ring[seq % history] */
	uint64_t floor_rv;    /* events up to here are forgotten */
	uint64_t last_rv;     /* of the newest event */
};

struct store {
	uint64_t rv;
	size_t history;
	struct shelf *shelves; /* n_resources */
	/* An event was added. */
	void (*on_event)(void *ctx, const struct resource *resource);
	void *ctx;
};

void store_init(struct store *store, size_t history);
void store_free(struct store *store);

struct shelf *store_shelf(struct store *store, const struct resource *resource);
/* Borrowed; NULL when absent.  namespace is "" for what has none. */
struct version *store_get(struct store *store, const struct resource *resource,
			  const char *namespace, const char *name);
/* Make or replace the object that the tree's metadata names: it gets the next RV.  Takes the
 * tree; the version is borrowed. */
struct version *store_put(struct store *store, const struct resource *resource, cJSON *tree);
/* Remove it; what comes back is its last state under the RV of the removal, with a reference. */
struct version *store_remove(struct store *store, struct version *version);
/* All versions as they were at rv (0: now), each with a reference; rv must not be forgotten. */
void store_snapshot(struct store *store, const struct resource *resource, uint64_t rv,
		    struct version ***ret, size_t *ret_n);
void store_snapshot_free(struct version **items, size_t n);
/* As after a restart: every RV that was handed out is too old from now on. */
void store_expire(struct store *store);

struct version *version_get(struct version *version);
void version_put(struct version **version);
#define _version_ _cleanup_(version_put)
/* Its JSON as a tree of the caller's. */
cJSON *version_tree(const struct version *version);
/* Order by namespace and name. */
int version_compare(const struct version *version, const char *namespace, const char *name);
/* The text of a version under another RV, heap. */
char *version_text_at(const struct version *version, uint64_t rv);

#endif
