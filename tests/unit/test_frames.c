/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>

#include "oom.h"
#include "platform/frames.h"
#include "platform/scope.h"
#include "unit/no_leaks.h"

TestSuite(frames, .fini = no_leaks);

#define MAX_VALUE 4096
#define BIG       (1u << 20)

static uint64_t seed = 88172645463325252u;

static uint64_t below(uint64_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % limit;
}

/* All that came, one value a line; NUL is no byte of it. */
static int gather(void *ctx, const char *json, size_t len)
{
	struct sbuf *all = ctx;

	cr_assert(eq(sz, strlen(json), len));
	sbuf_append(all, json, len);
	return sbuf_putc(all, '\n');
}

struct outcome {
	struct sbuf values, rest;
	int error;
	uint64_t skipped;
};

static void free_outcome(struct outcome *outcome)
{
	sbuf_free(&outcome->values);
	sbuf_free(&outcome->rest);
}

/* Feed text in pieces of at most step bytes; 0: of any length. */
static struct outcome cut(enum frames_of of, const char *text, size_t len, size_t step,
			  bool skip_large)
{
	struct outcome outcome = { .values = SBUF_INIT(BIG), .rest = SBUF_INIT(BIG) };
	struct frames frames;

	frames_init(&frames, of, MAX_VALUE, gather, &outcome.values);
	frames.skip_large = skip_large;
	for (size_t at = 0, n; at < len; at += n) {
		_free_ char *piece = NULL;

		n = step ? step : below(400) + 1;
		n = MIN(n, len - at);
		/* On its own, so that a sanitizer sees a read behind it. */
		piece = malloc(n);
		memcpy(piece, text + at, n);
		frames_feed(&frames, piece, n);
	}
	outcome.error = frames_end(&frames);
	if (frames.rest.len)
		sbuf_append(&outcome.rest, frames.rest.text, frames.rest.len);
	outcome.skipped = frames.skipped;
	frames_free(&frames);
	return outcome;
}

static bool is_same(const struct sbuf *a, const struct sbuf *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->text, b->text, a->len));
}

static void require_no_matter(const char *text, size_t len)
{
	static const size_t steps[] = { 1, 2, 7, 0 };

	for (int of = FRAMES_STREAM; of <= FRAMES_ITEMS; of++) {
		for (int skip = 0; skip < 2; skip++) {
			_cleanup_(free_outcome) struct outcome whole =
				cut(of, text, len, len + 1, skip);

			for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
				_cleanup_(free_outcome) struct outcome pieces =
					cut(of, text, len, steps[i], skip);

				cr_assert(eq(int, pieces.error, whole.error), "%.*s", (int)len,
					  text);
				cr_assert(eq(u64, pieces.skipped, whole.skipped));
				cr_assert(is_same(&pieces.values, &whole.values), "%.*s", (int)len,
					  text);
				cr_assert(is_same(&pieces.rest, &whole.rest));
			}
		}
	}
}

static void write_space(struct sbuf *buf)
{
	for (uint64_t n = below(3); n; n--)
		sbuf_putc(buf, " \n\t\r"[below(4)]);
}

static void write_string(struct sbuf *buf)
{
	static const char *const pieces[] = { "items", "a", "\\\"", "\\\\", "{", "}",       "[",
					      "]",     ",", ":",    "\\n",  "é", "\\u00e9", "" };

	sbuf_putc(buf, '"');
	for (uint64_t n = below(5); n; n--)
		sbuf_puts(buf, pieces[below(ARRAY_SIZE(pieces))]);
	sbuf_putc(buf, '"');
}

static void write_value(struct sbuf *buf, unsigned int depth)
{
	static const char *const words[] = { "0", "-1.5e3", "true", "false", "null" };
	uint64_t kind = below(depth ? 5 : 2);
	uint64_t n = below(4);

	write_space(buf);
	if (kind == 0) {
		sbuf_puts(buf, words[below(ARRAY_SIZE(words))]);
	} else if (kind == 1) {
		write_string(buf);
	} else {
		sbuf_putc(buf, kind == 2 ? '[' : '{');
		for (uint64_t i = 0; i < n; i++) {
			if (i)
				sbuf_putc(buf, ',');
			write_space(buf);
			if (kind != 2) {
				write_string(buf);
				sbuf_puts(buf, below(2) ? ":" : " : ");
			}
			write_value(buf, depth - 1);
		}
		write_space(buf);
		sbuf_putc(buf, kind == 2 ? ']' : '}');
	}
	write_space(buf);
}

static void free_json(cJSON **json)
{
	cJSON_Delete(*json);
}

static void append_printed(struct sbuf *all, const cJSON *value)
{
	char *text = cJSON_PrintUnformatted(value);

	sbuf_puts(all, text);
	sbuf_putc(all, '\n');
	cJSON_free(text);
}

