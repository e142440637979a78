/* SPDX-License-Identifier: Apache-2.0 */
/* Pod: what somebody knows of one pod.  Immutable and counted, so that threads share it. */
#ifndef PODJOULE_POD_H
#define PODJOULE_POD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names/path.h"

/* Who knows it; the first that does is believed. */
enum pod_source { POD_FROM_API, POD_FROM_LOCAL, _POD_SOURCE_MAX };

enum container_role { CONTAINER_MAIN, CONTAINER_INIT, CONTAINER_EPHEMERAL, CONTAINER_SANDBOX };

struct pod_container {
	const char *id;   /* as cgroup paths have it, without "containerd://" */
	const char *name; /* "" for a sandbox */
	enum container_role role;
	uint32_t cpu_milli; /* CPU request in thousandths of a CPU; 0: none */
};

/* Who owns a pod: deployment, statefulset, daemonset, job, cronjob, pod, … */
struct workload {
	const char *kind; /* lower case */
	const char *name;
	bool derived; /* guessed from the pod's name: nobody has told us */
};

enum function_platform { FUNCTION_NONE, FUNCTION_KNATIVE, FUNCTION_OPENWHISK };

struct function {
	enum function_platform platform;
	const char *namespace; /* Kubernetes' for Knative, OpenWhisk's own for OpenWhisk */
	const char *name, *revision;
};

struct pod {
	atomic_uint refs;
	enum pod_source source;
	/*
	 * The uid that its cgroup's path has (of a static pod's mirror: annotation config.hash), or
	 * the id of a container that is in no pod; then namespace and name are "".
	 */
	const char *key;
	const char *namespace, *name;
	struct workload workload;
	struct function function;
	bool prewarm;           /* a function platform's, without a function yet */
	const char *labels;     /* `,label_app="x"`, escaped, to go behind other labels; or "" */
	uint64_t ready_wall_ns; /* CLOCK_REALTIME since which it is ready; 0: it is not */
	bool ended;             /* phase Succeeded or Failed */
	bool all_started;       /* every container of its spec has an id in containers */
	size_t n_containers;
	const struct pod_container *containers; /* also ids of earlier starts */
};

/* A copy of like, its strings included, with one reference; NULL when out of memory.  NULL strings
 * become ""; strings are cut at POD_MAX_TEXT and never within a character, labels behind the last
 * whole one within POD_MAX_LABELS, containers at POD_MAX_CONTAINERS.  Containers whose id is empty,
 * or longer than any path's, cannot be found and are left out. */
#define POD_MAX_TEXT       253 /* the longest name that Kubernetes allows */
#define POD_MAX_LABELS     4096
#define POD_MAX_CONTAINERS 64
struct pod *pod_new(const struct pod *like);
struct pod *pod_ref(struct pod *pod); /* NULL stays NULL */
void pod_unref(struct pod *pod);      /* NULL is fine */
/* The container with that id, or NULL.  pod may be NULL. */
const struct pod_container *pod_container(const struct pod *pod, const char *id);

const char *function_platform_name(enum function_platform platform); /* "knative", …; "" */

#endif
