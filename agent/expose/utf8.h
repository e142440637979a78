/* SPDX-License-Identifier: Apache-2.0 */
/* Utf8: names that we did not write, one character at a time.  Pure. */
#ifndef PODJOULE_UTF8_H
#define PODJOULE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffdu

/*
 * The character at text (not its end) and how many bytes it takes.  What is no UTF-8 (overlong
 * forms, surrogates, cut sequences) is one byte and U+FFFD.
 */
static inline size_t utf8_next(const char *text, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)text;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code;
	size_t len;

	*ret = UTF8_REPLACEMENT;
	if (p[0] < 0x80) {
		*ret = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] < 0xe0)
		len = 2, code = p[0] & 0x1fu;
	else if (p[0] >= 0xe0 && p[0] < 0xf0)
		len = 3, code = p[0] & 0x0fu;
	else if (p[0] >= 0xf0 && p[0] < 0xf5)
		len = 4, code = p[0] & 0x07u;
	else
		return 1;

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80) /* the NUL at the end stops here as well */
			return 1;
		code = code << 6 | (p[i] & 0x3fu);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 1;
	*ret = code;
	return len;
}

#endif