/* Lines of values, each printed again by a real parser, so that space does not count. */
static void print_lines(const struct sbuf *lines, struct sbuf *ret)
{
	const char *at = lines->text;

	while (at && *at) {
		const char *end;
		cJSON *value = cJSON_ParseWithOpts(at, &end, false);

		cr_assert(value != NULL, "'%s'", at);
		append_printed(ret, value);
		cJSON_Delete(value);
		cr_assert(eq(chr, *end, '\n'), "a value and nothing else");
		at = end + 1;
	}
}

Test(frames, hands_out_what_a_parser_finds_among_the_items)
{
	for (int i = 0; i < 3000; i++) {
		_sbuf_ struct sbuf text = SBUF_INIT(BIG), want = SBUF_INIT(BIG);
		_sbuf_ struct sbuf got = SBUF_INIT(BIG);
		_cleanup_(free_json) cJSON *list = NULL;
		const cJSON *item;

		sbuf_puts(&text, "{\"kind\":\"List\",");
		write_space(&text);
		for (uint64_t n = below(3); n; n--) {
			sbuf_printf(&text, "\"key%d\" :", (int)n);
			write_value(&text, 3);
			sbuf_putc(&text, ',');
		}
		sbuf_puts(&text, "\"items\"");
		write_space(&text);
		sbuf_puts(&text, ": [");
		for (uint64_t n = below(5), j = 0; j < n; j++) {
			if (j)
				sbuf_putc(&text, ',');
			write_value(&text, 4);
		}
		sbuf_puts(&text, "] ,\"after\":");
		write_value(&text, 3);
		sbuf_puts(&text, "}\n");

		list = cJSON_Parse(text.text);
		cr_assert(list != NULL, "%s", text.text);
		cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(list, "items"))
			append_printed(&want, item);

		_cleanup_(free_outcome) struct outcome outcome =
			cut(FRAMES_ITEMS, text.text, text.len, 0, false);
		_cleanup_(free_json) cJSON *rest = NULL;

		cr_assert(zero(int, outcome.error), "%s", text.text);
		print_lines(&outcome.values, &got);
		cr_assert(is_same(&got, &want), "%s", text.text);
		/* The rest is the same object, its items left out. */
		rest = cJSON_Parse(outcome.rest.text);
		cr_assert(rest != NULL, "%s", outcome.rest.text);
		cJSON_ReplaceItemInObjectCaseSensitive(list, "items", cJSON_CreateArray());
		sbuf_reset(&got);
		sbuf_reset(&want);
		append_printed(&got, rest);
		append_printed(&want, list);
		cr_assert(is_same(&got, &want), "%s", outcome.rest.text);
		require_no_matter(text.text, text.len);
	}
}

Test(frames, hands_out_every_object_of_a_stream_as_it_stands)
{
	for (int i = 0; i < 2000; i++) {
		_sbuf_ struct sbuf text = SBUF_INIT(BIG), want = SBUF_INIT(BIG);

		for (uint64_t n = below(6); n; n--) {
			_sbuf_ struct sbuf value = SBUF_INIT(BIG);

			sbuf_puts(&value, "{\"object\":");
			write_value(&value, 4);
			sbuf_putc(&value, '}');
			sbuf_append(&want, value.text, value.len);
			sbuf_putc(&want, '\n');
			sbuf_append(&text, value.text, value.len);
			write_space(&text);
		}

		_cleanup_(free_outcome) struct outcome outcome =
			cut(FRAMES_STREAM, text.text, text.len, 0, false);

		cr_assert(zero(int, outcome.error));
		cr_assert(is_same(&outcome.values, &want), "%s", text.text);
		require_no_matter(text.text, text.len);
	}
}

Test(frames, says_the_same_of_garbage_however_it_is_cut)
{
	static const char *const pieces[] = { "{",  "}",  "[", "]", ",",         ":",
					      "\"", "\\", " ", "1", "\"items\"", "{\"items\":[",
					      "x" };

	for (int i = 0; i < 20000; i++) {
		_sbuf_ struct sbuf text = SBUF_INIT(BIG);

		if (below(2))
			sbuf_puts(&text, "{\"items\":[");
		for (uint64_t n = below(20); n; n--) {
			if (below(40))
				sbuf_puts(&text, pieces[below(ARRAY_SIZE(pieces))]);
			else
				sbuf_append(&text, "", 1);
		}
		require_no_matter(text.text, text.len);
	}
}

Test(frames, never_says_that_a_cut_list_was_whole)
{
	static const char text[] =
		"{\"kind\":\"PodList\",\"items\":[{\"a\":[1]},2,\"x\"],\"metadata\":{\"v\":\"1\"}}";

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		_cleanup_(free_outcome) struct outcome outcome =
			cut(FRAMES_ITEMS, text, len, 0, false);

		cr_assert(eq(int, outcome.error, -EBADMSG), "%.*s", (int)len, text);
	}
}

