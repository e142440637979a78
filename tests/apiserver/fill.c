/* SPDX-License-Identifier: Apache-2.0 */
/* What the real server fills into new objects. */
#include <stdio.h>
#include <string.h>

#include "apiserver/rules.h"
#include "apiserver/tree.h"

static void default_text(cJSON *object, const char *key, const char *value)
{
	if (!cJSON_GetObjectItemCaseSensitive(object, key))
		cJSON_AddStringToObject(object, key, value);
}

static void default_number(cJSON *object, const char *key, double value)
{
	if (!cJSON_GetObjectItemCaseSensitive(object, key))
		cJSON_AddNumberToObject(object, key, value);
}

static bool is_empty(const cJSON *object)
{
	return !object || !object->child;
}

/* What a container asks for; a limit alone is a request too. */
static const cJSON *request_of(const cJSON *container, const char *what)
{
	const cJSON *request =
		cJSON_GetObjectItemCaseSensitive(tree_at(container, "resources.requests"), what);

	return request ? request
		       : cJSON_GetObjectItemCaseSensitive(tree_at(container, "resources.limits"),
							  what);
}

static const char *qos_class(const cJSON *spec)
{
	static const char *const what[] = { "cpu", "memory" };
	const cJSON *containers = tree_at(spec, "containers"), *container;
	bool best_effort = true, guaranteed = !is_empty(containers);

	cJSON_ArrayForEach(container, containers)
	{
		const cJSON *limits = tree_at(container, "resources.limits");

		best_effort = best_effort && is_empty(limits) &&
			      is_empty(tree_at(container, "resources.requests"));
		for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
			const cJSON *limit = cJSON_GetObjectItemCaseSensitive(limits, what[i]);

			guaranteed = guaranteed && limit &&
				     tree_same(limit, request_of(container, what[i]));
		}
	}
	return best_effort ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

static void add_toleration(cJSON *list, const char *key)
{
	cJSON *toleration = cJSON_CreateObject();

	cJSON_AddStringToObject(toleration, "key", key);
	cJSON_AddStringToObject(toleration, "operator", "Exists");
	cJSON_AddStringToObject(toleration, "effect", "NoExecute");
	cJSON_AddNumberToObject(toleration, "tolerationSeconds", 300);
	cJSON_AddItemToArray(list, toleration);
}

static void fill_pod(cJSON *pod)
{
	cJSON *spec = tree_object(pod, "spec"), *status = tree_object(pod, "status");
	cJSON *container;

	cJSON_ArrayForEach(container, tree_at(spec, "containers"))
	{
		if (!cJSON_IsObject(container))
			continue;
		tree_object(container, "resources");
		default_text(container, "terminationMessagePath", "/dev/termination-log");
		default_text(container, "terminationMessagePolicy", "File");
		default_text(container, "imagePullPolicy", "IfNotPresent");
	}
	default_text(spec, "restartPolicy", "Always");
	default_number(spec, "terminationGracePeriodSeconds", 30);
	default_text(spec, "dnsPolicy", "ClusterFirst");
	default_text(spec, "serviceAccountName", "default");
	default_text(spec, "serviceAccount", tree_text(spec, "serviceAccountName"));
	tree_object(spec, "securityContext");
	default_text(spec, "schedulerName", "default-scheduler");
	if (!tree_at(spec, "tolerations")) {
		cJSON *list = cJSON_AddArrayToObject(spec, "tolerations");

		add_toleration(list, "node.kubernetes.io/not-ready");
		add_toleration(list, "node.kubernetes.io/unreachable");
	}
	default_number(spec, "priority", 0);
	default_text(spec, "preemptionPolicy", "PreemptLowerPriority");
	default_text(status, "phase", "Pending");
	default_text(status, "qosClass", qos_class(spec));
}

static void fill_node(cJSON *node)
{
	cJSON *spec = tree_object(node, "spec"), *taints, *taint;

	tree_object(node, "status");
	if (tree_at(spec, "taints"))
		return;
	taints = cJSON_AddArrayToObject(spec, "taints");
	taint = cJSON_CreateObject();
	cJSON_AddStringToObject(taint, "key", "node.kubernetes.io/not-ready");
	cJSON_AddStringToObject(taint, "effect", "NoSchedule");
	cJSON_AddItemToArray(taints, taint);
}

static void fill_namespace(cJSON *namespace)
{
	cJSON *labels = tree_object(tree_object(namespace, "metadata"), "labels");
	cJSON *spec = tree_object(namespace, "spec");

	default_text(labels, "kubernetes.io/metadata.name", tree_text(namespace, "metadata.name"));
	if (!tree_at(spec, "finalizers"))
		cJSON_AddItemToArray(cJSON_AddArrayToObject(spec, "finalizers"),
				     cJSON_CreateString("kubernetes"));
	default_text(tree_object(namespace, "status"), "phase", "Active");
}

static void fill_work(cJSON *work)
{
	cJSON *config;

	cJSON_ArrayForEach(config, tree_at(work, "spec.manifestConfigs"))
	{
		if (cJSON_IsObject(config))
			default_text(config, "feedbackScrapeType", "Poll");
	}
}

static void fill_event(cJSON *event)
{
	tree_object(event, "deprecatedSource");
	if (!tree_at(event, "deprecatedFirstTimestamp"))
		cJSON_AddNullToObject(event, "deprecatedFirstTimestamp");
	if (!tree_at(event, "deprecatedLastTimestamp"))
		cJSON_AddNullToObject(event, "deprecatedLastTimestamp");
}

void rules_fill(const struct resource *resource, cJSON *object)
{
	if (strcmp(resource->kind, "Pod") == 0)
		fill_pod(object);
	else if (strcmp(resource->kind, "Node") == 0)
		fill_node(object);
	else if (strcmp(resource->kind, "Namespace") == 0)
		fill_namespace(object);
	else if (strcmp(resource->kind, "ManifestWork") == 0)
		fill_work(object);
	else if (strcmp(resource->kind, "ManagedCluster") == 0 && tree_at(object, "spec"))
		default_number(tree_object(object, "spec"), "leaseDurationSeconds", 60);
	else if (strcmp(resource->group, "events.k8s.io") == 0)
		fill_event(object);
}
