/* SPDX-License-Identifier: Apache-2.0 */
/* Resource: the kinds of objects that this API server knows, one row each.  Pure. */
#ifndef FAKE_APISERVER_RESOURCE_H
#define FAKE_APISERVER_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>

#define RESOURCE_API_VERSION_MAX 128

struct resource {
	const char *group; /* "" is the core group */
	const char *version;
	const char *plural;
	const char *singular;
	const char *kind;
	const char *short_name; /* NULL: none */
	/* Field labels beside metadata.name and metadata.namespace; NULL-terminated, or NULL. */
	const char *const *fields;
	bool namespaced;
	bool status;      /* has the subresource, so that a status elsewhere is dropped */
	bool keep_status; /* … but not in a create, as a kubelet makes its Node */
	bool custom;      /* defined by a CRD: other key order, other rules for patches */
	bool strict_rv;   /* a PUT must name a resourceVersion */
	bool generation;  /* counts changes of what is neither metadata nor status */
};

extern const struct resource resources[];
extern const size_t n_resources;

/* NULL when there is none.  api_version is "v1" or "group/version". */
const struct resource *resource_find(const char *group, const char *version, const char *plural);
const struct resource *resource_of_kind(const char *api_version, const char *kind);
size_t resource_index(const struct resource *resource);
bool resource_group_known(const char *group, const char *version);
/* "v1" or "apps/v1" into a buffer of RESOURCE_API_VERSION_MAX bytes. */
void resource_api_version(const struct resource *resource, char *ret);
/* "pods" or "leases.coordination.k8s.io"; "Pod" or "ManifestWork.work.…": the same size. */
void resource_qualified(const struct resource *resource, const char *word, char *ret);

#endif
