/* SPDX-License-Identifier: Apache-2.0 */
/* Kube pod: a v1 Pod object as the API server writes it becomes a pod as we know it.  Pure. */
#ifndef PODJOULE_KUBE_POD_H
#define PODJOULE_KUBE_POD_H

#include <stddef.h>
#include <stdint.h>

#include "names/pod.h"
#include "platform/sbuf.h"

struct cJSON;

#define KUBE_MAX_UID 63 /* a UUID has 36; an id of a container is longer, and can be no key */

/* What was read.  pod points into this struct and into the JSON: it moves nowhere. */
struct kube_pod {
	char key[KUBE_MAX_UID + 1]; /* of pod */
	char uid[KUBE_MAX_UID + 1]; /* metadata.uid; differs from key for a static pod's mirror */
	uint64_t version;           /* metadata.resourceVersion; 0: none that can be compared */
	struct pod pod;
	struct pod_container containers[POD_MAX_CONTAINERS];
	char workload[POD_MAX_TEXT + 1];
	struct sbuf labels;
};

void kube_pod_init(struct kube_pod *pod);
void kube_pod_free(struct kube_pod *pod);
/*
 * Read object; labels are keys to copy (NULL at the end; NULL: none).  What is missing or has
 * another type than it should is left out.  0, -EBADMSG (no pod: no uid, name or namespace),
 * -ENOMEM.
 */
int kube_pod_read(struct kube_pod *pod, const struct cJSON *object, const char *const *labels);
/* A number that changes when anything does that pod says. */
uint64_t kube_pod_facts(const struct kube_pod *pod);

/* Thousandths of a CPU, rounded up, of a quantity ("500m", "2", "0.5", "250000u", "1Ki"); what is
 * none, or below 0, is 0. */
uint32_t kube_cpu_milli(const char *quantity);
/* CLOCK_REALTIME of an RFC 3339 time in whole seconds; 0: it is none, or before 1970. */
uint64_t kube_time_ns(const char *text);

#endif
