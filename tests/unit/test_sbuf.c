/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "platform/parse.h"
#include "platform/sbuf.h"
#include "unit/no_leaks.h"

TestSuite(sbuf, .fini = no_leaks);

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Numbers of every length, not only long ones. */
static uint64_t random_length(uint64_t *state)
{
	uint64_t value = next_random(state);

	return value >> (next_random(state) % 64);
}

Test(sbuf, holds_what_was_appended_in_order)
{
	_sbuf_ struct sbuf buf = SBUF_INIT(1 << 20);
	char want[20001] = "";
	size_t len = 0;

	for (int i = 0; len + 8 < sizeof(want); i++) {
		char piece[16];
		int n = snprintf(piece, sizeof(piece), "%d,", i);

		memcpy(want + len, piece, (size_t)n + 1);
		len += (size_t)n;
		if (i % 3 == 0)
			cr_assert(zero(int, sbuf_puts(&buf, piece)));
		else if (i % 3 == 1)
			cr_assert(zero(int, sbuf_printf(&buf, "%d,", i)));
		else
			cr_assert(zero(int, sbuf_append(&buf, piece, (size_t)n)));
	}
	cr_assert(eq(sz, buf.len, len));
	cr_assert(eq(str, buf.text, want));
}

Test(sbuf, refuses_the_first_byte_beyond_its_maximum_and_stays_refused)
{
	for (size_t max = 0; max < 700; max += 7) {
		_sbuf_ struct sbuf buf = SBUF_INIT(max);

		for (size_t i = 0; i < max; i++)
			cr_assert(zero(int, sbuf_putc(&buf, 'x')));
		cr_assert(eq(int, sbuf_putc(&buf, 'y'), -E2BIG));
		cr_assert(eq(int, buf.error, -E2BIG));
		cr_assert(eq(int, sbuf_puts(&buf, ""), -E2BIG), "an error sticks");
		cr_assert(eq(sz, buf.len, max));
		cr_assert(le(sz, buf.capacity, max + 1), "no more memory than the maximum needs");
	}
}

Test(sbuf, refuses_one_append_larger_than_all_that_is_allowed)
{
	static char big[4096];
	_sbuf_ struct sbuf buf = SBUF_INIT(1000);

	memset(big, 'x', sizeof(big) - 1);
	cr_assert(eq(int, sbuf_puts(&buf, big), -E2BIG));
	sbuf_reset(&buf);
	cr_assert(eq(int, sbuf_printf(&buf, "%s", big), -E2BIG));
	sbuf_reset(&buf);
	cr_assert(zero(int, sbuf_append(&buf, big, 1000)));
}

Test(sbuf, keeps_its_memory_over_a_reset_and_its_maximum_over_a_free)
{
	struct sbuf buf = SBUF_INIT(300);
	const char *text;

	sbuf_puts(&buf, "first");
	text = buf.text;
	sbuf_reset(&buf);
	cr_assert(eq(str, buf.text, ""));
	sbuf_puts(&buf, "second");
	cr_assert(eq(ptr, (void *)buf.text, (void *)text));
	cr_assert(eq(str, buf.text, "second"));
	sbuf_free(&buf);
	cr_assert(eq(sz, buf.max, 300));
	cr_assert(zero(ptr, buf.text));
	sbuf_free(&buf);
}

Test(sbuf, prints_integers_as_printf_does)
{
	_sbuf_ struct sbuf buf = SBUF_INIT(64);
	uint64_t state = 88172645463325252, edge = 1;

	for (int i = 0; i < 200000; i++) {
		uint64_t value = i < 40 ? edge - (uint64_t)(i & 1) : random_length(&state);
		char want[24];

		if (i & 1)
			edge *= 10;
		sbuf_reset(&buf);
		sbuf_u64(&buf, value);
		snprintf(want, sizeof(want), "%" PRIu64, value);
		cr_assert(eq(str, buf.text, want));
	}
	sbuf_reset(&buf);
	sbuf_u64(&buf, UINT64_MAX);
	cr_assert(eq(str, buf.text, "18446744073709551615"));
}

/* Back from text to nanounits, by digits. */
static unsigned __int128 read_nano(const char *text)
{
	unsigned __int128 nano = 0;
	const char *dot = strchr(text, '.');

	cr_assert(ne(ptr, (void *)dot, NULL));
	cr_assert(eq(sz, strlen(dot + 1), 9), "nine places: %s", text);
	cr_assert(dot == text + 1 || text[0] != '0', "no leading zeros: %s", text);
	for (; *text; text++) {
		if (text == dot)
			continue;
		cr_assert(ge(chr, *text, '0'));
		cr_assert(le(chr, *text, '9'));
		nano = nano * 10 + (unsigned int)(*text - '0');
	}
	return nano;
}

