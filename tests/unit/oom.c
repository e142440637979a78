/* SPDX-License-Identifier: Apache-2.0 */
#include "oom.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What ld --wrap makes of malloc and its kin: __real_x is libc's, or the sanitizer's. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);

/* Per thread: Criterion's own threads allocate too. */
static _Thread_local long left = -1; /* -1: disarmed */
static _Thread_local bool hit, last;

void oom_after(long n)
{
	left = n;
	hit = false;
}

bool oom_stop(void)
{
	left = -1;
	last = hit;
	return last;
}

bool oom_failed(void)
{
	return last;
}

static bool fails(void)
{
	if (left < 0 || left-- > 0)
		return false;
	hit = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}
