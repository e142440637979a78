/* SPDX-License-Identifier: Apache-2.0 */
/* PUT and PATCH of objects and of their status. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/patch.h"
#include "apiserver/rules.h"
#include "apiserver/tree.h"
#include "apiserver/verbs.h"

#define MEDIA_TYPES "application/json-patch+json, application/merge-patch+json, "

/* These come from the old object, whatever the new one says. */
static void keep_meta(const struct version *old, const cJSON *old_tree, cJSON *object)
{
	static const char *const kept[] = { "name",
					    "namespace",
					    "uid",
					    "generateName",
					    "generation",
					    "creationTimestamp",
					    "deletionTimestamp",
					    "deletionGracePeriodSeconds" };
	const cJSON *old_meta = tree_at(old_tree, "metadata");
	cJSON *meta = tree_object(object, "metadata");
	char rv[32];

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const cJSON *value = cJSON_GetObjectItemCaseSensitive(old_meta, kept[i]);

		tree_drop(meta, kept[i]);
		if (value)
			cJSON_AddItemToObject(meta, kept[i], cJSON_Duplicate(value, true));
	}
	snprintf(rv, sizeof(rv), "%" PRIu64, old->rv);
	tree_set_text(meta, "resourceVersion", rv);
	tree_set_text(object, "kind", tree_text(old_tree, "kind"));
	tree_set_text(object, "apiVersion", tree_text(old_tree, "apiVersion"));
}

/* Member by member: into gets from's, or loses its own. */
static void take_member(cJSON *into, const cJSON *from, const char *key)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(from, key);

	if (value)
		tree_set(into, key, cJSON_Duplicate(value, true));
	else
		tree_drop(into, key);
}

/* Whether something changed that is neither metadata nor status. */
static bool spec_differs(const cJSON *a, const cJSON *b)
{
	_tree_ cJSON *x = cJSON_Duplicate(a, true), *y = cJSON_Duplicate(b, true);

	tree_drop(x, "metadata");
	tree_drop(y, "metadata");
	tree_drop(x, "status");
	tree_drop(y, "status");
	return !tree_same(x, y);
}

/* The object with only that part changed which sub may change; takes the tree. */
static cJSON *settle(const struct version *old, const cJSON *old_tree, cJSON *taken,
		     const char *sub)
{
	_tree_ cJSON *object = taken, *status = NULL;

	if (strcmp(sub, "status") == 0) {
		status = TAKE_PTR(object);
		object = cJSON_Duplicate(old_tree, true);
		take_member(object, status, "status");
	} else if (old->resource->status) {
		take_member(object, old_tree, "status");
	}
	keep_meta(old, old_tree, object);
	return TAKE_PTR(object);
}

/* Nothing keeps it any more: its deletion was only waiting for this change. */
static bool is_released(const cJSON *object)
{
	const cJSON *grace = tree_at(object, "metadata.deletionGracePeriodSeconds");

	return tree_text(object, "metadata.deletionTimestamp")[0] &&
	       !cJSON_GetArraySize(tree_at(object, "metadata.finalizers")) &&
	       (!grace || grace->valuedouble == 0);
}

void write_change(struct request *request, struct version *old, cJSON *taken, const char *sub,
		  struct answer *answer)
{
	struct server *server = request->server;
	_tree_ cJSON *old_tree = version_tree(old), *object = settle(old, old_tree, taken, sub);
	_version_ struct version *last = NULL;
	const cJSON *generation = tree_at(old_tree, "metadata.generation");
	struct version *now;
	bool released;

	if (rules_check(old->resource, object, write_is_strict(request), answer) < 0)
		return;
	if (tree_same(object, old_tree)) {
		answer_version(answer, 200, old);
		return;
	}
	if (old->resource->generation && cJSON_IsNumber(generation) &&
	    spec_differs(object, old_tree))
		tree_set(tree_object(object, "metadata"), "generation",
			 cJSON_CreateNumber(generation->valuedouble + 1));
	if (write_is_dry(request)) {
		answer_tree(answer, 200, object);
		return;
	}
	released = is_released(object);
	now = store_put(&server->store, old->resource, TAKE_PTR(object));
	if (released)
		now = last = write_remove(server, now);
	answer_version(answer, 200, now);
}

/* What a client says it has seen: 0, or -EINVAL when the object has moved on. */
static int check_version(const struct version *old, const cJSON *object, struct answer *answer)
{
	const char *named = tree_text(object, "metadata.resourceVersion");
	char rv[32];

	snprintf(rv, sizeof(rv), "%" PRIu64, old->rv);
	if (!named[0] || strcmp(named, rv) == 0)
		return 0;
	status_modified(answer, old->resource, old->name);
	return -EINVAL;
}

