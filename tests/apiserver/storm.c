/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/storm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/server.h"
#include "apiserver/tree.h"
#include "apiserver/verbs.h"

#define NS_PER_S    1000000000ull
#define WHY_MAX     128
#define PODS_MAX    5000
#define RATE_MAX    100000
#define SECONDS_MAX 3600
#define NAMESPACE   "storm"
/* At most so many in one tick: requests want to be served too. */
#define BATCH_EVENTS 2000

static int number(const cJSON *tree, const char *key, uint64_t fallback, uint64_t max,
		  uint64_t *ret, char *ret_why)
{
	const cJSON *value = tree_at(tree, key);

	*ret = fallback;
	if (!value)
		return 0;
	if (!cJSON_IsNumber(value) ||
	    !(value->valuedouble >= 1 && value->valuedouble <= (double)max)) {
		snprintf(ret_why, WHY_MAX, "\"%s\" has to be 1 … %" PRIu64, key, max);
		return -EINVAL;
	}
	*ret = (uint64_t)value->valuedouble;
	return 0;
}

void storm_end(struct storm *storm)
{
	free(storm->pods);
	storm->pods = NULL;
	storm->n_pods = 0;
	storm->running = false;
}

static void container_id(char *ret, size_t size)
{
	char a[37], b[37], hex[80];
	size_t n = 0;

	tree_uuid(a);
	tree_uuid(b);
	for (const char *half = a; half; half = half == a ? b : NULL)
		for (const char *c = half; *c; c++)
			if (*c != '-')
				hex[n++] = *c;
	hex[n] = '\0';
	snprintf(ret, size, "containerd://%s", hex);
}

/* A running pod with one container, as a kubelet would have reported it. */
static cJSON *new_pod(const char *node, uint64_t index)
{
	cJSON *pod = cJSON_CreateObject(), *meta = tree_object(pod, "metadata");
	cJSON *spec = tree_object(pod, "spec"), *status = tree_object(pod, "status");
	cJSON *container = cJSON_CreateObject(), *state = cJSON_CreateObject();
	char name[64], id[96], stamp[32];

	snprintf(name, sizeof(name), "storm-%" PRIu64, index);
	tree_set_text(meta, "name", name);
	tree_set_text(meta, "namespace", NAMESPACE);
	tree_set_text(tree_object(meta, "labels"), "app", "storm");
	tree_set_text(spec, "nodeName", node);
	cJSON_AddStringToObject(container, "name", "main");
	cJSON_AddStringToObject(container, "image", "example.invalid/storm:1");
	cJSON_AddItemToArray(cJSON_AddArrayToObject(spec, "containers"), container);
	cJSON_AddStringToObject(status, "phase", "Running");
	cJSON_AddStringToObject(state, "name", "main");
	cJSON_AddBoolToObject(state, "ready", true);
	cJSON_AddNumberToObject(state, "restartCount", 0);
	container_id(id, sizeof(id));
	cJSON_AddStringToObject(state, "containerID", id);
	tree_stamp(stamp, sizeof(stamp), 0);
	tree_set_text(tree_object(tree_object(state, "state"), "running"), "startedAt", stamp);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(status, "containerStatuses"), state);
	return pod;
}

static bool on_node(const struct version *version, const char *node)
{
	const cJSON *field = cJSON_GetObjectItemCaseSensitive(version->fields, "spec.nodeName");

	return strcmp(cJSON_GetStringValue(field), node) == 0;
}

static void note_pod(struct storm *storm, const struct version *version)
{
	char(*pod)[256] = storm->pods[storm->n_pods++];

	snprintf(pod[0], sizeof(pod[0]), "%s", version->namespace);
	snprintf(pod[1], sizeof(pod[1]), "%s", version->name);
}

static void gather_pods(struct server *server, const char *node, uint64_t wanted)
{
	const struct resource *pods = resource_find("", "v1", "pods");
	const struct resource *namespaces = resource_find("", "v1", "namespaces");
	const struct shelf *shelf = store_shelf(&server->store, pods);
	struct storm *storm = &server->storm;

	storm->pods = tree_alloc(wanted * sizeof(storm->pods[0]));
	for (size_t i = 0; i < shelf->n && storm->n_pods < wanted; i++)
		if (on_node(shelf->items[i], node))
			note_pod(storm, shelf->items[i]);
	if (storm->n_pods < wanted && !store_get(&server->store, namespaces, "", NAMESPACE)) {
		cJSON *namespace = cJSON_CreateObject();

		tree_set_text(tree_object(namespace, "metadata"), "name", NAMESPACE);
		write_seed(&server->store, namespaces, namespace);
	}
	for (uint64_t index = 0; storm->n_pods < wanted; index++) {
		char name[64];

		snprintf(name, sizeof(name), "storm-%" PRIu64, index);
		if (!store_get(&server->store, pods, NAMESPACE, name))
			note_pod(storm, write_seed(&server->store, pods, new_pod(node, index)));
	}
}

int storm_begin(struct server *server, const cJSON *tree, char *ret_why)
{
	struct storm *storm = &server->storm;
	uint64_t rate, seconds, pods;
	const char *node = tree_text(tree, "node");

	if (number(tree, "events_per_second", 1000, RATE_MAX, &rate, ret_why) < 0 ||
	    number(tree, "seconds", 1, SECONDS_MAX, &seconds, ret_why) < 0 ||
	    number(tree, "pods", 1, PODS_MAX, &pods, ret_why) < 0)
		return -EINVAL;
	if (!node[0]) {
		snprintf(ret_why, WHY_MAX, "\"node\" is missing");
		return -EINVAL;
	}
	storm_end(storm);
	storm->restart = cJSON_IsTrue(tree_at(tree, "restart"));
	storm->rate = rate;
	storm->total = rate * seconds;
	storm->made = 0;
	gather_pods(server, node, pods);
	storm->begun_ns = host_monotonic_ns();
	storm->running = true;
	return 0;
}

/* The n-th change of all; a pod that is gone meanwhile is passed over. */
static void change_one(struct server *server, uint64_t n)
{
	struct storm *storm = &server->storm;
	const struct resource *pods = resource_find("", "v1", "pods");
	char(*pod)[256] = storm->pods[n % storm->n_pods];
	struct version *version = store_get(&server->store, pods, pod[0], pod[1]);
	cJSON *object, *state, *count;
	char text[96];

	if (!version)
		return;
	object = version_tree(version);
	state = cJSON_GetArrayItem(tree_at(object, "status.containerStatuses"), 0);
	if (storm->restart && cJSON_IsObject(state)) {
		container_id(text, sizeof(text));
		tree_set_text(state, "containerID", text);
		count = tree_at(state, "restartCount");
		tree_set(state, "restartCount",
			 cJSON_CreateNumber(cJSON_IsNumber(count) ? count->valuedouble + 1 : 1));
	} else {
		snprintf(text, sizeof(text), "%" PRIu64, n);
		tree_set_text(tree_object(tree_object(object, "metadata"), "annotations"),
			      "storm.example/event", text);
	}
	store_put(&server->store, pods, object);
}

void storm_tick(struct server *server, uint64_t now_ns)
{
	struct storm *storm = &server->storm;
	uint64_t due, batch = 0;

	if (!storm->running)
		return;
	due = (now_ns - storm->begun_ns) / 1000 * storm->rate / 1000000;
	due = MIN(due, storm->total);
	for (; storm->made < due && batch < BATCH_EVENTS; batch++)
		change_one(server, storm->made++);
	if (storm->made == storm->total)
		storm_end(storm);
}
