/* SPDX-License-Identifier: Apache-2.0 */
/* Clip: text that fits, without half a character at its end.  Pure. */
#ifndef PODJOULE_CLIP_H
#define PODJOULE_CLIP_H

#include <stddef.h>

/* Bytes of text, at most max, that do not end within a UTF-8 character.  NULL counts as "". */
size_t clip_len(const char *text, size_t max);
/* As much of text as fits into size; the rest of ret is 0, so that equal texts are equal bytes. */
void clip_copy(const char *text, char *ret, size_t size);

#endif
