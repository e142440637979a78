/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live: the table of `make run`.  A terminal's is redrawn in place each second; a pipe or a file
 * gets a new one every 5 s.  A reader that does not read holds nobody up: it misses a frame.
 */
#ifndef PODJOULE_LIVE_H
#define PODJOULE_LIVE_H

#include <stdbool.h>

#include "expose/snapshot.h"
#include "platform/loop.h"

struct live;

/* fd is standard output, which stays the caller's.  0 or -errno. */
int live_open(struct loop *loop, struct snapshot_pool *pool, int fd, struct live **ret);
void live_resized(struct live *live); /* on SIGWINCH; NULL is fine */
/* 0, or -errno of the write that failed and stopped the loop (-EPIPE: the reader went away). */
int live_error(const struct live *live);
void live_close(struct live *live);

/* Columns and rows of the terminal at fd; false, and both untouched, where it is none. */
bool live_terminal_size(int fd, unsigned int *ret_columns, unsigned int *ret_rows);
/* Colour is wanted: the terminal can, and NO_COLOR is not set. */
bool live_colour(int fd);

#endif
