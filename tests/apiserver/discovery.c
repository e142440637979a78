/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/discovery.h"

#include <stdio.h>
#include <string.h>

#include "apiserver/tree.h"

static const char *const health_paths[] = { "/healthz", "/readyz", "/livez" };

bool discovery_is_open(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(health_paths); i++)
		if (strcmp(path, health_paths[i]) == 0)
			return true;
	return strcmp(path, "/version") == 0;
}

static cJSON *version_info(void)
{
	cJSON *tree = cJSON_CreateObject();

	cJSON_AddStringToObject(tree, "major", "1");
	cJSON_AddStringToObject(tree, "minor", "32");
	cJSON_AddStringToObject(tree, "gitVersion", "v1.32.0");
	cJSON_AddStringToObject(tree, "platform", "linux/amd64");
	return tree;
}

static cJSON *api_versions(void)
{
	cJSON *tree = cJSON_CreateObject();

	cJSON_AddStringToObject(tree, "kind", "APIVersions");
	cJSON_AddItemToArray(cJSON_AddArrayToObject(tree, "versions"), cJSON_CreateString("v1"));
	return tree;
}

static cJSON *group_version(const struct resource *resource)
{
	cJSON *tree = cJSON_CreateObject();
	char api_version[RESOURCE_API_VERSION_MAX];

	resource_api_version(resource, api_version);
	cJSON_AddStringToObject(tree, "groupVersion", api_version);
	cJSON_AddStringToObject(tree, "version", resource->version);
	return tree;
}

/* The first row of its group, or of its group and version. */
static bool is_first(const struct resource *resource, bool by_version)
{
	for (const struct resource *r = resources; r < resource; r++)
		if (strcmp(r->group, resource->group) == 0 &&
		    (!by_version || strcmp(r->version, resource->version) == 0))
			return false;
	return true;
}

static cJSON *group_of(const struct resource *first)
{
	cJSON *group = cJSON_CreateObject(), *versions;

	cJSON_AddStringToObject(group, "name", first->group);
	versions = cJSON_AddArrayToObject(group, "versions");
	for (size_t i = 0; i < n_resources; i++)
		if (strcmp(resources[i].group, first->group) == 0 && is_first(&resources[i], true))
			cJSON_AddItemToArray(versions, group_version(&resources[i]));
	cJSON_AddItemToObject(group, "preferredVersion", group_version(first));
	return group;
}

static cJSON *group_list(void)
{
	cJSON *tree = cJSON_CreateObject(), *groups;

	cJSON_AddStringToObject(tree, "kind", "APIGroupList");
	cJSON_AddStringToObject(tree, "apiVersion", "v1");
	groups = cJSON_AddArrayToObject(tree, "groups");
	for (size_t i = 0; i < n_resources; i++)
		if (resources[i].group[0] && is_first(&resources[i], false))
			cJSON_AddItemToArray(groups, group_of(&resources[i]));
	return tree;
}

static cJSON *words(const char *text)
{
	cJSON *list = cJSON_CreateArray();

	while (*text) {
		size_t len = strcspn(text, " ");
		char word[32];

		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		cJSON_AddItemToArray(list, cJSON_CreateString(word));
		text += len + (text[len] == ' ');
	}
	return list;
}

static void add_resource(cJSON *list, const struct resource *resource, const char *sub,
			 const char *verbs)
{
	cJSON *one = cJSON_CreateObject();
	char name[RESOURCE_API_VERSION_MAX];

	snprintf(name, sizeof(name), "%s%s%s", resource->plural, sub[0] ? "/" : "", sub);
	cJSON_AddStringToObject(one, "name", name);
	cJSON_AddStringToObject(one, "singularName", sub[0] ? "" : resource->singular);
	cJSON_AddBoolToObject(one, "namespaced", resource->namespaced);
	cJSON_AddStringToObject(one, "kind", resource->kind);
	cJSON_AddItemToObject(one, "verbs", words(verbs));
	if (resource->short_name && !sub[0])
		cJSON_AddItemToObject(one, "shortNames", words(resource->short_name));
	cJSON_AddItemToArray(list, one);
}

static cJSON *resource_list(const char *group, const char *version)
{
	cJSON *tree = cJSON_CreateObject(), *list;
	char api_version[2 * RESOURCE_API_VERSION_MAX];

	snprintf(api_version, sizeof(api_version), "%s%s%s", group, group[0] ? "/" : "", version);
	cJSON_AddStringToObject(tree, "kind", "APIResourceList");
	if (group[0])
		cJSON_AddStringToObject(tree, "apiVersion", "v1");
	cJSON_AddStringToObject(tree, "groupVersion", api_version);
	list = cJSON_AddArrayToObject(tree, "resources");
	for (size_t i = 0; i < n_resources; i++) {
		const struct resource *r = &resources[i];

		if (strcmp(r->group, group) != 0 || strcmp(r->version, version) != 0)
			continue;
		add_resource(list, r, "",
			     "create delete deletecollection get list patch update watch");
		if (r->status)
			add_resource(list, r, "status", "get patch update");
		if (strcmp(r->plural, "pods") == 0)
			add_resource(list, r, "binding", "create");
	}
	return tree;
}

