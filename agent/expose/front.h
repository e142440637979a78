/* SPDX-License-Identifier: Apache-2.0 */
/* Front: the page at `/` for people, one HTML file without outside assets.  Pure. */
#ifndef PODJOULE_FRONT_H
#define PODJOULE_FRONT_H

#include "expose/snapshot.h"
#include "platform/sbuf.h"

/* Append the page to out; returns out->error. */
int front_render(const struct snapshot *snapshot, struct sbuf *out);

#endif
