/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE of one object and of many. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/tree.h"
#include "apiserver/verbs.h"
#include "platform/parse.h"

#define DEFAULT_GRACE_S 30

static bool is_pod(const struct resource *resource)
{
	return strcmp(resource->kind, "Pod") == 0;
}

static void empty_namespace(struct server *server, const char *namespace)
{
	for (size_t i = 0; i < n_resources; i++) {
		struct shelf *shelf = store_shelf(&server->store, &resources[i]);
		size_t k = shelf->n;

		while (resources[i].namespaced && k-- > 0) {
			struct version *gone = NULL;

			if (strcmp(shelf->items[k]->namespace, namespace) == 0)
				gone = store_remove(&server->store, shelf->items[k]);
			version_put(&gone);
		}
	}
}

struct version *write_remove(struct server *server, struct version *version)
{
	if (strcmp(version->resource->kind, "Namespace") == 0)
		empty_namespace(server, version->name);
	return store_remove(&server->store, version);
}

/* -1: nobody said. */
static int64_t asked_grace(const struct request *request, const cJSON *options)
{
	const cJSON *grace = tree_at(options, "gracePeriodSeconds");
	const char *text = request_query(request, "gracePeriodSeconds");
	uint64_t seconds;

	if (cJSON_IsNumber(grace) && grace->valuedouble >= 0 && grace->valuedouble < 1e9)
		return (int64_t)grace->valuedouble;
	if (text && parse_u64(text, &seconds) == 0 && seconds < 1000000000)
		return (int64_t)seconds;
	return -1;
}

/* A kubelet has to end what it runs; everybody else's pods go at once. */
static int64_t pod_grace(const cJSON *pod, int64_t asked)
{
	const cJSON *own = tree_at(pod, "spec.terminationGracePeriodSeconds");
	const char *phase = tree_text(pod, "status.phase");

	if (!tree_text(pod, "spec.nodeName")[0] || strcmp(phase, "Succeeded") == 0 ||
	    strcmp(phase, "Failed") == 0)
		return 0;
	if (asked >= 0)
		return asked;
	return cJSON_IsNumber(own) ? (int64_t)own->valuedouble : DEFAULT_GRACE_S;
}

static void mark(cJSON *meta, int64_t grace_s)
{
	char stamp[32];

	tree_stamp(stamp, sizeof(stamp), grace_s);
	tree_set_text(meta, "deletionTimestamp", stamp);
	tree_set(meta, "deletionGracePeriodSeconds", cJSON_CreateNumber((double)grace_s));
}

/* The object's last or next state, with a reference; *ret_gone: without a trace. */
static struct version *end_object(struct server *server, struct version *version, int64_t asked,
				  bool *ret_gone)
{
	const struct resource *resource = version->resource;
	_tree_ cJSON *object = version_tree(version);
	cJSON *meta = tree_object(object, "metadata");
	const cJSON *had = tree_at(meta, "deletionGracePeriodSeconds");
	const cJSON *generation = tree_at(meta, "generation");
	bool held = cJSON_GetArraySize(tree_at(meta, "finalizers")) > 0;
	int64_t grace = is_pod(resource) ? pod_grace(object, asked) : 0;

	*ret_gone = false;
	if (!is_pod(resource) && !held) {
		*ret_gone = true;
		return write_remove(server, version);
	}
	if (had && (held || grace > 0) && (double)grace >= had->valuedouble)
		return version_get(version);
	mark(meta, grace);
	if (resource->generation && cJSON_IsNumber(generation))
		tree_set(meta, "generation", cJSON_CreateNumber(generation->valuedouble + 1));
	version = store_put(&server->store, resource, TAKE_PTR(object));
	if (grace > 0 || held)
		return version_get(version);
	return write_remove(server, version);
}

/* 0, or -EINVAL: the object is not the one that the client means. */
static int check_preconditions(const cJSON *options, const struct version *version,
			       struct answer *answer)
{
	const char *uid = tree_text(options, "preconditions.uid");
	const char *rv = tree_text(options, "preconditions.resourceVersion");
	_tree_ cJSON *object = version_tree(version);
	const char *own_uid = tree_text(object, "metadata.uid");
	const char *own_rv = tree_text(object, "metadata.resourceVersion");

	if (uid[0] && strcmp(uid, own_uid) != 0) {
		status_fail(answer, 409, "Conflict",
			    status_details(version->resource, version->name),
			    "Operation cannot be fulfilled on %s \"%s\": the UID in the "
			    "precondition (%s) does not match the UID in record (%s). The object "
			    "might have been deleted and then recreated",
			    version->resource->kind, version->name, uid, own_uid);
		return -EINVAL;
	}
	if (rv[0] && strcmp(rv, own_rv) != 0) {
		status_fail(answer, 409, "Conflict",
			    status_details(version->resource, version->name),
			    "Operation cannot be fulfilled on %s \"%s\": the ResourceVersion in "
			    "the precondition (%s) does not match the ResourceVersion in record "
			    "(%s). The object might have been modified",
			    version->resource->kind, version->name, rv, own_rv);
		return -EINVAL;
	}
	return 0;
}

