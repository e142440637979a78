/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/accept.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* A piece of the header: not NUL-terminated. */
struct span {
	const char *text;
	size_t len;
};

struct item {
	struct span name; /* "text/plain" */
	struct span params;
	unsigned int q_milli;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	while (s.len > 0 && is_space(s.text[0])) {
		s.text++;
		s.len--;
	}
	while (s.len > 0 && is_space(s.text[s.len - 1]))
		s.len--;
	return s;
}

static bool is_word(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.text, word, s.len) == 0;
}

/* The text up to the next stop that is outside of quotes; *rest is what follows it. */
static struct span cut(struct span *rest, char stop)
{
	struct span head = { rest->text, 0 };
	bool quoted = false;
	size_t i;

	for (i = 0; i < rest->len; i++) {
		char c = rest->text[i];

		if (quoted && c == '\\' && i + 1 < rest->len)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == stop && !quoted)
			break;
	}
	head.len = MIN(i, rest->len);
	i = MIN(i + 1, rest->len);
	rest->text += i;
	rest->len -= i;
	return trim(head);
}

/* The value of a parameter without its quotes, or a span of length 0 with text NULL. */
static struct span param(struct span params, const char *key)
{
	while (params.len > 0) {
		struct span value = cut(&params, ';');
		struct span name = cut(&value, '=');

		if (!is_word(name, key))
			continue;
		value = trim(value);
		if (value.len >= 2 && value.text[0] == '"' && value.text[value.len - 1] == '"') {
			value.text++;
			value.len -= 2;
		}
		return value;
	}
	return (struct span){ NULL, 0 };
}

/* RFC 9110: 0 to 1 with at most three decimals.  What is no weight wants nothing. */
static unsigned int weight_milli(struct span q)
{
	unsigned int milli, place = 100;

	if (q.text == NULL)
		return 1000;
	if (q.len < 1 || q.len > 5 || (q.text[0] != '0' && q.text[0] != '1'))
		return 0;
	milli = q.text[0] == '1' ? 1000 : 0;
	if (q.len > 1 && q.text[1] != '.')
		return 0;
	for (size_t i = 2; i < q.len; i++) {
		if (q.text[i] < '0' || q.text[i] > '9')
			return 0;
		milli += (unsigned int)(q.text[i] - '0') * place;
		place /= 10;
	}
	return MIN(milli, 1000u);
}

static bool next_item(struct span *rest, struct item *ret)
{
	while (rest->len > 0) {
		struct span part = cut(rest, ',');

		if (part.len == 0)
			continue;
		ret->name = cut(&part, ';');
		ret->params = part;
		ret->q_milli = weight_milli(param(part, "q"));
		return true;
	}
	return false;
}

enum exposition accept_exposition(const char *accept)
{
	struct span rest = { accept, accept ? strlen(accept) : 0 };
	unsigned int open_milli = 0, text_milli = 0;
	int text_rank = -1; /* how exactly text/plain was named so far */
	struct item item;

	while (next_item(&rest, &item)) {
		int rank = is_word(item.name, "text/plain") ? 2
			   : is_word(item.name, "text/*")   ? 1
			   : is_word(item.name, "*/*")      ? 0
							    : -1;

		if (is_word(item.name, "application/openmetrics-text")) {
			struct span version = param(item.params, "version");

			if (version.text == NULL || is_word(version, "1.0.0"))
				open_milli = MAX(open_milli, item.q_milli);
		} else if (rank > text_rank) {
			text_rank = rank;
			text_milli = item.q_milli;
		} else if (rank == text_rank && rank >= 0) {
			text_milli = MAX(text_milli, item.q_milli);
		}
	}
	return open_milli > 0 && open_milli >= text_milli ? EXPOSITION_OPENMETRICS
							  : EXPOSITION_TEXT;
}

bool accept_gzip(const char *accept_encoding)
{
	struct span rest = { accept_encoding, accept_encoding ? strlen(accept_encoding) : 0 };
	unsigned int gzip_milli = 0, any_milli = 0, identity_milli = 0;
	bool named = false;
	struct item item;

	while (next_item(&rest, &item)) {
		if (is_word(item.name, "gzip") || is_word(item.name, "x-gzip")) {
			gzip_milli = item.q_milli;
			named = true;
		} else if (is_word(item.name, "*")) {
			any_milli = item.q_milli;
		} else if (is_word(item.name, "identity")) {
			identity_milli = item.q_milli;
		}
	}
	if (!named)
		gzip_milli = any_milli;
	return gzip_milli > 0 && gzip_milli >= identity_milli;
}
