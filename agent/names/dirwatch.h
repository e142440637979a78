/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirwatch: what comes and goes in a few directories that may not be there yet, by inotify.  Until
 * one appears its nearest parent is watched: nothing is polled.
 */
#ifndef PODJOULE_DIRWATCH_H
#define PODJOULE_DIRWATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/loop.h"

#define DIRWATCH_MAX_PLACES 4

struct dirwatch;

struct dirwatch_calls {
	/* Read the directory: it has appeared or gone, or events were lost.  error: why nothing
	 * will be told of it from now on (-errno); 0 also while it is not there. */
	void (*scan)(void *ctx, size_t place, int error);
	/* An entry is there now, or is not any more. */
	void (*entry)(void *ctx, size_t place, const char *name, bool is_there);
	/* These were all for now; may be NULL. */
	void (*done)(void *ctx);
};

/* Paths are relative to root_fd; they, root_fd and calls are borrowed.  Scans each place before it
 * returns.  0, or -ENOMEM: a watch that the kernel refuses is an error of its places. */
int dirwatch_open(struct loop *loop, int root_fd, const char *const *paths, size_t n,
		  const struct dirwatch_calls *calls, void *ctx, struct dirwatch **ret);
/* Try again where a directory is not watched, and scan what is watched now or cannot be. */
void dirwatch_retry(struct dirwatch *watch);
void dirwatch_close(struct dirwatch *watch); /* NULL is fine */

#endif
