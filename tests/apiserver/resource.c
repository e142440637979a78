/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/resource.h"

#include <stdio.h>
#include <string.h>

#include "platform/scope.h"

#define OCM "cluster.open-cluster-management.io"

static const char *const pod_fields[] = {
	"spec.nodeName",
	"spec.restartPolicy",
	"spec.schedulerName",
	"spec.serviceAccountName",
	"status.phase",
	"status.podIP",
	"status.nominatedNodeName",
	NULL,
};
static const char *const phase_fields[] = { "status.phase", NULL };
static const char *const node_fields[] = { "spec.unschedulable", NULL };
static const char *const event_fields[] = {
	"involvedObject.kind",
	"involvedObject.namespace",
	"involvedObject.name",
	"involvedObject.uid",
	"regarding.kind",
	"regarding.name",
	"reason",
	"type",
	NULL,
};

const struct resource resources[] = {
	{ .group = "",
	  .version = "v1",
	  .plural = "namespaces",
	  .singular = "namespace",
	  .kind = "Namespace",
	  .short_name = "ns",
	  .fields = phase_fields,
	  .status = true },
	{ .group = "",
	  .version = "v1",
	  .plural = "pods",
	  .singular = "pod",
	  .kind = "Pod",
	  .short_name = "po",
	  .fields = pod_fields,
	  .namespaced = true,
	  .status = true },
	{ .group = "",
	  .version = "v1",
	  .plural = "nodes",
	  .singular = "node",
	  .kind = "Node",
	  .short_name = "no",
	  .fields = node_fields,
	  .status = true,
	  .keep_status = true },
	{ .group = "",
	  .version = "v1",
	  .plural = "configmaps",
	  .singular = "configmap",
	  .kind = "ConfigMap",
	  .short_name = "cm",
	  .namespaced = true },
	{ .group = "",
	  .version = "v1",
	  .plural = "secrets",
	  .singular = "secret",
	  .kind = "Secret",
	  .namespaced = true },
	{ .group = "",
	  .version = "v1",
	  .plural = "services",
	  .singular = "service",
	  .kind = "Service",
	  .short_name = "svc",
	  .namespaced = true,
	  .status = true },
	{ .group = "",
	  .version = "v1",
	  .plural = "serviceaccounts",
	  .singular = "serviceaccount",
	  .kind = "ServiceAccount",
	  .short_name = "sa",
	  .namespaced = true },
	{ .group = "",
	  .version = "v1",
	  .plural = "events",
	  .singular = "event",
	  .kind = "Event",
	  .short_name = "ev",
	  .fields = event_fields,
	  .namespaced = true },
	{ .group = "apps",
	  .version = "v1",
	  .plural = "deployments",
	  .singular = "deployment",
	  .kind = "Deployment",
	  .short_name = "deploy",
	  .namespaced = true,
	  .status = true,
	  .generation = true },
	{ .group = "apps",
	  .version = "v1",
	  .plural = "daemonsets",
	  .singular = "daemonset",
	  .kind = "DaemonSet",
	  .short_name = "ds",
	  .namespaced = true,
	  .status = true,
	  .generation = true },
	{ .group = "apps",
	  .version = "v1",
	  .plural = "replicasets",
	  .singular = "replicaset",
	  .kind = "ReplicaSet",
	  .short_name = "rs",
	  .namespaced = true,
	  .status = true,
	  .generation = true },
	{ .group = "batch",
	  .version = "v1",
	  .plural = "jobs",
	  .singular = "job",
	  .kind = "Job",
	  .namespaced = true,
	  .status = true,
	  .generation = true },
	{ .group = "coordination.k8s.io",
	  .version = "v1",
	  .plural = "leases",
	  .singular = "lease",
	  .kind = "Lease",
	  .namespaced = true,
	  .strict_rv = true },
	{ .group = "events.k8s.io",
	  .version = "v1",
	  .plural = "events",
	  .singular = "event",
	  .kind = "Event",
	  .short_name = "ev",
	  .fields = event_fields,
	  .namespaced = true },
	{ .group = OCM,
	  .version = "v1",
	  .plural = "managedclusters",
	  .singular = "managedcluster",
	  .kind = "ManagedCluster",
	  .short_name = "mcl",
	  .status = true,
	  .custom = true,
	  .strict_rv = true,
	  .generation = true },
	{ .group = OCM,
	  .version = "v1alpha1",
	  .plural = "addonplacementscores",
	  .singular = "addonplacementscore",
	  .kind = "AddOnPlacementScore",
	  .namespaced = true,
	  .status = true,
	  .custom = true,
	  .strict_rv = true,
	  .generation = true },
	{ .group = OCM,
	  .version = "v1beta1",
	  .plural = "placements",
	  .singular = "placement",
	  .kind = "Placement",
	  .namespaced = true,
	  .status = true,
	  .custom = true,
	  .strict_rv = true,
	  .generation = true },
	{ .group = OCM,
	  .version = "v1beta1",
	  .plural = "placementdecisions",
	  .singular = "placementdecision",
	  .kind = "PlacementDecision",
	  .namespaced = true,
	  .status = true,
	  .custom = true,
	  .strict_rv = true,
	  .generation = true },
	{ .group = "work.open-cluster-management.io",
	  .version = "v1",
	  .plural = "manifestworks",
	  .singular = "manifestwork",
	  .kind = "ManifestWork",
	  .namespaced = true,
	  .status = true,
	  .custom = true,
	  .strict_rv = true,
	  .generation = true },
};

const size_t n_resources = ARRAY_SIZE(resources);

const struct resource *resource_find(const char *group, const char *version, const char *plural)
{
	for (size_t i = 0; i < n_resources; i++) {
		const struct resource *r = &resources[i];

		if (strcmp(r->group, group) == 0 && strcmp(r->version, version) == 0 &&
		    strcmp(r->plural, plural) == 0)
			return r;
	}
	return NULL;
}

const struct resource *resource_of_kind(const char *api_version, const char *kind)
{
	char mine[RESOURCE_API_VERSION_MAX];

	for (size_t i = 0; i < n_resources; i++) {
		resource_api_version(&resources[i], mine);
		if (strcmp(mine, api_version) == 0 && strcmp(resources[i].kind, kind) == 0)
			return &resources[i];
	}
	return NULL;
}

size_t resource_index(const struct resource *resource)
{
	return (size_t)(resource - resources);
}

bool resource_group_known(const char *group, const char *version)
{
	for (size_t i = 0; i < n_resources; i++)
		if (strcmp(resources[i].group, group) == 0 &&
		    (!version || strcmp(resources[i].version, version) == 0))
			return true;
	return false;
}

void resource_api_version(const struct resource *resource, char *ret)
{
	snprintf(ret, RESOURCE_API_VERSION_MAX, "%s%s%s", resource->group,
		 resource->group[0] ? "/" : "", resource->version);
}

void resource_qualified(const struct resource *resource, const char *word, char *ret)
{
	snprintf(ret, RESOURCE_API_VERSION_MAX, "%s%s%s", word, resource->group[0] ? "." : "",
		 resource->group);
}
