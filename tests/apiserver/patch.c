/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/tree.h"
#include "platform/parse.h"

cJSON *patch_merge(cJSON *target, const cJSON *patch)
{
	const cJSON *member;

	if (!cJSON_IsObject(patch)) {
		cJSON_Delete(target);
		return cJSON_Duplicate(patch, true);
	}
	if (!cJSON_IsObject(target)) {
		cJSON_Delete(target);
		target = cJSON_CreateObject();
	}
	cJSON_ArrayForEach(member, patch)
	{
		/* Merged in place, so that the order of the members stays. */
		if (cJSON_IsNull(member))
			tree_drop(target, member->string);
		else if (cJSON_IsObject(member))
			patch_merge(tree_object(target, member->string), member);
		else
			tree_set(target, member->string, cJSON_Duplicate(member, true));
	}
	return target;
}

/* Which lists are maps, and by what; every other list is replaced as a whole. */
static const struct {
	const char *list, *key;
} keyed[] = {
	{ "containers", "name" },
	{ "initContainers", "name" },
	{ "ephemeralContainers", "name" },
	{ "volumes", "name" },
	{ "env", "name" },
	{ "imagePullSecrets", "name" },
	{ "scores", "name" },
	{ "conditions", "type" },
	{ "addresses", "type" },
	{ "podIPs", "ip" },
	{ "ports", "containerPort" },
	{ "taints", "key" },
	{ "volumeMounts", "mountPath" },
	{ "ownerReferences", "uid" },
};

static const char *key_of(const char *list)
{
	for (size_t i = 0; i < ARRAY_SIZE(keyed); i++)
		if (strcmp(keyed[i].list, list) == 0)
			return keyed[i].key;
	return NULL;
}

static cJSON *element(const cJSON *array, const char *key, const cJSON *like)
{
	const cJSON *wanted = cJSON_GetObjectItemCaseSensitive(like, key);
	cJSON *item;

	cJSON_ArrayForEach(item, array)
	{
		if (wanted && tree_same(cJSON_GetObjectItemCaseSensitive(item, key), wanted))
			return item;
	}
	return NULL;
}

static void merge_list(cJSON *target, const cJSON *patch, const char *key)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, patch)
	{
		cJSON *same = element(target, key, item);
		bool drop = strcmp(tree_text(item, "$patch"), "delete") == 0;

		if (same && drop)
			cJSON_Delete(cJSON_DetachItemViaPointer(target, same));
		else if (same)
			patch_by_key(same, item);
		else if (!drop)
			cJSON_AddItemToArray(target, cJSON_Duplicate(item, true));
	}
}

static void merge_member(cJSON *target, const cJSON *member)
{
	cJSON *old = cJSON_GetObjectItemCaseSensitive(target, member->string);
	const char *key = key_of(member->string);

	if (cJSON_IsNull(member)) {
		tree_drop(target, member->string);
	} else if (cJSON_IsObject(member)) {
		patch_by_key(tree_object(target, member->string), member);
	} else if (cJSON_IsArray(member) && cJSON_IsArray(old) && key) {
		merge_list(old, member, key);
	} else {
		tree_set(target, member->string, cJSON_Duplicate(member, true));
	}
}

cJSON *patch_by_key(cJSON *target, const cJSON *patch)
{
	const cJSON *member;

	if (!cJSON_IsObject(patch) || !cJSON_IsObject(target))
		return patch_merge(target, patch);
	cJSON_ArrayForEach(member, patch)
	{
		if (member->string[0] != '$')
			merge_member(target, member);
	}
	return target;
}

/* Undo ~1 and ~0 of a JSON pointer's token, in place. */
static void unescape(char *token)
{
	char *out = token;

	for (const char *in = token; *in; in++) {
		char c = *in;

		if (c == '~' && (in[1] == '0' || in[1] == '1'))
			c = *++in == '1' ? '/' : '~';
		*out++ = c;
	}
	*out = '\0';
}

static int array_index(const cJSON *array, const char *token, int *ret)
{
	uint64_t index;

	if (strcmp(token, "-") == 0) {
		*ret = cJSON_GetArraySize(array);
		return 0;
	}
	if (parse_u64(token, &index) < 0 || index > (uint64_t)cJSON_GetArraySize(array))
		return -EINVAL;
	*ret = (int)index;
	return 0;
}

static cJSON *step(cJSON *at, const char *token)
{
	int index;

	if (!cJSON_IsArray(at))
		return cJSON_GetObjectItemCaseSensitive(at, token);
	return array_index(at, token, &index) == 0 ? cJSON_GetArrayItem(at, index) : NULL;
}

/* The container that a pointer names something in, and the last token, heap. */
static cJSON *container(cJSON *root, const char *pointer, char **ret_token)
{
	_free_ char *path = tree_copy(pointer);
	char *token = path + 1, *slash;

	if (path[0] != '/')
		return NULL;
	while ((slash = strchr(token, '/'))) {
		*slash = '\0';
		unescape(token);
		root = step(root, token);
		if (!root)
			return NULL;
		token = slash + 1;
	}
	unescape(token);
	*ret_token = tree_copy(token);
	return root;
}

static int put_at(cJSON *into, const char *token, bool replace, const cJSON *value)
{
	cJSON *copy = cJSON_Duplicate(value, true);
	int index, r = 0;

	if (cJSON_IsObject(into))
		tree_set(into, token, copy);
	else if (!cJSON_IsArray(into) || array_index(into, token, &index) < 0)
		r = -EINVAL;
	else if (replace)
		r = cJSON_ReplaceItemInArray(into, index, copy) ? 0 : -EINVAL;
	else if (!cJSON_InsertItemInArray(into, index, copy))
		r = -EINVAL;
	if (r < 0)
		cJSON_Delete(copy);
	return r;
}

static int operate(cJSON *root, const cJSON *operation)
{
	const char *op = tree_text(operation, "op"), *path = tree_text(operation, "path");
	const cJSON *value = tree_at(operation, "value");
	_free_ char *token = NULL;
	cJSON *into = container(root, path, &token), *old;

	if (!into)
		return -EINVAL;
	old = step(into, token);
	if (strcmp(op, "add") == 0)
		return value ? put_at(into, token, false, value) : -EINVAL;
	if (!old)
		return -EINVAL;
	if (strcmp(op, "replace") == 0)
		return value ? put_at(into, token, true, value) : -EINVAL;
	if (strcmp(op, "test") == 0)
		return tree_same(old, value) ? 0 : -EINVAL;
	if (strcmp(op, "remove") != 0)
		return -EINVAL;
	cJSON_Delete(cJSON_DetachItemViaPointer(into, old));
	return 0;
}

int patch_operations(cJSON **target, const cJSON *operations)
{
	const cJSON *operation;

	if (!cJSON_IsArray(operations))
		return -EINVAL;
	cJSON_ArrayForEach(operation, operations)
	{
		int r = operate(*target, operation);

		if (r < 0)
			return r;
	}
	return 0;
}
