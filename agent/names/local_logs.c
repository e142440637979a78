/* SPDX-License-Identifier: Apache-2.0 */
#include "names/local_logs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "platform/scope.h"

#define SUFFIX ".log"

static void copy(char *ret, const char *text, size_t len)
{
	memcpy(ret, text, len);
	ret[len] = '\0';
}

static int parse_pod(const char *entry, size_t len, struct log_pod *ret)
{
	const char *end = entry + len, *name, *uid;

	name = memchr(entry, '_', len);
	if (!name)
		return -EINVAL;
	name++;
	uid = memchr(name, '_', (size_t)(end - name));
	if (!uid)
		return -EINVAL;
	uid++;
	if (!text_is_label(entry, (size_t)(name - 1 - entry)) ||
	    !text_is_subdomain(name, (size_t)(uid - 1 - name)) ||
	    !text_is_uid(uid, (size_t)(end - uid)))
		return -EINVAL;

	copy(ret->namespace, entry, (size_t)(name - 1 - entry));
	copy(ret->name, name, (size_t)(uid - 1 - name));
	copy(ret->uid, uid, (size_t)(end - uid));
	return 0;
}

int log_pod_parse(const char *entry, struct log_pod *ret)
{
	return parse_pod(entry, strlen(entry), ret);
}

int log_pod_format(const struct log_pod *pod, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s_%s_%s", pod->namespace, pod->name, pod->uid);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* The length without ".log"; 0 when it does not end so. */
static size_t stem_of(const char *entry)
{
	size_t len = strlen(entry), suffix = strlen(SUFFIX);

	if (len <= suffix || len > LOG_MAX_NAME || memcmp(entry + len - suffix, SUFFIX, suffix))
		return 0;
	return len - suffix;
}

int log_name_parse(const char *entry, struct log_link *ret)
{
	size_t stem = stem_of(entry);
	const char *namespace, *container, *id;

	/* The shortest: p_n_c-ID. */
	if (stem < LOG_ID_LEN + 6)
		return -EINVAL;
	id = entry + stem - LOG_ID_LEN;
	namespace = memchr(entry, '_', stem);
	container = namespace ? memchr(namespace + 1, '_', stem - (size_t)(namespace + 1 - entry))
			      : NULL;
	if (!container || ++container >= id || id[-1] != '-' || !text_is_hex(id, LOG_ID_LEN))
		return -EINVAL;
	namespace ++;
	if (!text_is_subdomain(entry, (size_t)(namespace - 1 - entry)) ||
	    !text_is_label(namespace, (size_t)(container - 1 - namespace)) ||
	    !text_is_label(container, (size_t)(id - 1 - container)))
		return -EINVAL;

	copy(ret->pod.name, entry, (size_t)(namespace - 1 - entry));
	copy(ret->pod.namespace, namespace, (size_t)(container - 1 - namespace));
	copy(ret->container, container, (size_t)(id - 1 - container));
	copy(ret->id, id, LOG_ID_LEN);
	ret->pod.uid[0] = '\0';
	return 0;
}

/* "/var/log/pods/ENTRY/CONTAINER/7.log": the pod and the container. */
static int parse_target(const char *target, struct log_link *ret)
{
	static const char start[] = "/" LOG_PODS "/";
	const char *entry = target + strlen(start), *container, *file;
	size_t len, digits;

	if (strncmp(target, start, strlen(start)))
		return -EINVAL;
	container = strchr(entry, '/');
	file = container ? strchr(++container, '/') : NULL;
	if (!file)
		return -EINVAL;
	len = (size_t)(file++ - container);
	digits = strspn(file, "0123456789");
	if (!digits || strcmp(file + digits, SUFFIX) || !text_is_label(container, len) ||
	    parse_pod(entry, (size_t)(container - 1 - entry), &ret->pod) < 0)
		return -EINVAL;
	copy(ret->container, container, len);
	return 0;
}

int log_link_parse(const char *entry, const char *target, struct log_link *ret)
{
	char start[TEXT_MAX_SUBDOMAIN + 2 * TEXT_MAX_LABEL + 4];
	size_t stem = stem_of(entry), len, rest;
	struct log_link link = { .id = "" };

	if (!stem || parse_target(target, &link) < 0)
		return -EINVAL;
	len = (size_t)snprintf(start, sizeof(start), "%s_%s_%s-", link.pod.name, link.pod.namespace,
			       link.container);
	rest = stem > len ? stem - len : 0;
	if (memcmp(entry, start, MIN(stem, len)) || !text_is_hex(entry + len, rest))
		return -EINVAL;
	if (rest == LOG_ID_LEN)
		copy(link.id, entry + len, rest);
	else if (rest > LOG_ID_LEN || stem != LOG_MAX_NAME - strlen(SUFFIX))
		return -EINVAL;

	*ret = link;
	return 0;
}

void log_link_format(const struct log_link *link, char *buf, size_t size)
{
	char stem[LOG_MAX_NAME - sizeof(SUFFIX) + 2];

	/* What does not fit the name of a file is cut before the suffix. */
	if (snprintf(stem, sizeof(stem), "%s_%s_%s-%s", link->pod.name, link->pod.namespace,
		     link->container, link->id) < 0)
		stem[0] = '\0';
	snprintf(buf, size, "%s" SUFFIX, stem);
}
