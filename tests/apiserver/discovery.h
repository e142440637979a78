/* SPDX-License-Identifier: Apache-2.0 */
/* Discovery: what a client asks before it asks for objects.  Pure. */
#ifndef FAKE_APISERVER_DISCOVERY_H
#define FAKE_APISERVER_DISCOVERY_H

#include <stdbool.h>

#include "apiserver/answer.h"

/* True when the path was one of /version, /healthz, /api, /apis/…, /openapi/v3/…; it is answered.
 */
bool discovery_serve(const char *path, const char *method, struct answer *answer);
/* Open to who brings no token. */
bool discovery_is_open(const char *path);

#endif
