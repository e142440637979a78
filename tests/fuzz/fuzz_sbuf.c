/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever bytes a name has, what we print of it is valid UTF-8, has no raw control character where
 * the format forbids one, ends where it should, and means the same name where that was text.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "platform/sbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* A decoder of its own, by arithmetic: it shares no mistake with the one under test. */
static const unsigned char *decode(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	int tails = *s < 0x80 ? 0 : *s >> 5 == 6 ? 1 : *s >> 4 == 14 ? 2 : *s >> 3 == 30 ? 3 : -1;
	uint32_t code;

	if (tails < 0)
		return NULL;
	code = tails ? *s & (0x3fu >> tails) : *s;
	for (int i = 0; i < tails; i++) {
		s++;
		if (*s >> 6 != 2)
			return NULL;
		code = code << 6 | (*s & 0x3f);
	}
	if (code < least[tails] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return NULL;
	*ret = code;
	return s + 1;
}

static unsigned int hex(unsigned char c)
{
	MUST((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Undo the escapes; the bytes that were meant.  Aborts on anything that the format forbids. */
static char *undo(const char *text, bool json)
{
	const unsigned char *s = (const unsigned char *)text, *end = s + strlen(text);
	char *out = malloc(strlen(text) + 1);
	size_t len = 0;

	MUST(out);
	if (json) {
		MUST(end - s >= 2 && *s == '"' && end[-1] == '"');
		s++;
		end--;
	}
	while (s < end) {
		const unsigned char *start = s;
		uint32_t code = 0;

		s = decode(s, &code);
		MUST(s && s <= end);
		MUST(code != '"' && code != '\n' && (!json || code >= 0x20));
		if (code != '\\') {
			memcpy(out + len, start, (size_t)(s - start));
			len += (size_t)(s - start);
			continue;
		}
		MUST(s < end);
		if (*s == 'u') {
			MUST(json && end - s >= 5 && s[1] == '0' && s[2] == '0');
			out[len++] = (char)(hex(s[3]) << 4 | hex(s[4]));
			s += 5;
			continue;
		}
		MUST(*s == '\\' || *s == '"' || (!json && *s == 'n'));
		out[len++] = *s == 'n' ? '\n' : (char)*s;
		s++;
	}
	out[len] = '\0';
	return out;
}

/* Is got what text says, with U+FFFD for each byte that is no text? */
static bool same(const char *got, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		uint32_t code;
		const unsigned char *next = decode(s, &code);
		size_t len = next ? (size_t)(next - s) : 3;

		if (memcmp(got, next ? (const char *)s : "\xef\xbf\xbd",
			   strnlen(got, len) < len ? strnlen(got, len) + 1 : len))
			return false;
		got += len;
		s = next ? next : s + 1;
	}
	return !*got;
}

static void check(const char *text, size_t max, bool json)
{
	_sbuf_ struct sbuf buf = SBUF_INIT(max);
	_free_ char *meant = NULL;

	if (json)
		sbuf_json(&buf, text);
	else
		sbuf_label(&buf, text);
	MUST(buf.len <= max);
	MUST(!buf.text || strlen(buf.text) == buf.len);
	if (buf.error)
		return;
	meant = undo(buf.text ? buf.text : "", json);
	MUST(same(meant, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_free_ char *text = NULL;

	/* The first byte is a small maximum, to try every place where a buffer can be full. */
	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	for (int json = 0; json < 2; json++) {
		check(text, 6 * size + 2, json);
		check(text, data[0], json);
	}
	return 0;
}
