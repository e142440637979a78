/* SPDX-License-Identifier: Apache-2.0 */
/* Page text: what Prometheus reads, read strictly: any deviation from the text format fails. */
#ifndef PODJOULE_PAGE_TEXT_H
#define PODJOULE_PAGE_TEXT_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expose/utf8.h"
#include "platform/parse.h"
#include "platform/scope.h"

#define PAGE_MAX_LABELS 16

struct page_sample {
	char name[96];
	size_t n;
	char *keys[PAGE_MAX_LABELS], *values[PAGE_MAX_LABELS]; /* unescaped */
	uint64_t nano;                                         /* of values with 9 places */
	double value;
};

static inline void page_sample_free(struct page_sample *sample)
{
	for (size_t i = 0; i < sample->n; i++) {
		free(sample->keys[i]);
		free(sample->values[i]);
	}
}

static inline size_t page_word(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	cr_assert(n && (*text < '0' || *text > '9'), "a name: %.40s", text);
	return n;
}

/* A quoted value from its first character on; what follows its closing quote. */
static inline const char *page_value(const char *text, char **ret)
{
	char *to = *ret = malloc(strlen(text) + 1);

	while (*text != '"') {
		uint32_t code;
		size_t len = utf8_next(text, &code);

		cr_assert(text[0] && *text != '\n', "a value has an end");
		cr_assert(code != UTF8_REPLACEMENT || len == 3, "a value is UTF-8");
		if (*text == '\\') {
			cr_assert(strchr("\\\"n", text[1]) && text[1], "an escape: %.10s", text);
			*to++ = text[1] == 'n' ? '\n' : text[1];
			text += 2;
			continue;
		}
		memcpy(to, text, len);
		to += len;
		text += len;
	}
	*to = '\0';
	return text + 1;
}

static inline uint64_t page_nano(const char *text)
{
	uint64_t nano = 0;

	for (; (*text >= '0' && *text <= '9') || *text == '.'; text++) {
		if (*text != '.')
			nano = nano * 10 + (uint64_t)(*text - '0');
	}
	return nano;
}

/* One sample; its labels must be there once each.  The next line. */
static inline const char *page_sample_parse(const char *line, struct page_sample *ret)
{
	const char *at = line + page_word(line), *end;
	char number[64];

	*ret = (struct page_sample){ 0 };
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(at - line), line);
	while (*at == '{' || *at == ',') {
		size_t len = page_word(++at);

		cr_assert(lt(sz, ret->n, PAGE_MAX_LABELS));
		ret->keys[ret->n] = strndup(at, len);
		cr_assert(strncmp(at + len, "=\"", 2) == 0, "%.80s", line);
		at = page_value(at + len + 2, &ret->values[ret->n]);
		for (size_t i = 0; i < ret->n; i++)
			cr_assert(ne(str, ret->keys[i], ret->keys[ret->n]), "%.200s", line);
		ret->n++;
	}
	at += ret->n && *at == '}';
	cr_assert(at[0] == ' ', "a value follows: %.200s", line);
	end = strchr(at, '\n');
	cr_assert(end != NULL && end - at < (ptrdiff_t)sizeof(number), "%.200s", line);
	snprintf(number, sizeof(number), "%.*s", (int)(end - at - 1), at + 1);
	cr_assert(eq(int, parse_double(number, &ret->value), 0), "a number: %.200s", line);
	ret->nano = page_nano(number);
	return end + 1;
}

/* Call each(sample, ctx) for every sample of the page, whose last line is whole. */
static inline size_t page_each(const char *text,
			       void (*each)(const struct page_sample *sample, void *ctx), void *ctx)
{
	size_t n = 0;

	while (*text) {
		struct page_sample sample;

		if (*text == '#') {
			cr_assert(strncmp(text, "# HELP ", 7) == 0 ||
				  !strncmp(text, "# TYPE ", 7) || !strncmp(text, "# UNIT ", 7) ||
				  !strcmp(text, "# EOF\n"));
			text = strchr(text, '\n') + 1;
			continue;
		}
		text = page_sample_parse(text, &sample);
		each(&sample, ctx);
		page_sample_free(&sample);
		n++;
	}
	return n;
}

static inline const char *page_label(const struct page_sample *sample, const char *key)
{
	for (size_t i = 0; i < sample->n; i++) {
		if (!strcmp(sample->keys[i], key))
			return sample->values[i];
	}
	return NULL;
}

#endif
