/* SPDX-License-Identifier: Apache-2.0 */
#include "names/local_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "names/path.h"
#include "names/rootfs.h"
#include "platform/json.h"
#include "platform/scope.h"

#define MAX_CONFIG  (1u << 20) /* the environment of a pod in a cluster with many services */
#define MAX_STORAGE (4u << 20)
#define MAX_SHARES  262144 /* the kernel's own limit */

#define TASKS "io.containerd.runtime.v2.task/"

enum file_kind { FILE_OCI, FILE_STORAGE_OCI, FILE_DOCKER };

static const struct {
	const char *before, *behind;
	enum file_kind kind;
} files[] = {
	{ "run/containerd/" TASKS "k8s.io/", "/config.json", FILE_OCI },
	{ "run/k3s/containerd/" TASKS "k8s.io/", "/config.json", FILE_OCI },
	{ "run/k0s/containerd/" TASKS "k8s.io/", "/config.json", FILE_OCI },
	{ "var/snap/microk8s/common/run/containerd/" TASKS "k8s.io/", "/config.json", FILE_OCI },
	{ "run/containers/storage/overlay-containers/", "/userdata/config.json", FILE_STORAGE_OCI },
	{ "var/lib/containers/storage/overlay-containers/", "/userdata/config.json",
	  FILE_STORAGE_OCI },
	{ "var/lib/docker/containers/", "/config.v2.json", FILE_DOCKER },
	/* Behind docker's own file, which has the name: this has the shares. */
	{ "run/containerd/" TASKS "moby/", "/config.json", FILE_OCI },
	{ "run/containerd/" TASKS "default/", "/config.json", FILE_OCI },
};

static const char *const storages[] = {
	"run/containers/storage/overlay-containers/containers.json",
	"var/lib/containers/storage/overlay-containers/containers.json",
};

static const char *text_of(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

/* One value into a field, when it may stand there.  Absent is fine. */
static bool take(const cJSON *object, const char *key, bool (*fits)(const char *text, size_t len),
		 char *ret, size_t size)
{
	const char *text = text_of(object, key);
	size_t len = text ? strlen(text) : 0;

	if (!len)
		return true;
	if (len >= size || !fits(text, len))
		return false;
	memcpy(ret, text, len + 1);
	return true;
}

static bool is_plain_name(const char *text, size_t len)
{
	return text_is_plain(text, len, POD_MAX_TEXT);
}

struct keys {
	const char *type, *sandbox; /* the annotation that tells a sandbox, by this value */
	const char *uid, *namespace, *pod, *container;
};

static const struct keys containerd = {
	"io.kubernetes.cri.container-type", "sandbox",
	"io.kubernetes.cri.sandbox-uid",    "io.kubernetes.cri.sandbox-namespace",
	"io.kubernetes.cri.sandbox-name",   "io.kubernetes.cri.container-name",
};
static const struct keys crio = {
	"io.kubernetes.cri-o.ContainerType",
	"sandbox",
	"io.kubernetes.pod.uid",
	"io.kubernetes.pod.namespace",
	"io.kubernetes.pod.name",
	"io.kubernetes.container.name",
};
static const struct keys dockerd = {
	"io.kubernetes.docker.type", "podsandbox",
	"io.kubernetes.pod.uid",     "io.kubernetes.pod.namespace",
	"io.kubernetes.pod.name",    "io.kubernetes.container.name",
};

static int take_kubernetes(const cJSON *labels, const struct keys *keys, struct runtime_facts *ret)
{
	struct runtime_facts facts = { .role = CONTAINER_MAIN };

	if (!take(labels, keys->uid, text_is_uid, facts.uid, sizeof(facts.uid)) ||
	    !take(labels, keys->namespace, text_is_label, facts.namespace,
		  sizeof(facts.namespace)) ||
	    !take(labels, keys->pod, text_is_subdomain, facts.pod, sizeof(facts.pod)))
		return -EBADMSG;
	/* A pod is all of the three, or nothing that could be looked up. */
	if (!facts.uid[0] || !facts.namespace[0] || !facts.pod[0])
		facts.uid[0] = facts.namespace[0] = facts.pod[0] = '\0';
	if (!strcmp(text_of(labels, keys->type) ?: "", keys->sandbox))
		facts.role = CONTAINER_SANDBOX;
	else if (!take(labels, keys->container, text_is_label, facts.container,
		       sizeof(facts.container)))
		return -EBADMSG;

	*ret = facts;
	return 0;
}

/* The kubelet makes shares of a request, rounding down: rounding up gives the request again. */
static uint32_t milli_of_shares(const cJSON *shares)
{
	double value = cJSON_IsNumber(shares) ? shares->valuedouble : 0;

	if (!(value > 2 && value <= MAX_SHARES))
		return 0;
	return ((uint32_t)value * 1000 + 1023) / 1024;
}

int runtime_parse_oci(const char *json, size_t len, struct runtime_facts *ret)
{
	_json_ struct json read = { .root = NULL };
	const cJSON *root = json_read(&read, json, len) < 0 ? NULL : read.root;
	const cJSON *annotations, *cpu;
	struct runtime_facts facts = { .role = CONTAINER_MAIN };
	int r = 0;

	if (!cJSON_IsObject(root))
		return -EBADMSG;
	annotations = cJSON_GetObjectItemCaseSensitive(root, "annotations");
	if (text_of(annotations, containerd.type))
		r = take_kubernetes(annotations, &containerd, &facts);
	else if (text_of(annotations, crio.type) && text_of(annotations, crio.uid))
		r = take_kubernetes(annotations, &crio, &facts);
	else if (!take(annotations, "nerdctl/name", is_plain_name, facts.container,
		       sizeof(facts.container)))
		r = -EBADMSG;
	if (r < 0)
		return r;
	cpu = cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "linux"),
						 "resources"),
		"cpu");
	facts.cpu_milli = milli_of_shares(cJSON_GetObjectItemCaseSensitive(cpu, "shares"));

	*ret = facts;
	return 0;
}

