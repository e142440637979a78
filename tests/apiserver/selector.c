/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/selector.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/tree.h"

static void term_clear(struct term *term)
{
	for (size_t i = 0; i < term->n_values; i++)
		free(term->values[i]);
	free(term->values);
	free(term->key);
}

void selector_free(struct selector *selector)
{
	for (size_t i = 0; i < selector->n; i++)
		term_clear(&selector->terms[i]);
	free(selector->terms);
	*selector = (struct selector){ 0 };
}

/* A copy without the blanks around it. */
static char *trimmed(const char *text, size_t len)
{
	char *copy;

	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	copy = tree_alloc(len + 1);
	memcpy(copy, text, len);
	return copy;
}

static struct term *add_term(struct selector *selector, enum term_kind kind, bool field,
			     const char *key, size_t key_len)
{
	struct term *term;

	if (selector->n == selector->capacity) {
		size_t capacity = selector->capacity + 8;
		struct term *terms = tree_alloc(capacity * sizeof(terms[0]));

		if (selector->n > 0)
			memcpy(terms, selector->terms, selector->n * sizeof(terms[0]));
		free(selector->terms);
		selector->terms = terms;
		selector->capacity = capacity;
	}
	term = &selector->terms[selector->n++];
	*term = (struct term){ .kind = kind, .field = field, .key = trimmed(key, key_len) };
	return term;
}

static void add_value(struct term *term, const char *value, size_t len)
{
	char **values = tree_alloc((term->n_values + 1) * sizeof(values[0]));

	if (term->n_values > 0)
		memcpy(values, term->values, term->n_values * sizeof(values[0]));
	free(term->values);
	term->values = values;
	term->values[term->n_values++] = trimmed(value, len);
}

/* "a=b", "a==b", "a!=b"; -EINVAL when there is no sign in it. */
static int add_comparison(struct selector *selector, bool field, const char *text, size_t len)
{
	const char *sign = memchr(text, '=', len);
	const char *value;
	struct term *term;
	bool negated;

	if (!sign)
		return -EINVAL;
	negated = sign > text && sign[-1] == '!';
	value = sign + 1;
	if (!negated && value < text + len && *value == '=')
		value++;
	term = add_term(selector, negated ? TERM_IS_NOT : TERM_IS, field, text,
			(size_t)(sign - text) - negated);
	add_value(term, value, (size_t)(text + len - value));
	return term->key[0] ? 0 : -EINVAL;
}

static bool field_known(const struct resource *resource, const char *key)
{
	if (strcmp(key, "metadata.name") == 0 || strcmp(key, "metadata.namespace") == 0)
		return true;
	for (const char *const *f = resource->fields; f && *f; f++)
		if (strcmp(key, *f) == 0)
			return true;
	return false;
}

int selector_add_fields(struct selector *selector, const struct resource *resource,
			const char *text, char *ret_bad)
{
	while (*text) {
		size_t len = strcspn(text, ",");

		if (len > 0) {
			const char *key;
			int r = add_comparison(selector, true, text, len);

			if (r < 0)
				return r;
			key = selector->terms[selector->n - 1].key;
			if (!field_known(resource, key)) {
				ret_bad[0] = '\0';
				strncat(ret_bad, key, 255);
				return -ENOENT;
			}
		}
		text += len + (text[len] == ',');
	}
	return 0;
}

/* "key in (a, b)" and "key notin (a)": from the opening bracket on. */
static int add_set(struct selector *selector, const char *text, size_t len, const char *open)
{
	const char *end = text + len, *word = open;
	struct term *term;
	bool negated;

	while (word > text && isspace((unsigned char)word[-1]))
		word--;
	if (word - text > 6 && memcmp(word - 6, " notin", 6) == 0) {
		negated = true;
		word -= 6;
	} else if (word - text > 3 && memcmp(word - 3, " in", 3) == 0) {
		negated = false;
		word -= 3;
	} else {
		return -EINVAL;
	}
	while (end > open && isspace((unsigned char)end[-1]))
		end--;
	if (end[-1] != ')')
		return -EINVAL;
	end--;
	term = add_term(selector, negated ? TERM_NOT_IN : TERM_IN, false, text,
			(size_t)(word - text));
	for (open++; open <= end;) {
		size_t n = 0;

		while (open + n < end && open[n] != ',')
			n++;
		add_value(term, open, n);
		open += n + 1;
	}
	return 0;
}

/* The length up to the next comma that is outside of brackets. */
static size_t requirement_len(const char *text)
{
	size_t len = 0;
	bool inside = false;

	for (; text[len] && (inside || text[len] != ','); len++) {
		if (text[len] == '(')
			inside = true;
		else if (text[len] == ')')
			inside = false;
	}
	return len;
}

static int add_requirement(struct selector *selector, const char *text, size_t len)
{
	const char *open = memchr(text, '(', len);

	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	if (open)
		return add_set(selector, text, len, open);
	if (memchr(text, '=', len))
		return add_comparison(selector, false, text, len);
	if (len > 1 && text[0] == '!')
		add_term(selector, TERM_HAS_NOT, false, text + 1, len - 1);
	else if (len > 0)
		add_term(selector, TERM_HAS, false, text, len);
	return len > 0 ? 0 : -EINVAL;
}

int selector_add_labels(struct selector *selector, const char *text)
{
	while (*text) {
		size_t len = requirement_len(text);
		int r = add_requirement(selector, text, len);

		if (r < 0)
			return r;
		text += len + (text[len] == ',');
	}
	return 0;
}

static bool is_one_of(const struct term *term, const char *value)
{
	for (size_t i = 0; i < term->n_values; i++)
		if (strcmp(term->values[i], value) == 0)
			return true;
	return false;
}

static bool term_holds(const struct term *term, const struct version *version)
{
	const cJSON *from = term->field ? version->fields : version->labels;
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(from, term->key));

	if (!value && term->field)
		value = "";
	switch (term->kind) {
	case TERM_IS:
	case TERM_IN:
		return value && is_one_of(term, value);
	case TERM_IS_NOT:
	case TERM_NOT_IN:
		return !value || !is_one_of(term, value);
	case TERM_HAS:
		return value;
	case TERM_HAS_NOT:
		return !value;
	}
	return false;
}

bool selector_matches(const struct selector *selector, const struct version *version)
{
	for (size_t i = 0; i < selector->n; i++)
		if (!term_holds(&selector->terms[i], version))
			return false;
	return true;
}
