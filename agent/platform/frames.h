/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: cuts a stream of JSON into whole values as it arrives, so that a list of a thousand pods
 * needs the memory of one.  It follows strings and brackets only; what it hands out may still be
 * refused by a parser.  Pure.
 */
#ifndef PODJOULE_FRAMES_H
#define PODJOULE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/sbuf.h"

enum frames_of {
	FRAMES_STREAM, /* values one after the other: a watch */
	FRAMES_ITEMS,  /* one object; the elements of its top-level array "items" are the values */
};

struct frames {
	enum frames_of of;
	size_t max;      /* bytes of one value; more ends the stream with -E2BIG */
	bool skip_large; /* set after frames_init(): a larger value is left out and counted */
	uint64_t skipped;
	/* A whole value, NUL-terminated, borrowed until it returns; <0 ends frames_feed() with it.
	 */
	int (*each)(void *ctx, const char *json, size_t len);
	void *ctx;
	struct sbuf value;
	/* FRAMES_ITEMS: the object without its items
	 * ({"kind":"PodList","metadata":{…},"items":[]}). */
	struct sbuf rest;
	int error; /* sticky */
	/* state */
	unsigned int depth, items_depth;
	bool in_string, escaped, in_items, begun, is_key;
	bool in_value, skipping, ended;
	char want;    /* between the items */
	char key[16]; /* the newest key at depth 1 */
	size_t key_len;
};

void frames_init(struct frames *frames, enum frames_of of, size_t max,
		 int (*each)(void *ctx, const char *json, size_t len), void *ctx);
void frames_free(struct frames *frames);
/* 0; -E2BIG (a value too large), -EBADMSG (no JSON), -ENOMEM, or what each() returned: sticky. */
int frames_feed(struct frames *frames, const char *bytes, size_t len);
/* The stream has ended: 0, or -EBADMSG when it was in the middle of a value. */
int frames_end(struct frames *frames);

#endif
