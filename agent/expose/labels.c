/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_BYTES (64u << 20)

static uint64_t hash_of(const char *text, size_t len, uint64_t seed)
{
	uint64_t hash = seed ^ len, word;

	for (; len >= sizeof(word); text += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, text, len);
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

/* The slot of the index that holds (or would hold) the entry with the key of like. */
static uint32_t *index_slot(const struct labels *set, const struct labels *owner,
			    const struct labels_entry *like)
{
	const char *key = owner->text.text + like->at;
	size_t i = hash_of(key, like->key_len, like->kind);

	for (;; i++) {
		uint32_t *slot = &set->index[i & set->mask];
		const struct labels_entry *entry = *slot ? &set->all[*slot - 1] : NULL;

		if (!entry || (entry->kind == like->kind && entry->key_len == like->key_len &&
			       !memcmp(set->text.text + entry->at, key, like->key_len)))
			return slot;
	}
}

int labels_open(struct labels *labels, size_t max)
{
	size_t slots = 16;

	*labels = (struct labels){ .text = SBUF_INIT(TEXT_MAX_BYTES) };
	while (slots < 2 * max)
		slots *= 2;
	labels->mask = slots - 1;
	labels->index = calloc(slots, sizeof(*labels->index));
	labels->all = calloc(max + 1, sizeof(*labels->all));
	return labels->index && labels->all ? 0 : -ENOMEM;
}

void labels_free(struct labels *labels)
{
	sbuf_free(&labels->text);
	free(labels->index);
	free(labels->all);
	*labels = (struct labels){ 0 };
}

uint32_t labels_add(struct labels *labels, unsigned int kind, size_t at, size_t key_len)
{
	const struct labels_entry entry = {
		.kind = kind, .at = at, .key_len = key_len, .len = labels->text.len - at
	};
	uint32_t *slot;

	if (labels->text.error)
		return LABELS_NONE;
	slot = index_slot(labels, labels, &entry);
	if (*slot) {
		labels->text.len = at;
	} else {
		labels->all[labels->n++] = entry;
		*slot = labels->n;
	}
	return *slot - 1;
}

uint32_t labels_find(const struct labels *labels, const struct labels *other, uint32_t like)
{
	return *index_slot(labels, other, &other->all[like]) - 1; /* an empty slot is 0 */
}
