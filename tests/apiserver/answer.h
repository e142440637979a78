/* SPDX-License-Identifier: Apache-2.0 */
/* Answer: what goes back for one request, and the Status bodies that refuse one. */
#ifndef FAKE_APISERVER_ANSWER_H
#define FAKE_APISERVER_ANSWER_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "apiserver/resource.h"
#include "apiserver/store.h"
#include "platform/sbuf.h"

#define ANSWER_MAX_BYTES (256u << 20)
#define ANSWER_WARNINGS  16

struct watch;

struct answer {
	unsigned int status; /* of HTTP; 0: nothing was said yet */
	bool text;           /* text/plain, not JSON */
	bool hang_up;        /* close the connection instead of answering */
	unsigned int retry_after_s;
	struct sbuf body;
	char *warnings[ANSWER_WARNINGS];
	size_t n_warnings;
	struct watch *watch; /* owned: a stream instead of a body */
};

#define ANSWER_INIT                                                                                \
	{                                                                                          \
		.body = SBUF_INIT(ANSWER_MAX_BYTES)                                                \
	}

void answer_free(struct answer *answer);
#define _answer_ _cleanup_(answer_free)

/* One line of JSON, or of text; both end with a newline of ours. */
void answer_tree(struct answer *answer, unsigned int status, const cJSON *tree);
void answer_version(struct answer *answer, unsigned int status, const struct version *version);
void answer_text(struct answer *answer, unsigned int status, const char *text);
void answer_warn(struct answer *answer, const char *format, ...) _printf_(2, 3);

/* A failure as a Status.  Takes details, which may be NULL for none. */
void status_fail(struct answer *answer, unsigned int code, const char *reason, cJSON *details,
		 const char *format, ...) _printf_(5, 6);
/* {"name":…,"group":…,"kind":plural}; name may be NULL. */
cJSON *status_details(const struct resource *resource, const char *name);
void status_not_found(struct answer *answer, const struct resource *resource, const char *name);
void status_exists(struct answer *answer, const struct resource *resource, const char *name);
void status_modified(struct answer *answer, const struct resource *resource, const char *name);
/* 410 of a list that asks for what is forgotten. */
void status_expired(struct answer *answer);
/* One thing that is wrong with an object, for status_invalid(). */
void status_cause(cJSON *causes, const char *reason, const char *field, const char *format, ...)
	_printf_(4, 5);
/* 422; takes the causes, an array that is not empty. */
void status_invalid(struct answer *answer, const struct resource *resource, const char *name,
		    cJSON *causes);

#endif
