/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/tree.h"
#include "apiserver/verbs.h"
#include "apiserver/watch.h"

#define WHY_MAX 128

static void refuse(struct answer *answer, const char *what)
{
	_tree_ cJSON *tree = cJSON_CreateObject();

	cJSON_AddStringToObject(tree, "error", what);
	answer_tree(answer, 400, tree);
}

static void done(struct answer *answer)
{
	answer->status = 200;
	sbuf_puts(&answer->body, "{}\n");
}

static void release_waiting(struct server *server)
{
	for (struct request *r = server->waiting; r; r = r->next)
		r->released = r->has_fault && r->fault.what == FAULT_HANG;
}

static void serve_fault(struct request *request, const cJSON *tree, struct answer *answer)
{
	struct server *server = request->server;
	struct fault fault;
	char why[WHY_MAX];

	if (strcmp(request->method, "DELETE") == 0) {
		faults_clear(&server->faults);
		watches_release(server);
		release_waiting(server);
		done(answer);
		return;
	}
	if (fault_read(tree, &fault, why) < 0) {
		refuse(answer, why);
		return;
	}
	if (faults_add(&server->faults, &fault) < 0) {
		refuse(answer, "too many faults; DELETE /fake/fault first");
		return;
	}
	watches_strike(server);
	done(answer);
}

static void serve_expire(struct request *request, const cJSON *tree, struct answer *answer)
{
	store_expire(&request->server->store);
	if (cJSON_IsTrue(tree_at(tree, "close")))
		watches_break(request->server);
	done(answer);
}

static void ensure_namespace(struct store *store, const char *name)
{
	const struct resource *resource = resource_find("", "v1", "namespaces");
	cJSON *namespace;

	if (store_get(store, resource, "", name))
		return;
	namespace = cJSON_CreateObject();
	tree_set_text(tree_object(namespace, "metadata"), "name", name);
	write_seed(store, resource, namespace);
}

/* A Pod unless it says what it is; 0, or -EINVAL and why. */
static int seed(struct store *store, const cJSON *item, const char **ret_why)
{
	const struct resource *resource = resource_find("", "v1", "pods");
	_tree_ cJSON *object = cJSON_IsObject(item) ? cJSON_Duplicate(item, true) : NULL;
	const char *kind = tree_text(item, "kind"), *api_version = tree_text(item, "apiVersion");
	cJSON *meta;

	if (kind[0])
		resource = resource_of_kind(api_version[0] ? api_version : "v1", kind);
	*ret_why = "an item is no object of a kind that is known, or has no metadata.name";
	if (!object || !resource || !tree_text(item, "metadata.name")[0] ||
	    strlen(tree_text(item, "metadata.name")) >= TARGET_MAX ||
	    strlen(tree_text(item, "metadata.namespace")) >= TARGET_MAX)
		return -EINVAL;
	meta = tree_object(object, "metadata");
	if (resource->namespaced && !tree_text(meta, "namespace")[0])
		tree_set_text(meta, "namespace", "default");
	if (resource->namespaced)
		ensure_namespace(store, tree_text(meta, "namespace"));
	write_seed(store, resource, TAKE_PTR(object));
	return 0;
}

static void serve_seed(struct request *request, const cJSON *tree, struct answer *answer)
{
	const cJSON *items = tree_at(tree, "items"), *item;
	const char *why;

	if (!cJSON_IsArray(items)) {
		refuse(answer, "the body has to be {\"items\":[…]}");
		return;
	}
	cJSON_ArrayForEach(item, items)
	{
		if (seed(&request->server->store, item, &why) < 0) {
			refuse(answer, why);
			return;
		}
	}
	done(answer);
}

static void serve_requests(struct request *request, struct answer *answer)
{
	_tree_ cJSON *tree = NULL;

	if (strcmp(request->method, "DELETE") == 0) {
		journal_clear(&request->server->journal);
		done(answer);
		return;
	}
	tree = journal_tree(&request->server->journal);
	answer_tree(answer, 200, tree);
}

static void serve_storm(struct request *request, const cJSON *tree, struct answer *answer)
{
	char why[WHY_MAX];

	if (storm_begin(request->server, tree, why) < 0)
		refuse(answer, why);
	else
		done(answer);
}

static void serve_state(struct request *request, struct answer *answer)
{
	struct server *server = request->server;
	_tree_ cJSON *tree = cJSON_CreateObject();
	cJSON *objects, *watches, *storm;

	cJSON_AddNumberToObject(tree, "resource_version", (double)server->store.rv);
	objects = cJSON_AddObjectToObject(tree, "objects");
	for (size_t i = 0; i < n_resources; i++) {
		char name[RESOURCE_API_VERSION_MAX];

		resource_qualified(&resources[i], resources[i].plural, name);
		cJSON_AddNumberToObject(objects, name, (double)server->store.shelves[i].n);
	}
	watches = cJSON_AddArrayToObject(tree, "watches");
	for (const struct watch *w = server->watches; w; w = w->next) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "uri", w->uri);
		cJSON_AddNumberToObject(one, "events", (double)w->n_events);
		cJSON_AddItemToArray(watches, one);
	}
	storm = cJSON_AddObjectToObject(tree, "storm");
	cJSON_AddBoolToObject(storm, "running", server->storm.running);
	cJSON_AddNumberToObject(storm, "events", (double)server->storm.made);
	answer_tree(answer, 200, tree);
}

void control_serve(struct request *request, struct answer *answer)
{
	const char *what = request->path + sizeof("/fake/") - 1;
	bool reads = strcmp(request->method, "GET") == 0;
	_tree_ cJSON *tree = NULL;

	if (request->body.len > 0) {
		tree = tree_parse(request->body.text, request->body.len);
		if (!cJSON_IsObject(tree)) {
			refuse(answer, "the body is no JSON object");
			return;
		}
	}
	if (strcmp(what, "fault") == 0 && !reads)
		serve_fault(request, tree, answer);
	else if (strcmp(what, "expire") == 0 && !reads)
		serve_expire(request, tree, answer);
	else if (strcmp(what, "seed") == 0 && !reads)
		serve_seed(request, tree, answer);
	else if (strcmp(what, "requests") == 0)
		serve_requests(request, answer);
	else if (strcmp(what, "storm") == 0 && !reads)
		serve_storm(request, tree, answer);
	else if (strcmp(what, "state") == 0 && reads)
		serve_state(request, answer);
	else
		refuse(answer, "no such control; POST fault, expire, storm, seed; DELETE fault, "
			       "requests; GET requests, state");
}
