/* SPDX-License-Identifier: Apache-2.0 */
#include "activity/idmap.h"

#include <errno.h>
#include <stdlib.h>

#include "platform/scope.h"

#define FIRST_CAPACITY 64

static uint32_t slot_of(const struct idmap *map, uint64_t key)
{
	/* Fibonacci hashing: ids of cgroups are consecutive, the multiplier spreads them. */
	return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (map->capacity - 1);
}

/* The slot that holds key, or the free one where it would go. */
static uint32_t find(const struct idmap *map, uint64_t key)
{
	uint32_t i = slot_of(map, key);

	while (map->keys[i] && map->keys[i] != key)
		i = (i + 1) & (map->capacity - 1);
	return i;
}

static int grow(struct idmap *map)
{
	struct idmap bigger = { .capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY };
	_free_ uint64_t *keys = calloc(bigger.capacity, sizeof(*keys));
	_free_ void **values = calloc(bigger.capacity, sizeof(*values));

	if (!keys || !values || !bigger.capacity)
		return -ENOMEM;
	bigger.keys = keys;
	bigger.values = values;
	for (uint32_t i = 0; i < map->capacity; i++) {
		uint32_t to;

		if (!map->keys[i])
			continue;
		to = find(&bigger, map->keys[i]);
		bigger.keys[to] = map->keys[i];
		bigger.values[to] = map->values[i];
	}
	bigger.n = map->n;
	idmap_free(map);
	bigger.keys = TAKE_PTR(keys);
	bigger.values = TAKE_PTR(values);
	*map = bigger;
	return 0;
}

int idmap_put(struct idmap *map, uint64_t key, void *value)
{
	uint32_t i;

	/* At most three quarters full, so that a probe ends soon and always. */
	if (map->n + map->n / 3 >= map->capacity) {
		int r = grow(map);

		if (r < 0)
			return r;
	}
	i = find(map, key);
	if (!map->keys[i])
		map->n++;
	map->keys[i] = key;
	map->values[i] = value;
	return 0;
}

void *idmap_get(const struct idmap *map, uint64_t key)
{
	/* A free slot has no value. */
	return map->capacity ? map->values[find(map, key)] : NULL;
}

void idmap_remove(struct idmap *map, uint64_t key)
{
	uint32_t mask = map->capacity - 1, hole, i;

	if (!map->capacity)
		return;
	hole = find(map, key);
	if (!map->keys[hole])
		return;
	map->keys[hole] = 0;
	map->values[hole] = NULL;
	map->n--;
	/* Close the gap: move back whatever would no longer be found across the hole. */
	for (i = (hole + 1) & mask; map->keys[i]; i = (i + 1) & mask) {
		uint32_t home = slot_of(map, map->keys[i]);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		map->keys[hole] = map->keys[i];
		map->values[hole] = map->values[i];
		map->keys[i] = 0;
		map->values[i] = NULL;
		hole = i;
	}
}

void idmap_free(struct idmap *map)
{
	free(map->keys);
	free(map->values);
	*map = (struct idmap){ 0 };
}