void verb_replace(struct request *request, struct answer *answer)
{
	const struct target *target = &request->target;
	struct version *old;
	_tree_ cJSON *object = write_body(request, answer);
	cJSON *causes;

	if (!object)
		return;
	old = store_get(&request->server->store, target->resource, target->namespace, target->name);
	if (!old) {
		status_not_found(answer, target->resource, target->name);
		return;
	}
	if (target->resource->strict_rv && !tree_text(object, "metadata.resourceVersion")[0]) {
		causes = cJSON_CreateArray();
		status_cause(causes, "FieldValueInvalid", "metadata.resourceVersion",
			     "Invalid value: 0x0: must be specified for an update");
		status_invalid(answer, target->resource, target->name, causes);
		return;
	}
	if (check_version(old, object, answer) == 0)
		write_change(request, old, TAKE_PTR(object), target->sub, answer);
}

static void refuse_type(const struct request *request, struct answer *answer)
{
	bool custom = request->target.resource->custom;

	status_fail(answer, 415, "UnsupportedMediaType", NULL, "%s%s",
		    custom ? "the body of the request was in an unknown format - accepted media "
			     "types include: " MEDIA_TYPES
			   : "415: Unsupported Media Type",
		    custom ? "application/apply-patch+yaml" : "");
}

static int check_apply(const struct request *request, const cJSON *patch, struct answer *answer)
{
	const char *manager = request_query(request, "fieldManager");
	char mine[RESOURCE_API_VERSION_MAX];
	cJSON *causes;

	resource_api_version(request->target.resource, mine);
	if (!manager || !manager[0]) {
		causes = cJSON_CreateObject();
		status_cause(cJSON_AddArrayToObject(causes, "causes"), "FieldValueRequired",
			     "fieldManager", "Required value: is required for apply patch");
		status_fail(answer, 422, "Invalid", causes,
			    "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required "
			    "value: is required for apply patch");
		return -EINVAL;
	}
	if (strcmp(tree_text(patch, "apiVersion"), mine) == 0)
		return 0;
	status_fail(answer, 400, "BadRequest", NULL,
		    "Incorrect version specified in apply patch. Specified patch version: %s, "
		    "expected: %s",
		    tree_text(patch, "apiVersion"), mine);
	return -EINVAL;
}

enum patch_type { PATCH_MERGE, PATCH_STRATEGIC, PATCH_OPERATIONS, PATCH_APPLY };

static int read_type(const struct request *request, enum patch_type *ret, struct answer *answer)
{
	static const char *const types[] = {
		"application/merge-patch+json",
		"application/strategic-merge-patch+json",
		"application/json-patch+json",
		"application/apply-patch+yaml",
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!write_content_is(request, types[i]) ||
		    (i == PATCH_STRATEGIC && request->target.resource->custom))
			continue;
		*ret = (enum patch_type)i;
		return 0;
	}
	refuse_type(request, answer);
	return -EINVAL;
}

/* The object after the patch; NULL and an answer when that cannot be. */
static cJSON *patched(const struct version *old, enum patch_type type, const cJSON *patch,
		      struct answer *answer)
{
	_tree_ cJSON *object = version_tree(old);

	if (type == PATCH_OPERATIONS) {
		if (patch_operations(&object, patch) < 0) {
			status_fail(answer, 422, "Invalid", NULL,
				    "the server rejected our request due to an error in our "
				    "request");
			return NULL;
		}
	} else if (type == PATCH_MERGE) {
		object = patch_merge(TAKE_PTR(object), patch);
	} else {
		object = patch_by_key(TAKE_PTR(object), patch);
	}
	return TAKE_PTR(object);
}

void verb_patch(struct request *request, struct answer *answer)
{
	const struct target *target = &request->target;
	_tree_ cJSON *patch = NULL, *object = NULL;
	struct version *old;
	enum patch_type type;

	if (read_type(request, &type, answer) < 0)
		return;
	patch = request->body.text ? tree_parse(request->body.text, request->body.len) : NULL;
	if (!patch || (type != PATCH_OPERATIONS && !cJSON_IsObject(patch))) {
		status_fail(answer, 400, "BadRequest", NULL, "error decoding %s: invalid %s",
			    type == PATCH_APPLY ? "YAML" : "patch",
			    patch ? "kind of value" : "character looking for beginning of value");
		return;
	}
	if (type == PATCH_APPLY && check_apply(request, patch, answer) < 0)
		return;
	old = store_get(&request->server->store, target->resource, target->namespace, target->name);
	if (!old && type == PATCH_APPLY && !target->sub[0]) {
		tree_set_text(tree_object(patch, "metadata"), "name", target->name);
		write_create(request, TAKE_PTR(patch), answer);
		return;
	}
	if (!old) {
		status_not_found(answer, target->resource, target->name);
		return;
	}
	object = patched(old, type, patch, answer);
	if (object && check_version(old, object, answer) == 0)
		write_change(request, old, TAKE_PTR(object), target->sub, answer);
}
