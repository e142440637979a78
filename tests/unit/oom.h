/* SPDX-License-Identifier: Apache-2.0 */
/* Oom: let the nth allocation of this thread fail.  Linked through ld --wrap. */
#ifndef PODJOULE_OOM_H
#define PODJOULE_OOM_H

#include <stdbool.h>

/* After n more that succeed, one allocation fails; those behind it succeed again. */
void oom_after(long n);
/* No more failures.  True when one has happened since oom_after(). */
bool oom_stop(void);

/*
 * Run the block with its first, second, … allocation failing, until it has run without a failure.
 * The block calls oom_stop() once what it tests has returned.
 */
#define OOM_SWEEP(n)                                                                               \
	for (long n = 0, _failed = 1; _failed && (oom_after(n), 1); _failed = oom_failed(), n++)
bool oom_failed(void); /* what the last oom_stop() returned */

#endif
