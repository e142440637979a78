/* SPDX-License-Identifier: Apache-2.0 */
/* Continue: the token that says where the next page of a list begins.  Pure. */
#ifndef FAKE_APISERVER_CONTINUE_H
#define FAKE_APISERVER_CONTINUE_H

#include <stdint.h>

#define PLACE_INCONSISTENT UINT64_MAX /* an rv of -1: whatever is there now */

/* After this object, in the state of this RV. */
struct place {
	uint64_t rv; /* 0: no place */
	char namespace[256], name[256];
};

/* Heap.  Tokens of one namespace's list do not name it. */
char *place_write(const struct place *place, const char *namespace);
/* 0 or -EINVAL. */
int place_read(const char *token, const char *namespace, struct place *ret);

#endif
