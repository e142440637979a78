/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local logs: what the kubelet's log directories say by their names alone.
 *
 *   /var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTART.log
 *   /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log -> the above
 *
 * Pure: whoever calls has read the directory and the link's text.
 */
#ifndef PODJOULE_LOCAL_LOGS_H
#define PODJOULE_LOCAL_LOGS_H

#include <stddef.h>

#include "names/local_text.h"

#define LOG_PODS       "var/log/pods"
#define LOG_CONTAINERS "var/log/containers"
#define LOG_ID_LEN     64
#define LOG_MAX_NAME   255 /* of a link: where the kubelet cuts */
#define LOG_MAX_TARGET 512 /* longer than any link's text that is right */

struct log_pod {
	char namespace[TEXT_MAX_LABEL + 1];
	char name[TEXT_MAX_SUBDOMAIN + 1];
	char uid[TEXT_MAX_UID + 1];
};

struct log_link {
	struct log_pod pod;
	char container[TEXT_MAX_LABEL + 1];
	char id[LOG_ID_LEN + 1]; /* "": the kubelet has cut it off */
};

/* The name of a directory in /var/log/pods.  0 or -EINVAL. */
int log_pod_parse(const char *entry, struct log_pod *ret);
/* And back; -ENAMETOOLONG when it does not fit. */
int log_pod_format(const struct log_pod *pod, char *buf, size_t size);

/* The name of a link in /var/log/containers that was not cut; the pod's uid stays "".  0 or
 * -EINVAL. */
int log_name_parse(const char *entry, struct log_link *ret);
/* The same with what the link says: it must be about the same container.  Of a name that was cut
 * only the id is lost.  0 or -EINVAL. */
int log_link_parse(const char *entry, const char *target, struct log_link *ret);
/* The name of the link, as the kubelet makes it: cut where it is too long.  The id must be known;
 * buf has LOG_MAX_NAME + 1 bytes at least. */
void log_link_format(const struct log_link *link, char *buf, size_t size);

#endif