Test(sbuf, prints_nanounits_without_losing_one)
{
	_sbuf_ struct sbuf buf = SBUF_INIT(64);
	uint64_t state = 1234567;

	for (int i = 0; i < 200000; i++) {
		unsigned __int128 nano =
			(unsigned __int128)next_random(&state) << 64 | next_random(&state);

		nano >>= next_random(&state) % 128;
		sbuf_reset(&buf);
		sbuf_nano(&buf, nano);
		cr_assert(read_nano(buf.text) == nano, "%s", buf.text);
	}
}

Test(sbuf, prints_nanounits_at_the_edges_of_words)
{
	static const struct {
		unsigned __int128 nano;
		const char *want;
	} cases[] = {
		{ 0, "0.000000000" },
		{ 1, "0.000000001" },
		{ 12000000345, "12.000000345" },
		{ UINT64_MAX, "18446744073.709551615" },
		{ (unsigned __int128)UINT64_MAX + 1, "18446744073.709551616" },
		{ (unsigned __int128)1000000000 * 1000000000000000000u,
		  "1000000000000000000.000000000" },
		{ ~(unsigned __int128)0, "340282366920938463463374607431.768211455" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_sbuf_ struct sbuf buf = SBUF_INIT(64);

		sbuf_nano(&buf, cases[i].nano);
		cr_expect(eq(str, buf.text, (char *)cases[i].want));
	}
}

Test(sbuf, prints_doubles_that_read_back_the_same)
{
	_sbuf_ struct sbuf buf = SBUF_INIT(64);
	uint64_t state = 42;

	for (int i = 0; i < 100000; i++) {
		uint64_t bits = next_random(&state);
		double value, back;

		memcpy(&value, &bits, sizeof(value));
		sbuf_reset(&buf);
		sbuf_double(&buf, value);
		cr_assert(zero(int, parse_double(buf.text, &back)), "%s", buf.text);
		cr_assert(back == (isfinite(value) ? value : 0), "%s for %a", buf.text, value);
	}
}

Test(sbuf, prints_doubles_in_their_shortest_form)
{
	static const struct {
		double value;
		const char *want;
	} cases[] = {
		{ 0.1, "0.1" },         { 1.0 / 3, "0.3333333333333333" },
		{ 0.3, "0.3" },         { 0.1 + 0.2, "0.30000000000000004" },
		{ 187.4, "187.4" },     { 5e-324, "5e-324" },
		{ -2.5, "-2.5" },       { 1e300, "1e+300" },
		{ NAN, "0" },           { INFINITY, "0" },
		{ -INFINITY, "0" },     { -0.0, "0" },
		{ 1000000, "1000000" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_sbuf_ struct sbuf buf = SBUF_INIT(64);

		sbuf_double(&buf, cases[i].value);
		cr_expect(eq(str, buf.text, (char *)cases[i].want));
	}
}

Test(sbuf, escapes_for_json_and_for_labels)
{
	static const struct {
		const char *text, *json, *label;
	} cases[] = {
		{ "", "\"\"", "" },
		{ "/system.slice", "\"/system.slice\"", "/system.slice" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"", "a\\\"b\\\\c" },
		{ "a\nb\tc", "\"a\\u000ab\\u0009c\"", "a\\nb\tc" },
		{ "\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"", "\x01\x1f\x7f" },
		{ "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"", "gr\xc3\xbc\xc3\x9f" },
		{ "\xf0\x9f\x94\x8b", "\"\xf0\x9f\x94\x8b\"", "\xf0\x9f\x94\x8b" },
		{ "\xc3", "\"\xef\xbf\xbd\"", "\xef\xbf\xbd" },
		{ "a\xff"
		  "b",
		  "\"a\xef\xbf\xbd"
		  "b\"",
		  "a\xef\xbf\xbd"
		  "b" },
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
		  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_sbuf_ struct sbuf json = SBUF_INIT(256), label = SBUF_INIT(256);

		sbuf_json(&json, cases[i].text);
		sbuf_label(&label, cases[i].text);
		sbuf_puts(&label, "");
		cr_expect(eq(str, json.text, (char *)cases[i].json));
		cr_expect(eq(str, label.text, (char *)cases[i].label));
	}
}