Test(frames, refuses_what_is_no_json)
{
	static const char *const streams[] = { "x", "1", "\"a\"", "{}]", "{},{}", "{} null" };
	static const char *const lists[] = { "",
					     "[]",
					     "{}{}",
					     "{} x",
					     "{\"items\":[1 2]}",
					     "{\"items\":[,1]}",
					     "{\"items\":[1,]}",
					     "{\"items\":[1}]}",
					     "{\"items\":[1:2]}" };

	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		_cleanup_(free_outcome) struct outcome outcome =
			cut(FRAMES_STREAM, streams[i], strlen(streams[i]), 0, false);

		cr_expect(eq(int, outcome.error, -EBADMSG), "%s", streams[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		_cleanup_(free_outcome) struct outcome outcome =
			cut(FRAMES_ITEMS, lists[i], strlen(lists[i]), 0, false);

		cr_expect(eq(int, outcome.error, -EBADMSG), "%s", lists[i]);
	}
}

Test(frames, takes_no_other_key_and_no_deeper_one_for_the_items)
{
	static const char text[] = "{\"a\":{\"items\":[1]},\"kind\":\"items\",\"item\":[2],"
				   "\"itemsitemsitemsitems\":[3],\"items\":{\"b\":[4]}}";
	_cleanup_(free_outcome) struct outcome outcome =
		cut(FRAMES_ITEMS, text, sizeof(text) - 1, 0, false);

	cr_assert(zero(int, outcome.error));
	cr_assert(zero(sz, outcome.values.len));
	cr_assert(eq(str, outcome.rest.text, (char *)text));
}

Test(frames, bounds_a_value_or_leaves_it_out)
{
	for (size_t size = MAX_VALUE - 3; size <= MAX_VALUE + 3; size++) {
		_sbuf_ struct sbuf text = SBUF_INIT(BIG);

		sbuf_puts(&text, "{\"items\":[1,[");
		for (size_t i = 2; i < size; i++)
			sbuf_putc(&text, '5');
		sbuf_puts(&text, "],2]}");

		_cleanup_(free_outcome) struct outcome strict =
			cut(FRAMES_ITEMS, text.text, text.len, 0, false);
		_cleanup_(free_outcome) struct outcome lenient =
			cut(FRAMES_ITEMS, text.text, text.len, 0, true);

		cr_assert(eq(int, strict.error, size > MAX_VALUE ? -E2BIG : 0));
		cr_assert(zero(int, lenient.error));
		cr_assert(eq(u64, lenient.skipped, size > MAX_VALUE));
		cr_assert(eq(chr, lenient.values.text[lenient.values.len - 2], '2'));
		require_no_matter(text.text, text.len);
	}
}

Test(frames, bounds_what_is_around_the_items)
{
	_sbuf_ struct sbuf text = SBUF_INIT(BIG);

	sbuf_puts(&text, "{\"a\":\"");
	for (int i = 0; i < 70000; i++)
		sbuf_putc(&text, 'x');
	sbuf_puts(&text, "\"}");

	_cleanup_(free_outcome) struct outcome outcome =
		cut(FRAMES_ITEMS, text.text, text.len, 0, true);

	cr_assert(eq(int, outcome.error, -E2BIG));
}

static int refuse(void *ctx, const char *json _unused_, size_t len _unused_)
{
	return ++*(int *)ctx == 2 ? -EPERM : 0;
}

Test(frames, stops_where_it_is_told_to)
{
	static const char text[] = "{}{}{}{}";
	struct frames frames;
	int calls = 0;

	frames_init(&frames, FRAMES_STREAM, MAX_VALUE, refuse, &calls);
	cr_assert(eq(int, frames_feed(&frames, text, sizeof(text) - 1), -EPERM));
	cr_assert(eq(int, frames_feed(&frames, text, sizeof(text) - 1), -EPERM));
	cr_assert(eq(int, frames_end(&frames), -EPERM));
	cr_assert(eq(int, calls, 2));
	frames_free(&frames);
}

static int count(void *ctx, const char *json _unused_, size_t len _unused_)
{
	++*(int *)ctx;
	return 0;
}

Test(frames, survives_every_allocation_that_fails)
{
	_sbuf_ struct sbuf text = SBUF_INIT(BIG);

	sbuf_puts(&text, "{\"items\":[{},{\"a\":\"");
	for (int i = 0; i < 3000; i++)
		sbuf_putc(&text, 'x');
	sbuf_puts(&text, "\"}]}");
	OOM_SWEEP(n)
	{
		struct frames frames;
		int calls = 0, r;
		bool failed;

		frames_init(&frames, FRAMES_ITEMS, MAX_VALUE, count, &calls);
		r = frames_feed(&frames, text.text, text.len);
		failed = oom_stop();
		cr_assert(eq(int, r, failed ? -ENOMEM : 0));
		cr_assert(failed || calls == 2);
		frames_free(&frames);
	}
}
