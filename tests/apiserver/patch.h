/* SPDX-License-Identifier: Apache-2.0 */
/* Patch: the three ways to change a part of an object.  Pure. */
#ifndef FAKE_APISERVER_PATCH_H
#define FAKE_APISERVER_PATCH_H

#include <cjson/cJSON.h>

/* RFC 7386: null removes, objects merge, everything else replaces.  Takes the target, gives it back
 * changed. */
cJSON *patch_merge(cJSON *target, const cJSON *patch);
/* The same, but lists whose elements have a key (containers by name, conditions by type, scores by
 * name) merge by it, and members that begin with '$' are directives: {"$patch":"delete"} removes.
 */
cJSON *patch_by_key(cJSON *target, const cJSON *patch);
/* RFC 6902.  0, or -EINVAL and *target may be half changed: throw it away. */
int patch_operations(cJSON **target, const cJSON *operations);

#endif
