/* SPDX-License-Identifier: Apache-2.0 */
#include "names/clip.h"

#include <string.h>

#define MAX_TAIL 3 /* bytes of a UTF-8 character behind its first */

static int is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t clip_len(const char *text, size_t max)
{
	size_t len = text ? strnlen(text, max) : 0, start = len;

	if (len < max || !text || !is_tail(text[len]))
		return len;
	while (start && len - start < MAX_TAIL && is_tail(text[start]))
		start--;
	/* Bytes that are no UTF-8 have no boundary to go back to. */
	return is_tail(text[start]) ? len : start;
}

void clip_copy(const char *text, char *ret, size_t size)
{
	size_t len = clip_len(text, size - 1);

	if (len)
		memcpy(ret, text, len);
	memset(ret + len, 0, size - len);
}
