/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/json.h"

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

/* A tree takes some four times its text; what needs more gets further pieces. */
#define FIRST_BYTES(len) (4 * (len) + 1024)
#define MORE_BYTES       65536

struct json_piece {
	struct json_piece *next;
	size_t size, used;
	alignas(max_align_t) char bytes[];
};

/* The tree that this thread is reading; cJSON's own allocator is one for all. */
static _Thread_local struct json *reading;

static struct json_piece *add_piece(struct json *json, size_t size)
{
	struct json_piece *piece = NULL;

	if (size > JSON_MAX_BYTES - json->bytes)
		json->error = -E2BIG;
	else if (!(piece = malloc(sizeof(*piece) + size)))
		json->error = -ENOMEM;
	if (!piece)
		return NULL;
	*piece = (struct json_piece){ .next = json->pieces, .size = size };
	json->pieces = piece;
	json->bytes += size;
	return piece;
}

static void *take(size_t size)
{
	struct json_piece *piece;
	void *bytes;

	if (!reading)
		return malloc(size);
	if (size > JSON_MAX_BYTES) {
		reading->error = -E2BIG;
		return NULL;
	}
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	piece = reading->pieces;
	if (!piece || size > piece->size - piece->used)
		piece = add_piece(reading, size > MORE_BYTES ? size : MORE_BYTES);
	if (!piece)
		return NULL;
	bytes = piece->bytes + piece->used;
	piece->used += size;
	return bytes;
}

/* What cJSON drops on its way goes with the rest. */
static void give_back(void *bytes)
{
	if (!reading)
		free(bytes);
}

static void install(void)
{
	cJSON_Hooks hooks = { .malloc_fn = take, .free_fn = give_back };

	cJSON_InitHooks(&hooks);
}

int json_read(struct json *ret, const char *text, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
	*ret = (struct json){ .root = NULL };
	if (len > JSON_MAX_BYTES)
		return -E2BIG;
	/* As much as most need; what does not fit in one piece is no error. */
	if (FIRST_BYTES(len) <= JSON_MAX_BYTES && !add_piece(ret, FIRST_BYTES(len)))
		return ret->error;
	reading = ret;
	ret->root = cJSON_ParseWithLength(text, len);
	reading = NULL;
	if (ret->root)
		return 0;
	return ret->error ? ret->error : -EBADMSG;
}

void json_free(struct json *json)
{
	struct json_piece *piece;

	while ((piece = json->pieces)) {
		json->pieces = piece->next;
		free(piece);
	}
	*json = (struct json){ .root = NULL };
}
