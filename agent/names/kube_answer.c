/* SPDX-License-Identifier: Apache-2.0 */
#include "names/kube_answer.h"

#include <errno.h>
#include <string.h>

#include "platform/json.h"
#include "platform/parse.h"
#include "platform/scope.h"

#define MAX_VALUE (2u << 20) /* the store itself takes no object as large */

static int read_version(const cJSON *metadata, uint64_t *ret)
{
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(metadata, "resourceVersion");

	return cJSON_IsString(version) ? parse_u64(version->valuestring, ret) : -EINVAL;
}

/* One value.  What is too large to be looked at is left out: no pod may hide the others. */
static int read_value(struct kube_answer *answer, const char *text, size_t len, struct json *ret)
{
	int r = json_read(ret, text, len);

	answer->dropped += r == -E2BIG;
	return r;
}

static int take_pod(struct kube_answer *answer, const cJSON *object, bool deleted)
{
	int r = kube_pod_read(&answer->pod, object, (const char *const *)answer->labels);

	if (r == -EBADMSG) {
		answer->dropped++;
		return 0;
	}
	if (r < 0)
		return r;
	if (deleted) {
		known_deleted(answer->known, &answer->pod);
		return 0;
	}
	r = known_pod(answer->known, &answer->pod, answer->trusted);
	answer->full |= r == -ENOSPC;
	return r == -ENOSPC ? 0 : r;
}

static int each_item(void *ctx, const char *json, size_t len)
{
	_json_ struct json item = { .root = NULL };
	int r = read_value(ctx, json, len, &item);

	if (r < 0)
		return r == -E2BIG ? 0 : r;
	return take_pod(ctx, item.root, false);
}

static int take_error(struct kube_answer *answer, const cJSON *status)
{
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(status, "code");

	answer->expired = cJSON_IsNumber(code) && code->valueint == 410;
	answer->refused = !answer->expired;
	return -ECANCELED;
}

static int each_event(void *ctx, const char *json, size_t len)
{
	struct kube_answer *answer = ctx;
	_json_ struct json event = { .root = NULL };
	uint64_t version = 0;
	const cJSON *object;
	const char *type;
	bool deleted;
	int r = read_value(answer, json, len, &event);

	if (r < 0)
		return r == -E2BIG ? 0 : r;
	object = cJSON_GetObjectItemCaseSensitive(event.root, "object");
	type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(event.root, "type"));
	deleted = type && !strcmp(type, "DELETED");
	if (!type || !cJSON_IsObject(object))
		return -EBADMSG;
	if (!strcmp(type, "ERROR"))
		return take_error(answer, object);
	if (deleted || !strcmp(type, "ADDED") || !strcmp(type, "MODIFIED")) {
		r = take_pod(answer, object, deleted);
		answer->events += r == 0;
	}
	if (r < 0)
		return r;
	/* Only now: what could not be taken will be told again. */
	if (!read_version(cJSON_GetObjectItemCaseSensitive(object, "metadata"), &version))
		answer->version = MAX(answer->version, version);
	answer->any = true;
	return 0;
}

/* What stands around the items. */
static int read_list(const struct kube_answer *answer, uint64_t *ret_version, bool *ret_more)
{
	_json_ struct json list = { .root = NULL };
	const cJSON *metadata, *items;
	const char *kind, *more;

	if (json_read(&list, answer->frames.rest.text, answer->frames.rest.len) < 0)
		return -EBADMSG;
	metadata = cJSON_GetObjectItemCaseSensitive(list.root, "metadata");
	items = cJSON_GetObjectItemCaseSensitive(list.root, "items");
	kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(list.root, "kind"));
	more = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metadata, "continue"));
	if (!kind || strcmp(kind, "PodList") || (!cJSON_IsArray(items) && !cJSON_IsNull(items)) ||
	    items->child || read_version(metadata, ret_version) < 0)
		return -EBADMSG;
	*ret_more = more && *more;
	return 0;
}

static int copy_labels(struct kube_answer *answer, const char *const *labels)
{
	size_t n = 0;

	while (labels && labels[n])
		n++;
	answer->labels = calloc(n + 1, sizeof(*answer->labels));
	if (!answer->labels)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		answer->labels[i] = strdup(labels[i]);
		if (!answer->labels[i])
			return -ENOMEM;
	}
	return 0;
}

int kube_answer_init(struct kube_answer *answer, struct known *known, const char *const *labels)
{
	int r;

	*answer = (struct kube_answer){ .known = known };
	kube_pod_init(&answer->pod);
	r = copy_labels(answer, labels);
	if (r < 0)
		kube_answer_free(answer);
	return r;
}

void kube_answer_free(struct kube_answer *answer)
{
	for (char **at = answer->labels; at && *at; at++)
		free(*at);
	free(answer->labels);
	answer->labels = NULL;
	frames_free(&answer->frames);
	kube_pod_free(&answer->pod);
}

void kube_answer_begin(struct kube_answer *answer, enum kube_phase phase, bool trusted)
{
	frames_free(&answer->frames);
	frames_init(&answer->frames, phase == KUBE_LIST ? FRAMES_ITEMS : FRAMES_STREAM, MAX_VALUE,
		    phase == KUBE_LIST ? each_item : each_event, answer);
	/* Whoever may make pods must not be able to end the watch with a large one. */
	answer->frames.skip_large = true;
	answer->phase = phase;
	answer->trusted = trusted;
	answer->any = answer->expired = answer->refused = false;
	if (phase == KUBE_LIST)
		known_list_begin(answer->known);
}

int kube_answer_feed(struct kube_answer *answer, const char *bytes, size_t len)
{
	uint64_t skipped = answer->frames.skipped;
	int r = frames_feed(&answer->frames, bytes, len);

	answer->dropped += answer->frames.skipped - skipped;
	return r;
}

int kube_answer_end(struct kube_answer *answer, uint64_t *ret_version, bool *ret_more)
{
	int r = frames_end(&answer->frames);

	if (!r && answer->phase == KUBE_LIST)
		r = read_list(answer, ret_version, ret_more);
	frames_free(&answer->frames);
	return r;
}