static cJSON *openapi_index(void)
{
	cJSON *tree = cJSON_CreateObject(), *paths = cJSON_AddObjectToObject(tree, "paths");
	char key[RESOURCE_API_VERSION_MAX + 16], url[RESOURCE_API_VERSION_MAX + 64];

	for (size_t i = 0; i < n_resources; i++) {
		const struct resource *r = &resources[i];
		cJSON *one;

		if (!is_first(r, true))
			continue;
		snprintf(key, sizeof(key), "api%s%s/%s", r->group[0] ? "s/" : "", r->group,
			 r->version);
		snprintf(url, sizeof(url), "/openapi/v3/%s?hash=1", key);
		one = cJSON_AddObjectToObject(paths, key);
		cJSON_AddStringToObject(one, "serverRelativeURL", url);
	}
	return tree;
}

/* kubectl looks whether the patch of a kind knows fieldValidation, and at nothing else. */
static void add_patch(cJSON *paths, const struct resource *resource)
{
	cJSON *patch = cJSON_CreateObject(), *kind, *parameter, *schema;
	char path[4 * RESOURCE_API_VERSION_MAX], api_version[RESOURCE_API_VERSION_MAX];

	resource_api_version(resource, api_version);
	snprintf(path, sizeof(path), "/api%s/%s%s/%s/{name}", resource->group[0] ? "s" : "",
		 api_version, resource->namespaced ? "/namespaces/{namespace}" : "",
		 resource->plural);
	kind = cJSON_AddObjectToObject(patch, "x-kubernetes-group-version-kind");
	cJSON_AddStringToObject(kind, "group", resource->group);
	cJSON_AddStringToObject(kind, "version", resource->version);
	cJSON_AddStringToObject(kind, "kind", resource->kind);
	parameter = cJSON_CreateObject();
	cJSON_AddStringToObject(parameter, "name", "fieldValidation");
	cJSON_AddStringToObject(parameter, "in", "query");
	schema = cJSON_AddObjectToObject(parameter, "schema");
	cJSON_AddStringToObject(schema, "type", "string");
	cJSON_AddBoolToObject(schema, "uniqueItems", true);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(patch, "parameters"), parameter);
	cJSON_AddItemToObject(cJSON_AddObjectToObject(paths, path), "patch", patch);
}

static cJSON *openapi_group(const char *group, const char *version)
{
	cJSON *tree = cJSON_CreateObject(), *info, *paths;

	cJSON_AddStringToObject(tree, "openapi", "3.0.0");
	info = cJSON_AddObjectToObject(tree, "info");
	cJSON_AddStringToObject(info, "title", "Kubernetes");
	cJSON_AddStringToObject(info, "version", "v1.32.0");
	paths = cJSON_AddObjectToObject(tree, "paths");
	for (size_t i = 0; i < n_resources; i++)
		if (strcmp(resources[i].group, group) == 0 &&
		    strcmp(resources[i].version, version) == 0)
			add_patch(paths, &resources[i]);
	return tree;
}

/* "/api/v1", "/apis/GROUP/VERSION": the two words, in buffers of RESOURCE_API_VERSION_MAX bytes. */
static bool read_group(const char *path, char *ret_group, char *ret_version)
{
	const char *slash;

	ret_group[0] = '\0';
	if (strncmp(path, "/apis/", 6) == 0) {
		path += 6;
		slash = strchr(path, '/');
		if (!slash || (size_t)(slash - path) >= RESOURCE_API_VERSION_MAX)
			return false;
		snprintf(ret_group, RESOURCE_API_VERSION_MAX, "%.*s", (int)(slash - path), path);
		path = slash + 1;
	} else if (strncmp(path, "/api/", 5) == 0) {
		path += 5;
	} else {
		return false;
	}
	snprintf(ret_version, RESOURCE_API_VERSION_MAX, "%s", path);
	return resource_group_known(ret_group, ret_version);
}

static cJSON *document(const char *path)
{
	static const char openapi[] = "/openapi/v3";
	char group[RESOURCE_API_VERSION_MAX], version[RESOURCE_API_VERSION_MAX];
	const size_t len = sizeof(openapi) - 1;

	if (strcmp(path, "/version") == 0)
		return version_info();
	if (strcmp(path, "/api") == 0 || strcmp(path, "/api/") == 0)
		return api_versions();
	if (strcmp(path, "/apis") == 0 || strcmp(path, "/apis/") == 0)
		return group_list();
	if (strcmp(path, openapi) == 0)
		return openapi_index();
	if (strncmp(path, openapi, len) == 0 && read_group(path + len, group, version))
		return openapi_group(group, version);
	return read_group(path, group, version) ? resource_list(group, version) : NULL;
}

bool discovery_serve(const char *path, const char *method, struct answer *answer)
{
	_tree_ cJSON *tree = NULL;

	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return false;
	if (strcmp(path, "/version") != 0 && discovery_is_open(path)) {
		answer_text(answer, 200, "ok");
		return true;
	}
	tree = document(path);
	if (tree)
		answer_tree(answer, 200, tree);
	return tree;
}
