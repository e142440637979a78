/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: what the real server fills in and what it refuses, kind by kind.  Pure but for clocks. */
#ifndef FAKE_APISERVER_RULES_H
#define FAKE_APISERVER_RULES_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "apiserver/answer.h"
#include "apiserver/resource.h"

/* Fill what is missing in a new object. */
void rules_fill(const struct resource *resource, cJSON *object);
/* A name for metadata.name, or for a label: 0, or -EINVAL and the answer says why. */
int rules_check_name(const struct resource *resource, const char *name, struct answer *answer);
/*
 * 0, or -EINVAL and the answer says why.  Fields of a status that no schema knows are taken out
 * with a warning each; when strict, they are a reason to refuse.
 */
int rules_check(const struct resource *resource, cJSON *object, bool strict, struct answer *answer);
/* The status of an AddOnPlacementScore: adds to causes, and names of unknown fields to unknown. */
void rules_check_score(cJSON *status, cJSON *causes, cJSON *unknown);
/* RFC 3339 with an upper-case T, and Z or an offset. */
bool rules_date_time(const char *text);

#endif
