/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/sbuf.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "platform/parse.h"

#define FIRST_CAPACITY 256
#define E9             1000000000u
#define E18            1000000000000000000u

/* U+FFFD, what stands where bytes were no text. */
static const char replacement[] = "\xef\xbf\xbd";

static const char digit_pairs[] = "00010203040506070809"
				  "10111213141516171819"
				  "20212223242526272829"
				  "30313233343536373839"
				  "40414243444546474849"
				  "50515253545556575859"
				  "60616263646566676869"
				  "70717273747576777879"
				  "80818283848586878889"
				  "90919293949596979899";

static int grow(struct sbuf *buf, size_t len)
{
	size_t capacity = buf->capacity;
	char *text;

	if (buf->error)
		return buf->error;
	if (len > buf->max - MIN(buf->len, buf->max)) {
		buf->error = -E2BIG;
		return buf->error;
	}

	/* Double, but never past what the maximum and its NUL can use. */
	capacity = capacity > buf->max / 2 ? buf->max : MAX(2 * capacity, FIRST_CAPACITY);
	capacity = MAX(MIN(capacity, buf->max), buf->len + len);
	if (capacity == SIZE_MAX) {
		buf->error = -ENOMEM;
		return buf->error;
	}
	text = realloc(buf->text, capacity + 1);
	if (!text) {
		buf->error = -ENOMEM;
		return buf->error;
	}
	buf->text = text;
	buf->capacity = capacity + 1;
	return 0;
}

/* Make room for len bytes and their NUL. */
static inline int reserve(struct sbuf *buf, size_t len)
{
	if (!buf->error && buf->len < buf->capacity && len < buf->capacity - buf->len &&
	    len <= buf->max - MIN(buf->len, buf->max))
		return 0;
	return grow(buf, len);
}

void sbuf_free(struct sbuf *buf)
{
	free(buf->text);
	*buf = (struct sbuf)SBUF_INIT(buf->max);
}

void sbuf_reset(struct sbuf *buf)
{
	buf->len = 0;
	buf->error = 0;
	if (buf->text)
		buf->text[0] = '\0';
}

int sbuf_append(struct sbuf *buf, const void *bytes, size_t len)
{
	int r = reserve(buf, len);

	if (r < 0)
		return r;
	if (len)
		memcpy(buf->text + buf->len, bytes, len);
	buf->len += len;
	buf->text[buf->len] = '\0';
	return 0;
}

int sbuf_puts(struct sbuf *buf, const char *text)
{
	return sbuf_append(buf, text, strlen(text));
}

int sbuf_putc(struct sbuf *buf, char c)
{
	return sbuf_append(buf, &c, 1);
}

int sbuf_printf(struct sbuf *buf, const char *format, ...)
{
	va_list args;
	int len, r;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0) {
		buf->error = buf->error ? buf->error : -ENOMEM;
		return buf->error;
	}
	r = reserve(buf, (size_t)len);
	if (r < 0)
		return r;

	va_start(args, format);
	vsnprintf(buf->text + buf->len, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
	return 0;
}

/* Write value backwards, ending before end; the first digit. */
static inline char *digits_before(char *end, uint64_t value)
{
	while (value >= 100) {
		end -= 2;
		memcpy(end, digit_pairs + 2 * (value % 100), 2);
		value /= 100;
	}
	if (value >= 10) {
		end -= 2;
		memcpy(end, digit_pairs + 2 * value, 2);
		return end;
	}
	*--end = (char)('0' + value);
	return end;
}

/* The same with leading zeros up to start. */
static inline char *padded_before(char *end, uint64_t value, size_t width)
{
	char *start = end - width, *first = digits_before(end, value);

	memset(start, '0', (size_t)(first - start));
	return start;
}

int sbuf_u64(struct sbuf *buf, uint64_t value)
{
	char digits[20], *end = digits + sizeof(digits), *first = digits_before(end, value);

	return sbuf_append(buf, first, (size_t)(end - first));
}

int sbuf_nano(struct sbuf *buf, unsigned __int128 nano)
{
	char text[48], *end = text + sizeof(text), *first;
	unsigned __int128 whole;

	/* Below 2^64 nanounits (18 GJ) one 64-bit division is enough. */
	if (nano <= UINT64_MAX) {
		first = padded_before(end, (uint64_t)nano % E9, 9);
		*--first = '.';
		first = digits_before(first, (uint64_t)nano / E9);
		return sbuf_append(buf, first, (size_t)(end - first));
	}

	first = padded_before(end, (uint64_t)(nano % E9), 9);
	*--first = '.';
	whole = nano / E9;
	if (whole >= E18) {
		first = padded_before(first, (uint64_t)(whole % E18), 18);
		whole /= E18;
	}
	first = digits_before(first, (uint64_t)whole);
	return sbuf_append(buf, first, (size_t)(end - first));
}

/* Bytes that are more than themselves: the end, controls, quote, backslash, all beyond ASCII. */
static const bool special[256] = {
	[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true, [0x80 ... 0xff] = true
};

static inline bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Bytes of the valid UTF-8 sequence that starts here (no overlong forms, no surrogates); 0: none.
 */
static size_t utf8_length(const unsigned char *s)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || !is_tail(s[1]))
		return 0;
	if (s[0] < 0xe0)
		return 2;
	if (!is_tail(s[2]))
		return 0;
	if (s[0] < 0xf0) {
		if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
			return 0;
		return 3;
	}
	if (s[0] > 0xf4 || !is_tail(s[3]) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return 4;
}

/* Append text; each character for which special() holds goes through escape(), runs go as they are.
 */
static int append_escaped(struct sbuf *buf, const char *text, bool json)
{
	const unsigned char *s = (const unsigned char *)text, *run = s;
	char escape[8];

	for (;;) {
		size_t len = 1, skip = 1;

		/* Most names are plain from end to end: one look-up a byte. */
		while (!special[*s])
			s++;
		if (!*s)
			break;
		if (*s == '"' || *s == '\\') {
			escape[0] = '\\';
			escape[1] = (char)*s;
			len = 2;
		} else if (json && *s < 0x20) {
			memcpy(escape, "\\u00", 4);
			escape[4] = (char)('0' + (*s >> 4));
			escape[5] = "0123456789abcdef"[*s & 15];
			len = 6;
		} else if (*s == '\n') {
			memcpy(escape, "\\n", 2);
			len = 2;
		} else {
			skip = utf8_length(s);
			if (skip) {
				s += skip;
				continue;
			}
			memcpy(escape, replacement, 3);
			len = 3;
			skip = 1;
		}
		sbuf_append(buf, run, (size_t)(s - run));
		sbuf_append(buf, escape, len);
		s += skip;
		run = s;
	}
	return sbuf_append(buf, run, (size_t)(s - run));
}

int sbuf_json(struct sbuf *buf, const char *text)
{
	sbuf_putc(buf, '"');
	append_escaped(buf, text, true);
	return sbuf_putc(buf, '"');
}

int sbuf_label(struct sbuf *buf, const char *text)
{
	return append_escaped(buf, text, false);
}

int sbuf_double(struct sbuf *buf, double value)
{
	/* 15 digits survive the way to a double and back; only subnormals may need fewer. */
	int precision = fabs(value) < 1e-307 ? 1 : 15;
	char text[32] = "0";
	locale_t before;
	double back;

	if (!isfinite(value) || value == 0)
		return sbuf_putc(buf, '0');

	before = uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
	do
		snprintf(text, sizeof(text), "%.*g", precision, value);
	while (++precision <= 17 && (parse_double(text, &back) < 0 || back != value));
	uselocale(before);
	return sbuf_puts(buf, text);
}
