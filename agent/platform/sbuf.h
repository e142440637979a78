/* SPDX-License-Identifier: Apache-2.0 */
/* Sbuf: a text buffer that is born with its maximum; errors stick, so a writer checks once. */
#ifndef PODJOULE_SBUF_H
#define PODJOULE_SBUF_H

#include <stddef.h>
#include <stdint.h>

#include "platform/scope.h"

struct sbuf {
	char *text; /* NUL-terminated whenever error == 0 and something was appended */
	size_t len;
	size_t capacity;
	size_t max; /* appends beyond it set error to -E2BIG */
	int error;  /* 0, -E2BIG or -ENOMEM: sticky */
};

#define SBUF_INIT(limit)                                                                           \
	{                                                                                          \
		.max = (limit)                                                                     \
	}

void sbuf_free(struct sbuf *buf);  /* frees the text, keeps max; safe on a zeroed sbuf */
void sbuf_reset(struct sbuf *buf); /* forget the text and the error, keep the memory */
int sbuf_append(struct sbuf *buf, const void *bytes, size_t len);
int sbuf_puts(struct sbuf *buf, const char *text);
int sbuf_putc(struct sbuf *buf, char c);
int sbuf_printf(struct sbuf *buf, const char *format, ...) _printf_(2, 3);
int sbuf_u64(struct sbuf *buf, uint64_t value); /* decimal, without printf: the scrape's hot path */
/* Nanounits as a decimal with 9 places ("12.000000345"), from integers: never through a double. */
int sbuf_nano(struct sbuf *buf, unsigned __int128 nano);
/* A JSON string with its quotes; invalid UTF-8 becomes U+FFFD, control characters \u00xx. */
int sbuf_json(struct sbuf *buf, const char *text);
/* A Prometheus label value without quotes: \\, \n and \" escaped, invalid UTF-8 as U+FFFD. */
int sbuf_label(struct sbuf *buf, const char *text);
/* A finite double as the shortest text that reads back the same; NaN and infinities as 0. */
int sbuf_double(struct sbuf *buf, double value);

#define _sbuf_ _cleanup_(sbuf_free)

#endif
