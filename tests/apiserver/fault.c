/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/tree.h"

#define SLOW_DELAY_NS (20ull * 1000000)
#define SLOW_BYTES    256
#define WHY_MAX       128

static const char *const kinds[] = { "any", "watch", "list", "get", "write" };
static const char *const actions[] = {
	"hang",   "close", "garble",  "truncate",  "status",
	"expire", "slow",  "reorder", "duplicate", "drop_bookmarks",
};

static int word(const cJSON *tree, const char *key, const char *const *words, size_t n,
		unsigned int *ret, char *ret_why)
{
	const char *text = tree_text(tree, key);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		*ret = (unsigned int)i;
		return 0;
	}
	snprintf(ret_why, WHY_MAX, "\"%s\" cannot be \"%.40s\"; one of %s … %s", key, text,
		 words[0], words[n - 1]);
	return -EINVAL;
}

static int number(const cJSON *tree, const char *key, int64_t fallback, int64_t *ret, char *ret_why)
{
	const cJSON *value = tree_at(tree, key);

	*ret = fallback;
	if (!value)
		return 0;
	if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble < 1e12)) {
		snprintf(ret_why, WHY_MAX, "\"%s\" has to be a number from 0 on", key);
		return -EINVAL;
	}
	*ret = (int64_t)value->valuedouble;
	return 0;
}

static bool needs_events(enum fault_do what)
{
	return what == FAULT_REORDER || what == FAULT_DUPLICATE || what == FAULT_DROP_BOOKMARKS;
}

int fault_read(const cJSON *tree, struct fault *ret, char *ret_why)
{
	struct fault fault = { 0 };
	unsigned int on, what;
	int64_t status, after, delay_ms, bytes;

	if (word(tree, "on", kinds, ARRAY_SIZE(kinds), &on, ret_why) < 0 ||
	    word(tree, "do", actions, ARRAY_SIZE(actions), &what, ret_why) < 0 ||
	    number(tree, "status", 503, &status, ret_why) < 0 ||
	    number(tree, "retry_after", -1, &fault.retry_after_s, ret_why) < 0 ||
	    number(tree, "count", -1, &fault.count, ret_why) < 0 ||
	    number(tree, "after_events", 0, &after, ret_why) < 0 ||
	    number(tree, "delay_ms", 0, &delay_ms, ret_why) < 0 ||
	    number(tree, "bytes", 0, &bytes, ret_why) < 0)
		return -EINVAL;
	if (needs_events(what) && on != KIND_WATCH && on != KIND_ANY) {
		snprintf(ret_why, WHY_MAX, "\"%s\" happens to a watch only", actions[what]);
		return -EINVAL;
	}
	if (status < 400 || status > 599) {
		snprintf(ret_why, WHY_MAX, "\"status\" has to be 400 … 599");
		return -EINVAL;
	}
	fault.on = on;
	fault.what = what;
	fault.status = (unsigned int)status;
	fault.after_events = (uint64_t)after;
	fault.delay_ns = delay_ms ? (uint64_t)delay_ms * 1000000 : SLOW_DELAY_NS;
	fault.bytes = bytes || what == FAULT_CLOSE ? (size_t)bytes : SLOW_BYTES;
	fault.new_only = cJSON_IsFalse(tree_at(tree, "open"));
	snprintf(fault.path, sizeof(fault.path), "%s", tree_text(tree, "path"));
	snprintf(fault.message, sizeof(fault.message), "%s", tree_text(tree, "message"));
	*ret = fault;
	return 0;
}

int faults_add(struct faults *faults, const struct fault *fault)
{
	if (faults->n == FAULTS_MAX)
		return -ENOSPC;
	faults->items[faults->n++] = *fault;
	return 0;
}

void faults_clear(struct faults *faults)
{
	faults->n = 0;
}

bool faults_take(struct faults *faults, enum request_kind kind, const char *uri, struct fault *ret)
{
	for (size_t i = 0; i < faults->n; i++) {
		struct fault *fault = &faults->items[i];

		if (fault->count == 0 || (fault->on != KIND_ANY && fault->on != kind) ||
		    !strstr(uri, fault->path) || (kind != KIND_WATCH && needs_events(fault->what)))
			continue;
		if (fault->count > 0)
			fault->count--;
		*ret = *fault;
		return true;
	}
	return false;
}

bool fault_strikes_open(const struct fault *fault, const char *uri)
{
	return fault->count != 0 && !fault->new_only && fault->what != FAULT_STATUS &&
	       (fault->on == KIND_WATCH || fault->on == KIND_ANY) && strstr(uri, fault->path);
}
