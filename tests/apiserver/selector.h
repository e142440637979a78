/* SPDX-License-Identifier: Apache-2.0 */
/* Selector: fieldSelector and labelSelector, read once and asked often.  Pure. */
#ifndef FAKE_APISERVER_SELECTOR_H
#define FAKE_APISERVER_SELECTOR_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "apiserver/store.h"

enum term_kind { TERM_IS, TERM_IS_NOT, TERM_IN, TERM_NOT_IN, TERM_HAS, TERM_HAS_NOT };

struct term {
	enum term_kind kind;
	bool field;      /* else a label */
	char *key;       /* heap */
	char **values;   /* heap, each */
	size_t n_values; /* one of "is" and "is not" */
};

struct selector {
	struct term *terms; /* all of them have to hold */
	size_t n, capacity;
};

void selector_free(struct selector *selector);
#define _selector_ _cleanup_(selector_free)
/* 0, or -EINVAL; -ENOENT: a field label that the resource does not have, in ret_bad (256 bytes). */
int selector_add_fields(struct selector *selector, const struct resource *resource,
			const char *text, char *ret_bad);
int selector_add_labels(struct selector *selector, const char *text);
bool selector_matches(const struct selector *selector, const struct version *version);

#endif
