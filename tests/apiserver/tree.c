/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

void *tree_alloc(size_t size)
{
	void *memory = calloc(1, size ? size : 1);

	if (!memory) {
		fputs("fake_apiserver: out of memory; give it more, or fewer objects\n", stderr);
		abort();
	}
	return memory;
}

char *tree_copy(const char *text)
{
	size_t len = strlen(text) + 1;

	return memcpy(tree_alloc(len), text, len);
}

/* Without its zeroing: cJSON clears what it needs. */
static void *plain_alloc(size_t size)
{
	void *memory = malloc(size);

	return memory ? memory : tree_alloc(size);
}

void tree_setup(void)
{
	cJSON_Hooks hooks = { .malloc_fn = plain_alloc, .free_fn = free };

	cJSON_InitHooks(&hooks);
}

cJSON *tree_parse(const char *text, size_t len)
{
	const char *end = NULL;
	cJSON *tree = cJSON_ParseWithLengthOpts(text, len, &end, false);

	while (tree && end < text + len && strchr(" \t\r\n", *end))
		end++;
	if (tree && end != text + len) {
		cJSON_Delete(tree);
		return NULL;
	}
	return tree;
}

cJSON *tree_at(const cJSON *root, const char *path)
{
	char key[64];

	while (root) {
		size_t len = strcspn(path, ".");

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		root = cJSON_GetObjectItemCaseSensitive(root, key);
		if (!path[len])
			break;
		path += len + 1;
	}
	return (cJSON *)root;
}

const char *tree_text(const cJSON *root, const char *path)
{
	const char *text = cJSON_GetStringValue(tree_at(root, path));

	return text ? text : "";
}

cJSON *tree_object(cJSON *object, const char *key)
{
	cJSON *child = cJSON_GetObjectItemCaseSensitive(object, key);

	if (cJSON_IsObject(child))
		return child;
	child = cJSON_CreateObject();
	tree_set(object, key, child);
	return child;
}

void tree_set(cJSON *object, const char *key, cJSON *value)
{
	if (cJSON_GetObjectItemCaseSensitive(object, key))
		cJSON_ReplaceItemInObjectCaseSensitive(object, key, value);
	else
		cJSON_AddItemToObject(object, key, value);
}

void tree_set_text(cJSON *object, const char *key, const char *value)
{
	tree_set(object, key, cJSON_CreateString(value));
}

void tree_drop(cJSON *object, const char *key)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, key);
}

static int by_name(const void *a, const void *b)
{
	const cJSON *const *x = a, *const *y = b;

	return strcmp((*x)->string, (*y)->string);
}

void tree_sort(cJSON *tree)
{
	_free_ cJSON **members = NULL;
	size_t n = 0;
	cJSON *child;

	cJSON_ArrayForEach(child, tree)
	{
		tree_sort(child);
		n++;
	}
	if (!cJSON_IsObject(tree) || n < 2)
		return;
	members = tree_alloc(n * sizeof(members[0]));
	n = 0;
	cJSON_ArrayForEach(child, tree) members[n++] = child;
	qsort(members, n, sizeof(members[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		members[i]->next = i + 1 < n ? members[i + 1] : NULL;
		members[i]->prev = members[i ? i - 1 : n - 1]; /* the first one's is the last */
	}
	tree->child = members[0];
}

void tree_front(cJSON *object, const char *const *keys, size_t n)
{
	cJSON *member;

	for (size_t i = n; i-- > 0;) {
		member = cJSON_DetachItemFromObjectCaseSensitive(object, keys[i]);
		if (member && object->child)
			cJSON_InsertItemInArray(object, 0, member);
		else if (member)
			cJSON_AddItemToArray(object, member);
	}
}

bool tree_same(const cJSON *a, const cJSON *b)
{
	return (!a && !b) || (a && b && cJSON_Compare(a, b, true));
}

const char *tree_type(const cJSON *value)
{
	return cJSON_IsString(value)   ? "string"
	       : cJSON_IsNumber(value) ? "number"
	       : cJSON_IsBool(value)   ? "boolean"
	       : cJSON_IsNull(value)   ? "null"
	       : cJSON_IsArray(value)  ? "array"
				       : "object";
}

char *tree_print(const cJSON *tree)
{
	char *text = cJSON_PrintUnformatted(tree);

	return text ? text : tree_copy("null");
}

static void new_line(struct sbuf *out, size_t depth)
{
	sbuf_putc(out, '\n');
	while (depth-- > 0)
		sbuf_append(out, "  ", 2);
}

void tree_indent(const char *text, size_t len, struct sbuf *out)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			sbuf_putc(out, c);
			if (c == '\\' && i + 1 < len)
				sbuf_putc(out, text[++i]);
			in_string = c != '"';
			continue;
		}
		if ((c == '}' || c == ']') && depth > 0 && text[i - 1] != '{' && text[i - 1] != '[')
			new_line(out, depth - 1);
		sbuf_putc(out, c);
		in_string = c == '"';
		if (c == ':')
			sbuf_putc(out, ' ');
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
		if (c == ',' || ((c == '{' || c == '[') && i + 1 < len && text[i + 1] != '}' &&
				 text[i + 1] != ']'))
			new_line(out, depth);
	}
}

void tree_stamp(char *ret, size_t size, int64_t after_s)
{
	time_t at = time(NULL) + after_s;
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(ret, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void tree_uuid(char ret[37])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char random[16];
	size_t at = 0;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		abort(); /* 16 bytes are never cut short once the pool is there */
	random[6] = (unsigned char)((random[6] & 0x0f) | 0x40);
	random[8] = (unsigned char)((random[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(random); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret[at++] = '-';
		ret[at++] = hex[random[i] >> 4];
		ret[at++] = hex[random[i] & 15];
	}
	ret[at] = '\0';
}
