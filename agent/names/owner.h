/* SPDX-License-Identifier: Apache-2.0 */
/* Owner: the workload behind a pod.  Pure. */
#ifndef PODJOULE_OWNER_H
#define PODJOULE_OWNER_H

#include "names/pod.h"

/*
 * The workload of a pod whose controller (ownerReferences) is kind/name: the Deployment behind a
 * ReplicaSet that carries hash (label pod-template-hash), the CronJob behind a Job that it named
 * (NAME-MINUTES), else the controller itself.  kind "": no controller, the pod is its own
 * workload, and so is a static pod, which belongs to a Node.  Writes name into buf, which has
 * POD_MAX_TEXT + 1 bytes, and behind it the kind, unless that is Kubernetes' own; "other" when it
 * does not fit.  What is returned borrows from buf.
 */
struct workload owner_of(const char *kind, const char *name, const char *hash, const char *pod,
			 char *buf, size_t size);
/*
 * The same, from the pod's name alone: web-7d4b9c6f5d-x2x9k is deployment web, db-0 statefulset
 * db, backup-29412345-abcde cronjob backup, agent-x2x9k daemonset agent (a job looks the same);
 * marked as derived.  A pod that looks like none of these is its own workload.
 */
struct workload owner_guess(const char *pod, char *buf, size_t size);

#endif
