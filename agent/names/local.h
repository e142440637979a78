/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local: names of pods and containers from the node's own files: the kubelet's log directories,
 * and what container runtimes keep.  No API, no permission but to read.
 */
#ifndef PODJOULE_LOCAL_H
#define PODJOULE_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include "names/mailbox.h"
#include "platform/loop.h"

struct local;

struct local_config {
	int root_fd; /* the host's root directory */
	uint32_t max_pods;
};

/* 0 also when nothing is there yet: directories may appear later. */
int local_open(struct loop *loop, const struct local_config *config, struct mailbox *mailbox,
	       struct local **ret);
/* Is there anything to read names from on this node? */
bool local_usable(const struct local *local);
/* The sampler has met this container and nobody has named it: look into the runtimes' files.
 * pod_uid "" for a container without a pod. */
void local_ask(struct local *local, const char *container_id, const char *pod_uid);
void local_close(struct local *local); /* NULL is fine */

#endif
