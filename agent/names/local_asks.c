/* SPDX-License-Identifier: Apache-2.0 */
#include "names/local_asks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "platform/scope.h"

#define MS UINT64_C(1000000)

/* Behind the first look, and each one after: files come a little after the cgroup. */
static const uint64_t delays_ns[] = { 100 * MS, 1000 * MS, 5000 * MS };

static size_t find(const struct asks *asks, const char *id)
{
	size_t i = 0;

	while (i < asks->n && strcmp(asks->list[i].id, id))
		i++;
	return i;
}

bool asks_has(const struct asks *asks, const char *id)
{
	return find(asks, id) < asks->n;
}

int asks_add(struct asks *asks, const char *id, const char *uid, uint64_t now_ns)
{
	struct ask *ask;

	if (asks_has(asks, id))
		return -EEXIST;
	if (asks->n >= ASKS_MAX)
		return -ENOSPC;
	if (asks->n == asks->capacity) {
		size_t capacity = asks->capacity ? 2 * asks->capacity : 8;
		struct ask *list = realloc(asks->list, capacity * sizeof(*list));

		if (!list)
			return -ENOMEM;
		asks->list = list;
		asks->capacity = capacity;
	}
	ask = &asks->list[asks->n++];
	*ask = (struct ask){ .due_ns = now_ns + delays_ns[0] };
	snprintf(ask->id, sizeof(ask->id), "%s", id);
	snprintf(ask->uid, sizeof(ask->uid), "%s", uid);
	return 0;
}

static void take_out(struct asks *asks, size_t i)
{
	asks->list[i] = asks->list[--asks->n];
	/* It is empty nearly always. */
	if (!asks->n)
		asks_free(asks);
}

bool asks_take(struct asks *asks, uint64_t now_ns, struct ask *ret)
{
	for (size_t i = 0; i < asks->n; i++) {
		if (asks->list[i].due_ns > now_ns)
			continue;
		*ret = asks->list[i];
		take_out(asks, i);
		return true;
	}
	return false;
}

void asks_put_back(struct asks *asks, const struct ask *ask, uint64_t now_ns)
{
	unsigned int tries = ask->tries + 1;

	if (tries >= ARRAY_SIZE(delays_ns) || asks_add(asks, ask->id, ask->uid, now_ns) < 0)
		return;
	asks->list[asks->n - 1].tries = tries;
	asks->list[asks->n - 1].due_ns = now_ns + delays_ns[tries];
}

void asks_drop(struct asks *asks, const char *id)
{
	size_t i = find(asks, id);

	if (i < asks->n)
		take_out(asks, i);
}

uint64_t asks_next_ns(const struct asks *asks)
{
	uint64_t next_ns = 0;

	for (size_t i = 0; i < asks->n; i++)
		if (!next_ns || asks->list[i].due_ns < next_ns)
			next_ns = asks->list[i].due_ns;
	return next_ns;
}

void asks_free(struct asks *asks)
{
	free(asks->list);
	*asks = (struct asks){ 0 };
}
