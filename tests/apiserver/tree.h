/* SPDX-License-Identifier: Apache-2.0 */
/* Tree: small words for JSON objects.  Memory that ends ends the program: this is a test's tool. */
#ifndef FAKE_APISERVER_TREE_H
#define FAKE_APISERVER_TREE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/sbuf.h"
#include "platform/scope.h"

static inline void tree_free(cJSON **tree)
{
	cJSON_Delete(*tree);
}
#define _tree_ _cleanup_(tree_free)

/* Allocation without NULL: says so on stderr and aborts. */
void *tree_alloc(size_t size);
char *tree_copy(const char *text);
/* cJSON allocates by tree_alloc() from now on. */
void tree_setup(void);

/* The whole text as one value, or NULL. */
cJSON *tree_parse(const char *text, size_t len);
/* "metadata.name": NULL when it is not there. */
cJSON *tree_at(const cJSON *root, const char *path);
/* The same as a string, "" when it is none; borrowed. */
const char *tree_text(const cJSON *root, const char *path);
/* A member that is an object, made when it is missing or something else; borrowed. */
cJSON *tree_object(cJSON *object, const char *key);
/* Add or replace a member; takes the value. */
void tree_set(cJSON *object, const char *key, cJSON *value);
void tree_set_text(cJSON *object, const char *key, const char *value);
void tree_drop(cJSON *object, const char *key);
/* Members by name, all the way down, as Go writes a map. */
void tree_sort(cJSON *tree);
/* These members first and in this order; the others stay as they are. */
void tree_front(cJSON *object, const char *const *keys, size_t n);
/* "string", "number", "boolean", "null", "array", "object". */
const char *tree_type(const cJSON *value);
bool tree_same(const cJSON *a, const cJSON *b);
/* Compact; heap. */
char *tree_print(const cJSON *tree);
/* The same with two blanks a level, as Go indents. */
void tree_indent(const char *text, size_t len, struct sbuf *out);

/* "2026-01-01T00:00:00Z", seconds from now. */
void tree_stamp(char *ret, size_t size, int64_t after_s);
/* A random UUID of 36 characters. */
void tree_uuid(char ret[37]);

#endif
