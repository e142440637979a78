/* SPDX-License-Identifier: Apache-2.0 */
/* POST of objects, and the bodies of all that write. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/rules.h"
#include "apiserver/tree.h"
#include "apiserver/verbs.h"

bool write_is_strict(const struct request *request)
{
	const char *validation = request_query(request, "fieldValidation");

	return validation && strcmp(validation, "Strict") == 0;
}

bool write_is_dry(const struct request *request)
{
	const char *dry = request_query(request, "dryRun");

	return dry && strcmp(dry, "All") == 0;
}

bool write_content_is(const struct request *request, const char *type)
{
	const char *content = request_header(request, "Content-Type");
	size_t len = strlen(type);

	if (!content || !content[0])
		content = "application/json";
	return strncasecmp(content, type, len) == 0 &&
	       (!content[len] || strchr("; ", content[len]));
}

static int check_kind(const struct request *request, const cJSON *object, struct answer *answer)
{
	const struct resource *resource = request->target.resource;
	const char *kind = tree_text(object, "kind");
	const char *api_version = tree_text(object, "apiVersion");
	char mine[RESOURCE_API_VERSION_MAX];

	resource_api_version(resource, mine);
	if (!resource->custom && !kind[0] && !api_version[0])
		return 0;
	if (strcmp(kind, resource->kind) == 0 && strcmp(api_version, mine) == 0)
		return 0;
	if (!kind[0])
		status_fail(answer, 400, "BadRequest", NULL, "Object 'Kind' is missing in '%.512s'",
			    request->body.text);
	else
		status_fail(answer, 400, "BadRequest", NULL,
			    "%s in version \"%s\" cannot be handled as a %s: expected %s of %s",
			    kind, api_version, resource->kind, resource->kind, mine);
	return -EINVAL;
}

static int check_place(const struct request *request, cJSON *object, struct answer *answer)
{
	const struct target *target = &request->target;
	const char *name = tree_text(object, "metadata.name");
	const char *namespace = tree_text(object, "metadata.namespace");

	if (target->name[0] && name[0] && strcmp(name, target->name) != 0) {
		status_fail(answer, 400, "BadRequest", NULL,
			    "the name of the object (%s) does not match the name on the URL (%s)",
			    name, target->name);
		return -EINVAL;
	}
	if (target->resource->namespaced && namespace[0] &&
	    strcmp(namespace, target->namespace) != 0) {
		status_fail(answer, 400, "BadRequest", NULL,
			    "the namespace of the provided object does not match the namespace "
			    "sent on the request");
		return -EINVAL;
	}
	return 0;
}

cJSON *write_body(const struct request *request, struct answer *answer)
{
	const char *text = request->body.text ? request->body.text : "";
	_tree_ cJSON *object = NULL;

	if (!write_content_is(request, "application/json") &&
	    !write_content_is(request, "application/yaml")) {
		status_fail(answer, 415, "UnsupportedMediaType", NULL,
			    "the body of the request was in an unknown format - accepted media "
			    "types include: application/json, application/yaml, "
			    "application/vnd.kubernetes.protobuf");
		return NULL;
	}
	object = tree_parse(text, request->body.len);
	if (!cJSON_IsObject(object)) {
		status_fail(answer, 400, "BadRequest", NULL,
			    "the object provided is unrecognized (must be of type %s): couldn't "
			    "get version/kind; json parse error: invalid JSON (%.128s)",
			    request->target.resource->kind, text);
		return NULL;
	}
	if (check_kind(request, object, answer) < 0 || check_place(request, object, answer) < 0)
		return NULL;
	tree_object(object, "metadata");
	return TAKE_PTR(object);
}

/* 0, or -EINVAL where nothing can be made. */
static int check_namespace(struct request *request, struct answer *answer)
{
	const struct resource *all = resource_find("", "v1", "namespaces");
	const struct target *target = &request->target;
	const struct version *version;
	const char *phase;
	cJSON *details, *causes;

	if (!target->resource->namespaced)
		return 0;
	version = store_get(&request->server->store, all, "", target->namespace);
	if (!version) {
		status_not_found(answer, all, target->namespace);
		return -EINVAL;
	}
	phase = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(version->fields, "status.phase"));
	if (!phase || strcmp(phase, "Terminating") != 0)
		return 0;
	details = status_details(target->resource, NULL);
	causes = cJSON_AddArrayToObject(details, "causes");
	status_cause(causes, "NamespaceTerminating", "metadata.namespace",
		     "namespace %s is being terminated", target->namespace);
	status_fail(answer, 403, "Forbidden", details,
		    "%s is forbidden: unable to create new content in namespace %s because it is "
		    "being terminated",
		    target->resource->plural, target->namespace);
	return -EINVAL;
}

/* A name from generateName, and what the server alone writes. */
static void fill_meta(const struct resource *resource, cJSON *meta)
{
	const char *prefix = tree_text(meta, "generateName");
	char stamp[32], uid[37], name[300];

	tree_uuid(uid);
	if (!tree_text(meta, "name")[0] && prefix[0]) {
		snprintf(name, sizeof(name), "%.240s%.5s", prefix, uid);
		tree_set_text(meta, "name", name);
	}
	if (!tree_text(meta, "uid")[0])
		tree_set_text(meta, "uid", uid);
	tree_stamp(stamp, sizeof(stamp), 0);
	if (!tree_text(meta, "creationTimestamp")[0])
		tree_set_text(meta, "creationTimestamp", stamp);
	if (resource->generation && !tree_at(meta, "generation"))
		cJSON_AddNumberToObject(meta, "generation", 1);
}

struct version *write_seed(struct store *store, const struct resource *resource, cJSON *object)
{
	fill_meta(resource, tree_object(object, "metadata"));
	rules_fill(resource, object);
	return store_put(store, resource, object);
}

void write_create(struct request *request, cJSON *taken, struct answer *answer)
{
	const struct target *target = &request->target;
	const struct resource *resource = target->resource;
	struct store *store = &request->server->store;
	_tree_ cJSON *object = taken;
	cJSON *meta = tree_object(object, "metadata");
	const char *name;

	if (tree_text(meta, "resourceVersion")[0]) {
		status_fail(answer, 500, NULL, NULL,
			    "resourceVersion should not be set on objects to be created");
		return;
	}
	if (check_namespace(request, answer) < 0)
		return;
	if (resource->namespaced)
		tree_set_text(meta, "namespace", target->namespace);
	tree_drop(meta, "creationTimestamp");
	tree_drop(meta, "deletionTimestamp");
	tree_drop(meta, "generation");
	if (resource->status && !resource->keep_status)
		tree_drop(object, "status");
	fill_meta(resource, meta);
	name = tree_text(meta, "name");
	if (rules_check_name(resource, name, answer) < 0)
		return;
	rules_fill(resource, object);
	if (rules_check(resource, object, write_is_strict(request), answer) < 0)
		return;
	if (store_get(store, resource, tree_text(meta, "namespace"), name)) {
		status_exists(answer, resource, name);
		return;
	}
	if (write_is_dry(request))
		answer_tree(answer, 201, object);
	else
		answer_version(answer, 201, store_put(store, resource, TAKE_PTR(object)));
}

void verb_create(struct request *request, struct answer *answer)
{
	cJSON *object = write_body(request, answer);

	if (object)
		write_create(request, object, answer);
}
