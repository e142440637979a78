/* SPDX-License-Identifier: Apache-2.0 */
/* Function: what the labels of a pod say about a FaaS platform.  Pure. */
#ifndef PODJOULE_FUNCTION_H
#define PODJOULE_FUNCTION_H

#include "names/pod.h"

/* The value of a label, or NULL. */
typedef const char *(*label_lookup)(const void *ctx, const char *key);

/*
 * Knative: serving.knative.dev/service and /revision.  OpenWhisk: openwhisk/action and
 * openwhisk/namespace, which come at /init; before, *ret_prewarm is true (user-action-pod,
 * invoker). namespace is the pod's.  Strings are borrowed.  A label that is empty counts as none; a
 * pod with the labels of both is Knative's.
 */
struct function function_of(label_lookup label, const void *ctx, const char *namespace,
			    bool *ret_prewarm);

#endif
