/* SPDX-License-Identifier: Apache-2.0 */
/* Path: what a cgroup path says about its owner (containers, pods, units, VMs).  Pure. */
#ifndef PODJOULE_PATH_H
#define PODJOULE_PATH_H

#include <stdbool.h>
#include <stddef.h>

enum path_class { PATH_SYSTEM, PATH_CONTAINER, PATH_POD, PATH_VM };
enum path_qos { QOS_NONE, QOS_GUARANTEED, QOS_BURSTABLE, QOS_BESTEFFORT };

#define PATH_MAX_ID   128
#define PATH_MAX_UNIT 256

struct path_name {
	enum path_class class;
	enum path_qos qos;
	char runtime[24];                 /* "containerd", "crio", "docker", "podman", …; "" */
	char container_id[PATH_MAX_ID];   /* deepest match; "" when the path names none */
	char pod_uid[40];                 /* with dashes, or 32 hex of a static pod; "" */
	char node_container[PATH_MAX_ID]; /* outermost container around it (kind, minikube); "" */
	char vm[PATH_MAX_UNIT];           /* libvirt machine name, decoded; "" */
	char vm_uuid[40];                 /* never in a path; from the command line; "" */
	char unit[PATH_MAX_UNIT];         /* systemd unit, else the path; "/" for the root */
};

/* Read a cgroup path (relative to its hierarchy, or a /proc/PID/cgroup line).  Never fails. */
void path_parse(const char *path, struct path_name *ret);
const char *path_qos_name(enum path_qos qos);

#endif
