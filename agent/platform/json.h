/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Json: text that we did not write becomes a tree of cJSON's, in memory of its own: one piece as a
 * rule, bounded, and given back as a whole.  Several times as quick as a malloc() for each node,
 * and no text can make it take more than JSON_MAX_BYTES.
 */
#ifndef PODJOULE_JSON_H
#define PODJOULE_JSON_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "platform/scope.h"

#define JSON_MAX_BYTES (8u << 20)

struct json_piece;

struct json {
	const cJSON *root; /* NULL: nothing was read */
	struct json_piece *pieces;
	size_t bytes;
	int error;
};

/* 0; -EBADMSG: no JSON; -E2BIG: its tree takes more than JSON_MAX_BYTES; -ENOMEM.  In any case
 * json_free() it, and never cJSON_Delete() what is in it. */
int json_read(struct json *ret, const char *text, size_t len);
void json_free(struct json *json); /* safe on a zeroed one */

#define _json_ _cleanup_(json_free)

#endif
