/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/frames.h"

#include <errno.h>
#include <string.h>

#define MAX_REST   (64u << 10)
#define KEEP_VALUE (128u << 10) /* more is given back after the value that needed it */

/* What may come between the items: want. */
enum { WANT_FIRST, WANT_VALUE, WANT_COMMA };

enum byte_class { PLAIN, QUOTE, OPEN, CLOSE, COMMA, COLON, SPACE, NUL };

static const unsigned char class_of[256] = {
	['"'] = QUOTE, ['{'] = OPEN,  ['['] = OPEN,   ['}'] = CLOSE,  [']'] = CLOSE,  [','] = COMMA,
	[':'] = COLON, [' '] = SPACE, ['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE, ['\0'] = NUL,
};

/* Of the inside of a string. */
static const bool ends_run[256] = { ['"'] = true, ['\\'] = true, ['\0'] = true };

static inline enum byte_class class_at(const char *at)
{
	return class_of[(unsigned char)*at];
}

void frames_init(struct frames *frames, enum frames_of of, size_t max,
		 int (*each)(void *ctx, const char *json, size_t len), void *ctx)
{
	*frames = (struct frames){ .of = of,
				   .max = max,
				   .each = each,
				   .ctx = ctx,
				   .value = SBUF_INIT(max),
				   .rest = SBUF_INIT(MAX_REST) };
}

void frames_free(struct frames *frames)
{
	sbuf_free(&frames->value);
	sbuf_free(&frames->rest);
}

/* The first error is the one: which it is must not depend on how the bytes were cut. */
static void fail(struct frames *frames, int error)
{
	if (!frames->error)
		frames->error = error;
}

static void keep_rest(struct frames *frames, const char *bytes, size_t len)
{
	int r = sbuf_append(&frames->rest, bytes, len);

	if (r < 0)
		fail(frames, r);
}

static void keep_value(struct frames *frames, const char *bytes, size_t len)
{
	int r;

	if (frames->skipping)
		return;
	r = sbuf_append(&frames->value, bytes, len);
	if (r == -E2BIG && frames->skip_large) {
		frames->skipping = true;
		sbuf_free(&frames->value);
	} else if (r < 0) {
		fail(frames, r);
	}
}

static void hand_out(struct frames *frames)
{
	int r = 0;

	frames->in_value = false;
	frames->want = WANT_COMMA;
	if (frames->error)
		return;
	if (frames->skipping) {
		frames->skipping = false;
		frames->skipped++;
		return;
	}
	r = frames->each(frames->ctx, frames->value.text, frames->value.len);
	if (frames->value.capacity > KEEP_VALUE)
		sbuf_free(&frames->value);
	sbuf_reset(&frames->value);
	if (r < 0)
		fail(frames, r);
}

/* Behind the end of the string that at is in, or the end of the bytes, or at a NUL. */
static const char *pass_string(struct frames *frames, const char *at, const char *end)
{
	while (at < end) {
		if (frames->escaped && *at) {
			frames->escaped = false;
			at++;
			continue;
		}
		/* Most of what comes are the insides of strings: one look-up a byte. */
		while (at < end && !ends_run[(unsigned char)*at])
			at++;
		if (at == end || !*at)
			break;
		frames->escaped = *at == '\\';
		if (*at++ == '"') {
			frames->in_string = false;
			break;
		}
	}
	return at;
}

/* Inside a value.  What is not nested is a number or a word, and ends before the next space. */
static const char *feed_value(struct frames *frames, const char *from, const char *end)
{
	unsigned int base = frames->of == FRAMES_ITEMS ? frames->items_depth : 0;
	const char *at = from;
	bool whole = false, bad = false;

	while (at < end && !whole && !bad) {
		enum byte_class class;

		if (frames->in_string) {
			at = pass_string(frames, at, end);
			bad = at < end && frames->in_string; /* a NUL */
			whole = !frames->in_string && frames->depth == base;
			continue;
		}
		class = class_at(at);
		bad = class == NUL;
		if (frames->depth == base && class != PLAIN) {
			whole = class != NUL;
			break;
		}
		if (class == OPEN)
			frames->depth++;
		else if (class == CLOSE)
			whole = --frames->depth == base;
		else if (class == QUOTE)
			frames->in_string = true;
		at += !bad;
	}
	keep_value(frames, from, (size_t)(at - from));
	if (bad)
		fail(frames, -EBADMSG);
	if (whole)
		hand_out(frames);
	return at;
}

static void begin_value(struct frames *frames, enum byte_class class, const char *at)
{
	frames->in_value = true;
	frames->depth += class == OPEN;
	frames->in_string = class == QUOTE;
	keep_value(frames, at, 1);
}

/* A byte between two values of a stream. */
static void feed_stream(struct frames *frames, const char *at)
{
	enum byte_class class = class_at(at);

	if (class == OPEN)
		begin_value(frames, class, at);
	else if (class != SPACE)
		fail(frames, -EBADMSG);
}

/* A byte between two items. */
static void feed_items(struct frames *frames, const char *at)
{
	enum byte_class class = class_at(at);

	if (class == SPACE)
		return;
	if (class == COMMA && frames->want == WANT_COMMA) {
		frames->want = WANT_VALUE;
	} else if (*at == ']' && frames->want != WANT_VALUE) {
		frames->in_items = false;
		frames->depth--;
		keep_rest(frames, at, 1);
	} else if ((class == OPEN || class == QUOTE || class == PLAIN) &&
		   frames->want != WANT_COMMA) {
		begin_value(frames, class, at);
	} else {
		fail(frames, -EBADMSG);
	}
}

/* A key that is too long, or not plainly written, is none that matters. */
static void keep_key(struct frames *frames, char c)
{
	if (frames->depth != 1 || !frames->is_key)
		return;
	if (c == '\\' || frames->key_len >= sizeof(frames->key) - 1)
		frames->key_len = sizeof(frames->key);
	else
		frames->key[frames->key_len++] = c;
}

static bool is_items(const struct frames *frames)
{
	static const char items[] = "items";

	return frames->depth == 1 && !frames->is_key && frames->key_len == strlen(items) &&
	       !memcmp(frames->key, items, strlen(items));
}

static void feed_rest_string(struct frames *frames, char c)
{
	if (!c) {
		fail(frames, -EBADMSG);
	} else if (frames->escaped) {
		frames->escaped = false;
	} else if (c == '"') {
		frames->in_string = false;
	} else {
		frames->escaped = c == '\\';
		keep_key(frames, c);
	}
}

static void feed_rest_bracket(struct frames *frames, char c, enum byte_class class)
{
	if (c == '[' && is_items(frames)) {
		frames->in_items = true;
		frames->items_depth = frames->depth + 1;
		frames->want = WANT_FIRST;
	}
	if (class == OPEN)
		frames->depth++;
	else
		frames->depth--;
	frames->ended = !frames->depth;
}

/* A byte of the object around the items. */
static void feed_rest(struct frames *frames, const char *at)
{
	enum byte_class class = class_at(at);

	if (!frames->begun || frames->ended) {
		if (class == SPACE)
			return;
		if (frames->ended || *at != '{') {
			fail(frames, -EBADMSG);
			return;
		}
		frames->begun = frames->is_key = true;
		frames->depth = 1;
		keep_rest(frames, at, 1);
		return;
	}
	keep_rest(frames, at, 1);
	if (frames->in_string) {
		feed_rest_string(frames, *at);
	} else if (class == NUL) {
		fail(frames, -EBADMSG);
	} else if (class == QUOTE) {
		frames->in_string = true;
		if (frames->depth == 1 && frames->is_key)
			frames->key_len = 0;
	} else if (class == OPEN || class == CLOSE) {
		feed_rest_bracket(frames, *at, class);
	} else if (frames->depth == 1 && class == COLON) {
		frames->is_key = false;
	} else if (frames->depth == 1 && class == COMMA) {
		frames->is_key = true;
		frames->key_len = 0;
	}
}

int frames_feed(struct frames *frames, const char *bytes, size_t len)
{
	const char *at = bytes, *end = bytes + len;

	while (at < end && !frames->error) {
		if (frames->in_value)
			at = feed_value(frames, at, end);
		else if (frames->of == FRAMES_STREAM)
			feed_stream(frames, at++);
		else if (frames->in_items)
			feed_items(frames, at++);
		else
			feed_rest(frames, at++);
	}
	return frames->error;
}

int frames_end(struct frames *frames)
{
	if (frames->of == FRAMES_STREAM ? frames->in_value : !frames->ended)
		fail(frames, -EBADMSG);
	return frames->error;
}
