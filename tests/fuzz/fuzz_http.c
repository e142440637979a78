/* SPDX-License-Identifier: Apache-2.0 */
/* Accept headers are the part of HTTP that we read ourselves.  Any bytes; order does not matter. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "expose/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Elements that say nothing change nothing: the answer to "h" is the answer to " ,h, ". */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 5);
	size_t len;

	if (!text)
		return 0;
	memcpy(text, " ,", 2);
	memcpy(text + 2, data, size);
	text[size + 2] = '\0';
	len = strlen(text + 2);

	enum exposition format = accept_exposition(text + 2);
	bool gzip = accept_gzip(text + 2);

	if (accept_exposition(text) != format || accept_gzip(text) != gzip)
		abort();
	/* An open quotation would swallow what follows it. */
	if (!memchr(text + 2, '"', len)) {
		memcpy(text + 2 + len, ", ", 3);
		if (accept_exposition(text) != format || accept_gzip(text) != gzip)
			abort();
	}
	free(text);
	return 0;
}
