/* SPDX-License-Identifier: Apache-2.0 */
#include "names/kube_pod.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "names/function.h"
#include "names/owner.h"
#include "platform/parse.h"
#include "platform/scope.h"

#define FNV_START 14695981039346656037u
#define FNV_PRIME 1099511628211u

static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static const cJSON *get(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* "" where there is no string. */
static const char *get_text(const cJSON *object, const char *key)
{
	const char *text = cJSON_GetStringValue(get(object, key));

	return text ? text : "";
}

/* A list that may be null or something else: its first element. */
static const cJSON *get_first(const cJSON *object, const char *key)
{
	const cJSON *list = get(object, key);

	return cJSON_IsArray(list) ? list->child : NULL;
}

/* Whether text is made of letters, digits and the marks that are named. */
static bool is_word(const char *text, const char *marks, size_t max)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (!strchr(letters, text[i]) && !strchr(marks, text[i]))
			return false;
	return len && len <= max;
}

void kube_pod_init(struct kube_pod *pod)
{
	memset(pod, 0, sizeof(*pod));
	pod->labels = (struct sbuf)SBUF_INIT(POD_MAX_LABELS);
}

void kube_pod_free(struct kube_pod *pod)
{
	sbuf_free(&pod->labels);
}

static int read_identity(struct kube_pod *pod, const cJSON *metadata)
{
	const char *uid = get_text(metadata, "uid");
	const char *hash = get_text(get(metadata, "annotations"), "kubernetes.io/config.hash");
	const char *name = get_text(metadata, "name");
	const char *namespace = get_text(metadata, "namespace");

	if (!is_word(uid, "-", KUBE_MAX_UID) || !*name || strlen(name) > POD_MAX_TEXT ||
	    !*namespace || strlen(namespace) > POD_MAX_TEXT)
		return -EBADMSG;
	if (!is_word(hash, "-", KUBE_MAX_UID))
		hash = uid;
	snprintf(pod->uid, sizeof(pod->uid), "%s", uid);
	snprintf(pod->key, sizeof(pod->key), "%s", hash);
	pod->version = 0;
	if (parse_u64(get_text(metadata, "resourceVersion"), &pod->version) < 0)
		pod->version = 0;
	pod->pod.key = pod->key;
	pod->pod.name = name;
	pod->pod.namespace = namespace;
	return 0;
}

static void read_owner(struct kube_pod *pod, const cJSON *metadata)
{
	const char *hash = get_text(get(metadata, "labels"), "pod-template-hash");
	const cJSON *owner = get_first(metadata, "ownerReferences"), *at;

	for (at = owner; at; at = at->next) {
		if (cJSON_IsTrue(get(at, "controller"))) {
			owner = at;
			break;
		}
	}
	pod->pod.workload = owner_of(get_text(owner, "kind"), get_text(owner, "name"), hash,
				     pod->pod.name, pod->workload, sizeof(pod->workload));
}

static const char *look_up(const void *ctx, const char *key)
{
	return cJSON_GetStringValue(get(ctx, key));
}

static char label_char(char c)
{
	return c && strchr(letters, c) ? c : '_';
}

/* Two keys that become the same name: a series may have it once. */
static bool is_same_label(const char *a, const char *b)
{
	while (*a && *b && label_char(*a) == label_char(*b)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

static bool is_taken(const cJSON *values, const char *const *labels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_same_label(labels[i], labels[n]) && look_up(values, labels[i]))
			return true;
	return false;
}

/* A label that does not fit is left out whole. */
static int add_label(struct sbuf *buf, const char *key, const char *value)
{
	size_t before = buf->len;

	sbuf_puts(buf, ",label_");
	for (; *key; key++)
		sbuf_putc(buf, label_char(*key));
	sbuf_puts(buf, "=\"");
	sbuf_label(buf, value);
	sbuf_putc(buf, '"');
	if (buf->error == -E2BIG) {
		buf->error = 0;
		buf->len = before;
		if (buf->text)
			buf->text[before] = '\0';
	}
	return buf->error;
}

static int read_labels(struct kube_pod *pod, const cJSON *values, const char *const *labels)
{
	sbuf_reset(&pod->labels);
	for (size_t i = 0; labels && labels[i]; i++) {
		const char *value = look_up(values, labels[i]);
		int r;

		if (!value || is_taken(values, labels, i))
			continue;
		r = add_label(&pod->labels, labels[i], value);
		if (r < 0)
			return r;
	}
	pod->pod.labels = pod->labels.len ? pod->labels.text : "";
	return 0;
}

/* The entry of a list of containers with that name. */
static const cJSON *find_container(const cJSON *spec, const char *list, const char *name)
{
	for (const cJSON *at = get_first(spec, list); at; at = at->next)
		if (!strcmp(get_text(at, "name"), name))
			return at;
	return NULL;
}

static uint32_t cpu_request(const cJSON *container)
{
	const cJSON *cpu = get(get(get(container, "resources"), "requests"), "cpu");

	if (cJSON_IsNumber(cpu) && cpu->valuedouble >= 0)
		return (uint32_t)MIN(cpu->valuedouble * 1000, (double)UINT32_MAX);
	return cJSON_IsString(cpu) ? kube_cpu_milli(cpu->valuestring) : 0;
}

/* "containerd://<id>" */
static void add_container(struct kube_pod *pod, const char *url, struct pod_container container)
{
	const char *id = strstr(url, "://");
	size_t n = pod->pod.n_containers;

	if (!id || !is_word(id + 3, "-_.", PATH_MAX_ID - 1) || n >= POD_MAX_CONTAINERS)
		return;
	container.id = id + 3;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(pod->containers[i].id, container.id))
			return;
	pod->containers[n] = container;
	pod->pod.n_containers++;
}

