/* SPDX-License-Identifier: Apache-2.0 */
/* Local asks: containers that wait for their files to appear; a bounded list.  Pure. */
#ifndef PODJOULE_LOCAL_ASKS_H
#define PODJOULE_LOCAL_ASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names/path.h"

#define ASKS_MAX 1024

struct ask {
	char id[PATH_MAX_ID];
	char uid[40];
	unsigned int tries; /* that failed since it was asked for */
	uint64_t due_ns;
};

struct asks {
	struct ask *list;
	size_t n, capacity;
};

/* To be tried in a moment.  0, -EEXIST: it waits already, -ENOSPC, -ENOMEM. */
int asks_add(struct asks *asks, const char *id, const char *uid, uint64_t now_ns);
/* Take out one that is due; it was tried in vain: put it back, unless it was the last time. */
bool asks_take(struct asks *asks, uint64_t now_ns, struct ask *ret);
void asks_put_back(struct asks *asks, const struct ask *ask, uint64_t now_ns);
bool asks_has(const struct asks *asks, const char *id);
void asks_drop(struct asks *asks, const char *id); /* it has its name */
uint64_t asks_next_ns(const struct asks *asks);    /* 0: nobody waits */
void asks_free(struct asks *asks);

#endif
