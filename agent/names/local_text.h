/* SPDX-License-Identifier: Apache-2.0 */
/* Local text: what names may be made of, before they are believed or become part of a path. */
#ifndef PODJOULE_LOCAL_TEXT_H
#define PODJOULE_LOCAL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define TEXT_MAX_LABEL     63  /* namespaces, containers of pods */
#define TEXT_MAX_SUBDOMAIN 253 /* pods */
#define TEXT_MAX_UID       36

/* A DNS label, and labels with dots between them, as Kubernetes demands: lower case. */
bool text_is_label(const char *text, size_t len);
bool text_is_subdomain(const char *text, size_t len);
/* A UUID with its dashes, or the 32 hex digits of a static pod. */
bool text_is_uid(const char *text, size_t len);
/* Lower-case hex digits, any number. */
bool text_is_hex(const char *text, size_t len);
/* [A-Za-z0-9_.-], 1 to max of them, no dot in front: safe as one component of a path. */
bool text_is_plain(const char *text, size_t len, size_t max);

#endif