int runtime_parse_docker(const char *json, size_t len, struct runtime_facts *ret)
{
	_json_ struct json read = { .root = NULL };
	const cJSON *root = json_read(&read, json, len) < 0 ? NULL : read.root;
	struct runtime_facts facts = { .role = CONTAINER_MAIN };
	const cJSON *labels;
	const char *name;

	if (!cJSON_IsObject(root))
		return -EBADMSG;
	labels = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "Config"),
						  "Labels");
	if (text_of(labels, dockerd.uid)) {
		if (take_kubernetes(labels, &dockerd, &facts) < 0)
			return -EBADMSG;
		*ret = facts;
		return 0;
	}

	/* "/web"; the service of a compose file where there is no name, which may not be unique. */
	name = text_of(root, "Name") ?: "";
	name += *name == '/';
	if (*name && !is_plain_name(name, strlen(name)))
		return -EBADMSG;
	memcpy(facts.container, name, strlen(name) + 1);
	if (!*name && !take(labels, "com.docker.compose.service", is_plain_name, facts.container,
			    sizeof(facts.container)))
		return -EBADMSG;

	*ret = facts;
	return 0;
}

int runtime_parse_storage(const char *json, size_t len, const char *id, struct runtime_facts *ret)
{
	_json_ struct json read = { .root = NULL };
	const cJSON *root = json_read(&read, json, len) < 0 ? NULL : read.root;
	struct runtime_facts facts = { .role = CONTAINER_MAIN };
	const cJSON *item;

	if (!cJSON_IsArray(root))
		return -EBADMSG;
	cJSON_ArrayForEach(item, root)
	{
		const cJSON *names = cJSON_GetObjectItemCaseSensitive(item, "names");
		const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(names, 0));

		if (strcmp(text_of(item, "id") ?: "", id) || !name)
			continue;
		if (!is_plain_name(name, strlen(name)))
			return -EBADMSG;
		memcpy(facts.container, name, strlen(name) + 1);
		break;
	}

	*ret = facts;
	return 0;
}

bool runtime_is_named(const struct runtime_facts *facts)
{
	return facts->container[0] || facts->role == CONTAINER_SANDBOX;
}

/* What one more file says, on top of what the others said. */
static void merge(struct runtime_facts *facts, const struct runtime_facts *more)
{
	uint32_t cpu_milli = facts->cpu_milli;

	if (!runtime_is_named(facts))
		*facts = *more;
	facts->cpu_milli = cpu_milli ? cpu_milli : more->cpu_milli;
}

static int read_file(int root_fd, size_t i, const char *id, struct runtime_facts *ret)
{
	_free_ char *json = NULL;
	char path[256];
	size_t len;
	int r;

	snprintf(path, sizeof(path), "%s%s%s", files[i].before, id, files[i].behind);
	r = rootfs_read(root_fd, path, MAX_CONFIG, &json, &len);
	if (r < 0)
		return r;
	return files[i].kind == FILE_DOCKER ? runtime_parse_docker(json, len, ret)
					    : runtime_parse_oci(json, len, ret);
}

/* Podman keeps the name apart from the rest, with those of all its containers. */
static int read_storage(int root_fd, const char *id, struct runtime_facts *ret)
{
	int result = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(storages); i++) {
		_free_ char *json = NULL;
		struct runtime_facts facts;
		size_t len;
		int r = rootfs_read(root_fd, storages[i], MAX_STORAGE, &json, &len);

		if (r == 0)
			r = runtime_parse_storage(json, len, id, &facts);
		if (r == 0 && runtime_is_named(&facts)) {
			*ret = facts;
			return 0;
		}
		if (r < 0 && r != -ENOENT && r != -ENOTDIR)
			result = r;
	}
	return result;
}

int runtime_find(int root_fd, const char *id, struct runtime_facts *ret)
{
	struct runtime_facts facts = { .role = CONTAINER_MAIN }, more;
	bool found = false, stored = false;
	int error = -ENOENT;

	if (!text_is_plain(id, strlen(id), PATH_MAX_ID - 1))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = read_file(root_fd, i, id, &more);

		if (r < 0) {
			if (r != -ENOENT && r != -ENOTDIR)
				error = r;
			continue;
		}
		found = true;
		stored = stored || files[i].kind == FILE_STORAGE_OCI;
		merge(&facts, &more);
		if (runtime_is_named(&facts) && files[i].kind != FILE_DOCKER)
			break;
	}
	if (stored && !runtime_is_named(&facts) && read_storage(root_fd, id, &more) == 0)
		merge(&facts, &more);
	if (!runtime_is_named(&facts))
		return found && error == -ENOENT ? -ENODATA : error;

	*ret = facts;
	return 0;
}

bool runtime_is_here(int root_fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_close_ int fd = -1;
		char path[256];

		/* The dot asks whether we may search it: runtimes let nobody list theirs. */
		snprintf(path, sizeof(path), "%s.", files[i].before);
		fd = rootfs_open(root_fd, path, O_PATH | O_DIRECTORY);
		if (fd >= 0)
			return true;
	}
	return false;
}
