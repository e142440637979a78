/* SPDX-License-Identifier: Apache-2.0 */
/* Store_version: how the store makes versions; nobody else does. */
#ifndef FAKE_APISERVER_STORE_VERSION_H
#define FAKE_APISERVER_STORE_VERSION_H

#include "apiserver/store.h"

/* A version under this RV with one reference.  The tree is put into order, and stays the caller's.
 */
struct version *version_new(const struct resource *resource, cJSON *tree, uint64_t rv);

#endif
