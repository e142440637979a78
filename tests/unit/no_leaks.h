/* SPDX-License-Identifier: Apache-2.0 */
/* No leaks: Criterion ignores what LeakSanitizer says at exit, so ask it before, and die of it. */
#ifndef PODJOULE_NO_LEAKS_H
#define PODJOULE_NO_LEAKS_H

#include <stdlib.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define NO_LEAKS_CHECKED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define NO_LEAKS_CHECKED 1
#endif

#ifdef NO_LEAKS_CHECKED
#include <sanitizer/lsan_interface.h>
#endif

static inline void no_leaks(void)
{
#ifdef NO_LEAKS_CHECKED
	if (__lsan_do_recoverable_leak_check())
		abort();
#endif
}

#endif