static void tell_success(const struct version *version, struct answer *answer)
{
	_tree_ cJSON *status = cJSON_CreateObject(), *object = version_tree(version);
	cJSON *details = status_details(version->resource, version->name);

	cJSON_AddStringToObject(details, "uid", tree_text(object, "metadata.uid"));
	cJSON_AddStringToObject(status, "kind", "Status");
	cJSON_AddStringToObject(status, "apiVersion", "v1");
	cJSON_AddObjectToObject(status, "metadata");
	cJSON_AddStringToObject(status, "status", "Success");
	cJSON_AddItemToObject(status, "details", details);
	answer_tree(answer, 200, status);
}

void verb_delete(struct request *request, struct answer *answer)
{
	const struct target *target = &request->target;
	struct server *server = request->server;
	_tree_ cJSON *options = NULL;
	_version_ struct version *last = NULL;
	struct version *version;
	bool gone;

	if (request->body.len > 0)
		options = tree_parse(request->body.text, request->body.len);
	if (request->body.len > 0 && !cJSON_IsObject(options)) {
		status_fail(answer, 400, "BadRequest", NULL,
			    "the body is no DeleteOptions: invalid JSON");
		return;
	}
	version = store_get(&server->store, target->resource, target->namespace, target->name);
	if (!version) {
		status_not_found(answer, target->resource, target->name);
		return;
	}
	if (check_preconditions(options, version, answer) < 0)
		return;
	if (write_is_dry(request)) {
		answer_version(answer, 200, version);
		return;
	}
	last = end_object(server, version, asked_grace(request, options), &gone);
	if (gone)
		tell_success(last, answer);
	else
		answer_version(answer, 200, last);
}

void verb_delete_all(struct request *request, struct answer *answer)
{
	const struct target *target = &request->target;
	_tree_ cJSON *options = NULL;
	struct version **items;
	size_t n;

	if (request->body.len > 0)
		options = tree_parse(request->body.text, request->body.len);
	verb_list(request, answer);
	if (answer->status != 200 || write_is_dry(request))
		return;
	store_snapshot(&request->server->store, target->resource, 0, &items, &n);
	for (size_t i = 0; i < n; i++) {
		_version_ struct version *last = NULL;
		_selector_ struct selector selector = { 0 };
		bool gone;

		if (strcmp(items[i]->namespace, target->namespace) != 0 ||
		    request_selector(request, &selector, answer) < 0 ||
		    !selector_matches(&selector, items[i]))
			continue;
		last = end_object(request->server, items[i], asked_grace(request, options), &gone);
	}
	store_snapshot_free(items, n);
}

static void already_bound(const char *name, const char *node, struct answer *answer)
{
	cJSON *details = cJSON_CreateObject();

	cJSON_AddStringToObject(details, "name", name);
	cJSON_AddStringToObject(details, "kind", "pods/binding");
	status_fail(answer, 409, "Conflict", details,
		    "Operation cannot be fulfilled on pods/binding \"%s\": pod %s is already "
		    "assigned to node \"%s\"",
		    name, name, node);
}

static void set_scheduled(cJSON *pod)
{
	cJSON *status = tree_object(pod, "status"), *conditions = tree_at(status, "conditions");
	cJSON *condition = cJSON_CreateObject();
	char stamp[32];

	if (!cJSON_IsArray(conditions)) {
		conditions = cJSON_CreateArray();
		tree_set(status, "conditions", conditions);
	}
	tree_stamp(stamp, sizeof(stamp), 0);
	cJSON_AddStringToObject(condition, "type", "PodScheduled");
	cJSON_AddStringToObject(condition, "status", "True");
	cJSON_AddNullToObject(condition, "lastProbeTime");
	cJSON_AddStringToObject(condition, "lastTransitionTime", stamp);
	cJSON_AddItemToArray(conditions, condition);
}

void verb_bind(struct request *request, struct answer *answer)
{
	const struct target *target = &request->target;
	struct store *store = &request->server->store;
	_tree_ cJSON *binding = NULL, *pod = NULL;
	struct version *version =
		store_get(store, target->resource, target->namespace, target->name);
	const char *node;

	if (!version) {
		status_not_found(answer, target->resource, target->name);
		return;
	}
	binding = request->body.len ? tree_parse(request->body.text, request->body.len) : NULL;
	node = tree_text(binding, "target.name");
	pod = version_tree(version);
	if (!node[0]) {
		status_fail(answer, 400, "BadRequest", NULL, "target.name: Required value");
		return;
	}
	if (tree_text(pod, "spec.nodeName")[0]) {
		already_bound(target->name, tree_text(pod, "spec.nodeName"), answer);
		return;
	}
	tree_set_text(tree_object(pod, "spec"), "nodeName", node);
	set_scheduled(pod);
	store_put(store, target->resource, TAKE_PTR(pod));
	answer->status = 201;
	sbuf_puts(&answer->body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
				 "\"status\":\"Success\",\"code\":201}\n");
}
