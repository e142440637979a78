/* SPDX-License-Identifier: Apache-2.0 */
/* One state of one object: its text, and what selectors look at. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/store.h"
#include "apiserver/store_version.h"
#include "apiserver/tree.h"

/* The order in which the structs of built-ins are written. */
static const char *const top_order[] = { "kind", "apiVersion", "metadata", "spec", "status" };
static const char *const meta_order[] = {
	"name",
	"generateName",
	"namespace",
	"uid",
	"resourceVersion",
	"generation",
	"creationTimestamp",
	"deletionTimestamp",
	"deletionGracePeriodSeconds",
	"labels",
	"annotations",
	"ownerReferences",
	"finalizers",
	"managedFields",
};

struct version *version_get(struct version *version)
{
	version->references++;
	return version;
}

void version_put(struct version **version)
{
	struct version *v = *version;

	if (!v || --v->references > 0)
		return;
	free(v->namespace);
	free(v->name);
	free(v->text);
	cJSON_Delete(v->labels);
	cJSON_Delete(v->fields);
	free(v);
}

cJSON *version_tree(const struct version *version)
{
	return tree_parse(version->text, version->len);
}

int version_compare(const struct version *version, const char *namespace, const char *name)
{
	int order = strcmp(version->namespace, namespace);

	return order ? order : strcmp(version->name, name);
}

static void add_field(cJSON *fields, const cJSON *tree, const char *path)
{
	const cJSON *value = tree_at(tree, path);

	if (cJSON_IsString(value))
		cJSON_AddStringToObject(fields, path, value->valuestring);
	else
		cJSON_AddStringToObject(fields, path, cJSON_IsTrue(value) ? "true" : "");
}

static cJSON *fields_of(const struct resource *resource, const cJSON *tree)
{
	cJSON *fields = cJSON_CreateObject();

	add_field(fields, tree, "metadata.name");
	add_field(fields, tree, "metadata.namespace");
	for (const char *const *f = resource->fields; f && *f; f++)
		add_field(fields, tree, *f);
	return fields;
}

static void arrange(const struct resource *resource, cJSON *tree)
{
	char api_version[RESOURCE_API_VERSION_MAX];

	resource_api_version(resource, api_version);
	tree_set_text(tree, "kind", resource->kind);
	tree_set_text(tree, "apiVersion", api_version);
	if (resource->custom) {
		tree_sort(tree);
		return;
	}
	tree_front(tree, top_order, ARRAY_SIZE(top_order));
	tree_front(tree_object(tree, "metadata"), meta_order, ARRAY_SIZE(meta_order));
}

struct version *version_new(const struct resource *resource, cJSON *tree, uint64_t rv)
{
	struct version *v = tree_alloc(sizeof(*v));
	const cJSON *labels;
	char digits[32];
	const char *meta;

	snprintf(digits, sizeof(digits), "%" PRIu64, rv);
	tree_set_text(tree_object(tree, "metadata"), "resourceVersion", digits);
	arrange(resource, tree);
	v->references = 1;
	v->resource = resource;
	v->namespace = tree_copy(resource->namespaced ? tree_text(tree, "metadata.namespace") : "");
	v->name = tree_copy(tree_text(tree, "metadata.name"));
	v->rv = rv;
	v->text = tree_print(tree);
	v->len = strlen(v->text);
	meta = resource->custom ? NULL : strstr(v->text, "\"metadata\":");
	v->head = meta ? (size_t)(meta - v->text) : 0;
	labels = tree_at(tree, "metadata.labels");
	v->labels = labels ? cJSON_Duplicate(labels, true) : NULL;
	v->fields = fields_of(resource, tree);
	return v;
}

char *version_text_at(const struct version *version, uint64_t rv)
{
	_tree_ cJSON *tree = version_tree(version);
	char digits[32];

	if (!tree)
		return tree_copy("null");
	snprintf(digits, sizeof(digits), "%" PRIu64, rv);
	tree_set_text(tree_object(tree, "metadata"), "resourceVersion", digits);
	return tree_print(tree);
}
