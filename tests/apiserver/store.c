/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/store.h"

#include <stdlib.h>
#include <string.h>

#include "apiserver/store_version.h"
#include "apiserver/tree.h"

/* A restarted server finds that others have written meanwhile. */
#define RESTART_GAP 100

void store_init(struct store *store, size_t history)
{
	*store = (struct store){ .rv = 1, .history = history };
	store->shelves = tree_alloc(n_resources * sizeof(store->shelves[0]));
	for (size_t i = 0; i < n_resources; i++) {
		store->shelves[i].ring = tree_alloc(history * sizeof(struct event));
		store->shelves[i].floor_rv = 1;
		store->shelves[i].last_rv = 1;
	}
}

static void event_clear(struct event *event)
{
	version_put(&event->before);
	version_put(&event->after);
	*event = (struct event){ 0 };
}

void store_free(struct store *store)
{
	for (size_t i = 0; store->shelves && i < n_resources; i++) {
		struct shelf *shelf = &store->shelves[i];

		for (size_t k = 0; k < shelf->n; k++)
			version_put(&shelf->items[k]);
		for (size_t k = 0; k < store->history; k++)
			event_clear(&shelf->ring[k]);
		free(shelf->items);
		free(shelf->ring);
	}
	free(store->shelves);
	*store = (struct store){ 0 };
}

struct shelf *store_shelf(struct store *store, const struct resource *resource)
{
	return &store->shelves[resource_index(resource)];
}

/* Where it is, or where it belongs. */
static size_t shelf_find(const struct shelf *shelf, const char *namespace, const char *name,
			 bool *ret_found)
{
	size_t low = 0, high = shelf->n;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = version_compare(shelf->items[middle], namespace, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct version *store_get(struct store *store, const struct resource *resource,
			  const char *namespace, const char *name)
{
	struct shelf *shelf = store_shelf(store, resource);
	bool found;
	size_t at = shelf_find(shelf, namespace, name, &found);

	return found ? shelf->items[at] : NULL;
}

/* Takes both references. */
static void remember(struct store *store, struct version *before, struct version *after, bool gone)
{
	struct shelf *shelf = store_shelf(store, after->resource);
	struct event *event = &shelf->ring[shelf->next % store->history];

	if (shelf->next - shelf->first == store->history) {
		shelf->floor_rv = MAX(shelf->floor_rv, event->rv);
		shelf->first++;
	}
	event_clear(event);
	*event = (struct event){ .rv = after->rv, .before = before, .after = after, .gone = gone };
	shelf->next++;
	shelf->last_rv = after->rv;
	if (store->on_event)
		store->on_event(store->ctx, after->resource);
}

static void shelf_insert(struct shelf *shelf, size_t at, struct version *version)
{
	if (shelf->n == shelf->capacity) {
		size_t capacity = MAX(2 * shelf->capacity, (size_t)64);
		struct version **items = tree_alloc(capacity * sizeof(items[0]));

		if (shelf->n > 0)
			memcpy(items, shelf->items, shelf->n * sizeof(items[0]));
		free(shelf->items);
		shelf->items = items;
		shelf->capacity = capacity;
	}
	memmove(shelf->items + at + 1, shelf->items + at,
		(shelf->n - at) * sizeof(shelf->items[0]));
	shelf->items[at] = version;
	shelf->n++;
}

struct version *store_put(struct store *store, const struct resource *resource, cJSON *tree)
{
	struct shelf *shelf = store_shelf(store, resource);
	struct version *version = version_new(resource, tree, ++store->rv), *before = NULL;
	bool found;
	size_t at = shelf_find(shelf, version->namespace, version->name, &found);

	cJSON_Delete(tree);
	if (found) {
		before = shelf->items[at];
		shelf->items[at] = version;
	} else {
		shelf_insert(shelf, at, version);
	}
	remember(store, before, version_get(version), false);
	return version;
}

struct version *store_remove(struct store *store, struct version *version)
{
	struct shelf *shelf = store_shelf(store, version->resource);
	_tree_ cJSON *tree = version_tree(version);
	struct version *last = version_new(version->resource, tree, ++store->rv);
	bool found;
	size_t at = shelf_find(shelf, version->namespace, version->name, &found);

	if (found) {
		memmove(shelf->items + at, shelf->items + at + 1,
			(shelf->n - at - 1) * sizeof(shelf->items[0]));
		shelf->n--;
	}
	remember(store, version, version_get(last), true);
	return last;
}

/* Undo one event in a sorted array of referenced versions. */
static void take_back(struct shelf *past, const struct event *event)
{
	bool found;
	size_t at = shelf_find(past, event->after->namespace, event->after->name, &found);

	if (found && event->before) {
		version_put(&past->items[at]);
		past->items[at] = version_get(event->before);
	} else if (found) {
		version_put(&past->items[at]);
		memmove(past->items + at, past->items + at + 1,
			(past->n - at - 1) * sizeof(past->items[0]));
		past->n--;
	} else if (event->before) {
		shelf_insert(past, at, version_get(event->before));
	}
}

void store_snapshot(struct store *store, const struct resource *resource, uint64_t rv,
		    struct version ***ret, size_t *ret_n)
{
	struct shelf *shelf = store_shelf(store, resource);
	struct shelf past = { .capacity = shelf->n + 1 };

	past.items = tree_alloc(past.capacity * sizeof(past.items[0]));
	for (past.n = 0; past.n < shelf->n; past.n++)
		past.items[past.n] = version_get(shelf->items[past.n]);
	for (uint64_t seq = shelf->next; rv > 0 && seq-- > shelf->first;) {
		const struct event *event = &shelf->ring[seq % store->history];

		if (event->rv <= rv)
			break;
		take_back(&past, event);
	}
	*ret = past.items;
	*ret_n = past.n;
}

void store_snapshot_free(struct version **items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		version_put(&items[i]);
	free(items);
}

void store_expire(struct store *store)
{
	store->rv += RESTART_GAP;
	for (size_t i = 0; i < n_resources; i++) {
		store->shelves[i].floor_rv = store->rv;
		store->shelves[i].last_rv = store->rv;
	}
}
