/* SPDX-License-Identifier: Apache-2.0 */
/* Journal: the requests that were seen, so that a test can ask what a client did.  Pure. */
#ifndef FAKE_APISERVER_JOURNAL_H
#define FAKE_APISERVER_JOURNAL_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_SIZE 4096

struct seen {
	char *method, *uri, *user_agent, *accept;
	bool authorization;
	uint64_t time_ms;    /* since 1970 */
	unsigned int status; /* 0: no answer yet, or none at all */
};

struct journal {
	struct seen ring[JOURNAL_SIZE];
	uint64_t first, next;
};

void journal_clear(struct journal *journal);
/* Its number, for journal_status(); NULLs are fine. */
uint64_t journal_add(struct journal *journal, const char *method, const char *uri,
		     const char *user_agent, const char *accept, bool authorization);
void journal_status(struct journal *journal, uint64_t seq, unsigned int status);
/* {"requests":[…]}, oldest first. */
cJSON *journal_tree(const struct journal *journal);

#endif
