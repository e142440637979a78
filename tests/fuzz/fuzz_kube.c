/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an API server answers: a list or a watch of pods.  The first byte chooses which, and how the
 * rest is cut into pieces; how it is cut must not matter.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "names/kube_pod.h"
#include "platform/frames.h"
#include "platform/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_VALUE 1000

/* Not assert(): the law must hold in every build. */
static void require(int truth)
{
	if (!truth)
		abort();
}

struct outcome {
	struct sbuf values;
	int error;
	uint64_t skipped;
};

static int gather(void *ctx, const char *json, size_t len)
{
	struct outcome *outcome = ctx;

	require(strlen(json) == len && len > 0 && len <= MAX_VALUE);
	sbuf_append(&outcome->values, json, len + 1);
	return 0;
}

static void require_word(const char *text, const char *marks, size_t max)
{
	size_t len = strlen(text);

	require(len > 0 && len <= max);
	for (const char *c = text; *c; c++)
		require((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
			(*c >= 'A' && *c <= 'Z') || strchr(marks, *c));
}

/* ,name="value" and so on: a series must be able to carry it. */
static void require_labels(const char *text)
{
	require(strlen(text) <= POD_MAX_LABELS);
	while (*text) {
		require(!strncmp(text, ",label_", 7));
		text += strcspn(text, "\"\\\n");
		require(*text == '"');
		for (text++; *text && *text != '"'; text++) {
			require(*text != '\n');
			if (*text == '\\')
				require(*++text == '\\' || *text == '"' || *text == 'n');
		}
		require(*text++ == '"');
	}
}

static void check_pod(const struct kube_pod *is)
{
	const struct pod *pod = &is->pod;

	require_word(is->key, "-", KUBE_MAX_UID);
	require_word(is->uid, "-", KUBE_MAX_UID);
	require(pod->key == is->key && pod->source == POD_FROM_API);
	require(*pod->name && strlen(pod->name) <= POD_MAX_TEXT);
	require(*pod->namespace && strlen(pod->namespace) <= POD_MAX_TEXT);
	require(*pod->workload.kind && strlen(pod->workload.name) <= POD_MAX_TEXT);
	require(pod->n_containers <= POD_MAX_CONTAINERS);
	for (size_t i = 0; i < pod->n_containers; i++) {
		require_word(pod->containers[i].id, "-_.", PATH_MAX_ID - 1);
		require(strlen(pod->containers[i].name) <= POD_MAX_TEXT);
		for (size_t j = 0; j < i; j++)
			require(strcmp(pod->containers[i].id, pod->containers[j].id) != 0);
	}
	require(pod->ready_wall_ns % 1000000000 == 0);
	require_labels(pod->labels);
}

static void read_pod(const cJSON *object)
{
	static const char *const labels[] = { "a", "app.kubernetes.io/name", "a", NULL };
	struct kube_pod pod;
	int r;

	kube_pod_init(&pod);
	r = kube_pod_read(&pod, object, labels);
	require(r == 0 || r == -EBADMSG);
	if (!r) {
		uint64_t facts = kube_pod_facts(&pod);

		check_pod(&pod);
		/* The same again: nothing of the first reading is left over. */
		require(kube_pod_read(&pod, object, labels) == 0);
		require(kube_pod_facts(&pod) == facts);
	}
	kube_pod_free(&pod);
}

static void read_values(const struct outcome *outcome)
{
	for (size_t at = 0; at < outcome->values.len; at += strlen(outcome->values.text + at) + 1) {
		cJSON *value = cJSON_Parse(outcome->values.text + at);

		read_pod(value);
		read_pod(cJSON_GetObjectItemCaseSensitive(value, "object"));
		cJSON_Delete(value);
	}
}

static void cut(enum frames_of of, bool skip_large, const uint8_t *data, size_t size, size_t step,
		struct outcome *ret)
{
	struct frames frames;

	*ret = (struct outcome){ .values = SBUF_INIT(SIZE_MAX / 2) };
	frames_init(&frames, of, MAX_VALUE, gather, ret);
	frames.skip_large = skip_large;
	for (size_t at = 0; at < size; at += step)
		frames_feed(&frames, (const char *)data + at, MIN(step, size - at));
	ret->error = frames_end(&frames);
	ret->skipped = frames.skipped;
	require(ret->error == 0 || ret->error == -EBADMSG || ret->error == -E2BIG);
	frames_free(&frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;
	enum frames_of of;
	bool skip_large;
	size_t step;

	if (!size)
		return 0;
	of = data[0] & 1 ? FRAMES_ITEMS : FRAMES_STREAM;
	skip_large = data[0] & 2;
	step = 1 + (data[0] >> 2);
	cut(of, skip_large, data + 1, size - 1, size, &whole);
	cut(of, skip_large, data + 1, size - 1, step, &pieces);
	require(whole.error == pieces.error && whole.skipped == pieces.skipped);
	require(whole.values.len == pieces.values.len);
	require(!whole.values.len ||
		!memcmp(whole.values.text, pieces.values.text, whole.values.len));
	read_values(&whole);
	sbuf_free(&whole.values);
	sbuf_free(&pieces.values);
	return 0;
}
