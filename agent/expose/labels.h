/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels: the labels of a page's series, each of them once: whatever names hold, two that would
 * print the same are one.  Pure.
 */
#ifndef PODJOULE_LABELS_H
#define PODJOULE_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "platform/sbuf.h"

#define LABELS_NONE UINT32_MAX

struct labels_entry {
	unsigned int kind;
	size_t at, key_len, len; /* in labels.text */
};

struct labels {
	struct sbuf text; /* `unit="x"`, escaped: append to it, then labels_add() */
	struct labels_entry *all;
	uint32_t n;
	uint32_t *index; /* open addressing: entry + 1 */
	size_t mask;
};

/* Room for max entries.  0 or -ENOMEM; labels_free() accepts a zeroed one. */
int labels_open(struct labels *labels, size_t max);
void labels_free(struct labels *labels);
/*
 * What has been appended since `at` names a series of that kind; its first key_len bytes tell it
 * from others.  The entry: the newest one, or the one that has the same key (then the text is
 * taken back).  LABELS_NONE: labels->text.error says why.
 */
uint32_t labels_add(struct labels *labels, unsigned int kind, size_t at, size_t key_len);
/* The entry that has the kind and key of entry `like` of another set, or LABELS_NONE. */
uint32_t labels_find(const struct labels *labels, const struct labels *other, uint32_t like);

#endif