static const struct {
	const char *statuses, *spec;
	enum container_role role;
} lists[] = {
	{ "containerStatuses", "containers", CONTAINER_MAIN },
	{ "initContainerStatuses", "initContainers", CONTAINER_INIT },
	{ "ephemeralContainerStatuses", "ephemeralContainers", CONTAINER_EPHEMERAL },
};

/* earlier: the ids of starts that are over, which give way to those of today. */
static void add_list(struct kube_pod *pod, const cJSON *object, size_t list, bool earlier)
{
	const cJSON *spec = get(object, "spec");
	const cJSON *status = get_first(get(object, "status"), lists[list].statuses);

	for (; status && pod->pod.n_containers < POD_MAX_CONTAINERS; status = status->next) {
		const cJSON *last = get(get(status, "lastState"), "terminated");
		const cJSON *now = get(get(status, "state"), "terminated");
		const char *name = get_text(status, "name");
		const cJSON *in_spec = find_container(spec, lists[list].spec, name);
		struct pod_container container = { .name = name,
						   .role = lists[list].role,
						   .cpu_milli = cpu_request(in_spec) };

		/* A sidecar: it runs as long as the others do. */
		if (container.role == CONTAINER_INIT &&
		    !strcmp(get_text(in_spec, "restartPolicy"), "Always"))
			container.role = CONTAINER_MAIN;
		if (strlen(name) > POD_MAX_TEXT)
			continue;
		if (earlier) {
			add_container(pod, get_text(now, "containerID"), container);
			add_container(pod, get_text(last, "containerID"), container);
		} else {
			add_container(pod, get_text(status, "containerID"), container);
		}
	}
}

/* Asked when only the newest ids have been added. */
static bool is_all_started(const struct kube_pod *pod, const cJSON *object)
{
	const cJSON *container = get_first(get(object, "spec"), "containers");
	size_t started = 0, n = 0;

	for (; container && n <= POD_MAX_CONTAINERS; container = container->next, n++) {
		const char *name = get_text(container, "name");

		for (size_t i = 0; i < pod->pod.n_containers; i++) {
			if (!strcmp(pod->containers[i].name, name)) {
				started++;
				break;
			}
		}
	}
	return n && started == n;
}

static void read_containers(struct kube_pod *pod, const cJSON *object)
{
	pod->pod.n_containers = 0;
	pod->pod.containers = pod->containers;
	add_list(pod, object, 0, false);
	pod->pod.all_started = is_all_started(pod, object);
	for (size_t i = 1; i < ARRAY_SIZE(lists); i++)
		add_list(pod, object, i, false);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		add_list(pod, object, i, true);
}

static void read_status(struct kube_pod *pod, const cJSON *status)
{
	const char *phase = get_text(status, "phase");

	pod->pod.ended = !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed");
	for (const cJSON *at = get_first(status, "conditions"); at; at = at->next)
		if (!strcmp(get_text(at, "type"), "Ready") &&
		    !strcmp(get_text(at, "status"), "True"))
			pod->pod.ready_wall_ns = kube_time_ns(get_text(at, "lastTransitionTime"));
}

int kube_pod_read(struct kube_pod *pod, const cJSON *object, const char *const *labels)
{
	const cJSON *metadata = get(object, "metadata"), *kind = get(object, "kind");
	const cJSON *values = get(metadata, "labels");
	int r;

	pod->pod = (struct pod){ .source = POD_FROM_API };
	/* What a list has says no kind. */
	if (!cJSON_IsObject(object) || (kind && strcmp(get_text(object, "kind"), "Pod")))
		return -EBADMSG;
	r = read_identity(pod, metadata);
	if (r < 0)
		return r;
	r = read_labels(pod, values, labels);
	if (r < 0)
		return r;
	read_owner(pod, metadata);
	pod->pod.function = function_of(look_up, values, pod->pod.namespace, &pod->pod.prewarm);
	read_status(pod, get(object, "status"));
	read_containers(pod, object);
	return 0;
}

/* With its end, so that "ab","c" is not "a","bc". */
static uint64_t mix_text(uint64_t hash, const char *text)
{
	const char *at = text ? text : "";

	do
		hash = (hash ^ (unsigned char)*at) * FNV_PRIME;
	while (*at++);
	return hash;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++, value >>= 8)
		hash = (hash ^ (value & 0xff)) * FNV_PRIME;
	return hash;
}

uint64_t kube_pod_facts(const struct kube_pod *of)
{
	const struct pod *pod = &of->pod;
	uint64_t hash = mix_text(FNV_START, pod->key);

	hash = mix_text(hash, pod->namespace);
	hash = mix_text(hash, pod->name);
	hash = mix_text(hash, pod->workload.kind);
	hash = mix_text(hash, pod->workload.name);
	hash = mix_text(hash, pod->function.namespace);
	hash = mix_text(hash, pod->function.name);
	hash = mix_text(hash, pod->function.revision);
	hash = mix_text(hash, pod->labels);
	hash = mix(hash, pod->function.platform);
	hash = mix(hash, pod->ready_wall_ns);
	hash = mix(hash, (uint64_t)pod->workload.derived | (uint64_t)pod->prewarm << 1 |
				 (uint64_t)pod->ended << 2 | (uint64_t)pod->all_started << 3);
	for (size_t i = 0; i < pod->n_containers; i++) {
		hash = mix_text(hash, pod->containers[i].id);
		hash = mix_text(hash, pod->containers[i].name);
		hash = mix(hash,
			   (uint64_t)pod->containers[i].role << 32 | pod->containers[i].cpu_milli);
	}
	return hash;
}
