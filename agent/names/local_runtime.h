/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local runtime: what containerd, CRI-O, docker, podman and nerdctl keep in files about a
 * container, by its id.
 */
#ifndef PODJOULE_LOCAL_RUNTIME_H
#define PODJOULE_LOCAL_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names/local_text.h"
#include "names/pod.h"

struct runtime_facts {
	/* "" for a container that is in no pod, and where an old runtime does not say. */
	char uid[TEXT_MAX_UID + 1];
	char namespace[TEXT_MAX_LABEL + 1];
	char pod[TEXT_MAX_SUBDOMAIN + 1];
	char container[POD_MAX_TEXT + 1]; /* "" for a sandbox, and when the file does not say */
	enum container_role role;
	uint32_t cpu_milli; /* what was asked for, from the CPU shares; 0: nothing */
};

/*
 * Pure.  0, -EBADMSG: no JSON object, or what names it is no name.  A file that names nothing is
 * fine and leaves everything "".
 */
int runtime_parse_oci(const char *json, size_t len, struct runtime_facts *ret); /* config.json */
int runtime_parse_docker(const char *json, size_t len, struct runtime_facts *ret);
/* containers.json of containers/storage (podman): only the container's name. */
int runtime_parse_storage(const char *json, size_t len, const char *id, struct runtime_facts *ret);
/* Does it say who it is? */
bool runtime_is_named(const struct runtime_facts *facts);

/*
 * Look through the files of all runtimes below root_fd.  0, -EINVAL: this is no id, -ENOENT:
 * nobody knows it, -ENODATA: it has no name, -EBADMSG: garbage, else what hindered us.
 */
int runtime_find(int root_fd, const char *id, struct runtime_facts *ret);
/* Has any runtime a directory here that we may look into? */
bool runtime_is_here(int root_fd);

#endif
