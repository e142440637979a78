/* SPDX-License-Identifier: Apache-2.0 */
#include "names/pod.h"

#include <stdlib.h>
#include <string.h>

#include "names/clip.h"
#include "platform/scope.h"

/* Where the strings go; without memory they are only measured. */
struct packer {
	char *memory;
	size_t used;
};

static const char *pack(struct packer *packer, const char *text, size_t len)
{
	char *copy = packer->memory ? packer->memory + packer->used : NULL;

	packer->used += len + 1;
	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static const char *pack_text(struct packer *packer, const char *text)
{
	return pack(packer, text, clip_len(text, POD_MAX_TEXT));
}

/* Whole labels only: half a value would spoil the line that it stands in. */
static size_t labels_len(const char *labels)
{
	bool quoted = false;
	size_t whole = 0;

	for (size_t i = 0; labels && labels[i] && i < POD_MAX_LABELS; i++) {
		if (labels[i] == '\\' && quoted && labels[i + 1]) {
			i++;
		} else if (labels[i] == '"') {
			quoted = !quoted;
			if (!quoted)
				whole = i + 1;
		}
	}
	return whole;
}

/* What cannot be looked up is no use to anybody. */
static bool is_findable(const struct pod_container *container)
{
	size_t len = container->id ? strnlen(container->id, PATH_MAX_ID) : 0;

	return len && len < PATH_MAX_ID;
}

static size_t pack_containers(struct packer *packer, const struct pod *like,
			      struct pod_container *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < like->n_containers && n < POD_MAX_CONTAINERS; i++) {
		const struct pod_container *from = &like->containers[i];
		struct pod_container copy = *from;

		if (!is_findable(from))
			continue;
		copy.id = pack(packer, from->id, strlen(from->id));
		copy.name = pack_text(packer, from->name);
		if (ret)
			ret[n] = copy;
		n++;
	}
	return n;
}

/* Measure with pod NULL, then write: both walk the same way. */
static size_t pack_pod(struct packer *packer, const struct pod *like, struct pod *pod,
		       struct pod_container *containers)
{
	struct pod copy = *like;

	copy.key = pack_text(packer, like->key);
	copy.namespace = pack_text(packer, like->namespace);
	copy.name = pack_text(packer, like->name);
	copy.workload.kind = pack_text(packer, like->workload.kind);
	copy.workload.name = pack_text(packer, like->workload.name);
	copy.function.namespace = pack_text(packer, like->function.namespace);
	copy.function.name = pack_text(packer, like->function.name);
	copy.function.revision = pack_text(packer, like->function.revision);
	copy.labels = pack(packer, like->labels, labels_len(like->labels));
	copy.n_containers = pack_containers(packer, like, containers);
	copy.containers = containers;
	if (pod) {
		memcpy(pod, &copy, sizeof(copy));
		atomic_init(&pod->refs, 1);
	}
	return copy.n_containers;
}

struct pod *pod_new(const struct pod *like)
{
	struct packer packer = { 0 };
	size_t n = pack_pod(&packer, like, NULL, NULL);
	size_t table = n * sizeof(struct pod_container);
	struct pod *pod = malloc(sizeof(*pod) + table + packer.used);
	struct pod_container *containers;

	if (!pod)
		return NULL;
	containers = (struct pod_container *)(pod + 1);
	packer = (struct packer){ .memory = (char *)containers + table };
	pack_pod(&packer, like, pod, containers);
	return pod;
}

_Static_assert(sizeof(struct pod) % _Alignof(struct pod_container) == 0,
	       "containers lie behind their pod");

struct pod *pod_ref(struct pod *pod)
{
	if (pod)
		atomic_fetch_add_explicit(&pod->refs, 1, memory_order_relaxed);
	return pod;
}

void pod_unref(struct pod *pod)
{
	if (pod && atomic_fetch_sub_explicit(&pod->refs, 1, memory_order_acq_rel) == 1)
		free(pod);
}

const struct pod_container *pod_container(const struct pod *pod, const char *id)
{
	for (size_t i = 0; pod && i < pod->n_containers; i++)
		if (!strcmp(pod->containers[i].id, id))
			return &pod->containers[i];
	return NULL;
}

const char *function_platform_name(enum function_platform platform)
{
	static const char *const names[] = {
		[FUNCTION_NONE] = "",
		[FUNCTION_KNATIVE] = "knative",
		[FUNCTION_OPENWHISK] = "openwhisk",
	};

	return (size_t)platform < ARRAY_SIZE(names) ? names[platform] : "";
}
