/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tree: from totals that include descendants to what each cgroup used itself, exactly: nothing is
 * booked twice, nothing falls, and what a dead child had used stays with it.  Pure.
 *
 *	own = total - sum of the living children's totals - hidden
 *
 * where hidden is what must not be booked to this cgroup: its own use before we looked, and what
 * children that are gone took with them.  Totals are read one after the other, parents first, so
 * own can be short by a moment; booked never falls and waits until own has caught up.
 */
#ifndef PODJOULE_TREE_H
#define PODJOULE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_part {
	uint64_t total;     /* last reading, descendants included */
	uint64_t child_sum; /* of the living children's totals */
	uint64_t hidden;    /* modulo 2^64: it may be negative for a while */
	uint64_t booked;    /* own time booked so far */
};

struct group {
	uint64_t id;
	struct group *parent; /* NULL: the root, or nothing above it is known */
	uint32_t row;
	uint32_t seen;           /* last scan that found it */
	int fd;                  /* of its usage file; -1: opened for each read */
	bool fresh;              /* born since the last settle */
	bool dead;               /* to be buried by the next settle */
	char *path;              /* relative to the hierarchy, "/" the root */
	struct tree_part part[]; /* [n_parts]: one, or one per package */
};

struct tree {
	struct group **groups; /* parents before their children */
	size_t n, capacity;
	unsigned int n_parts;
};

/* A group below parent; path is copied.  fd and row are the caller's to set.  NULL: no memory. */
struct group *tree_add(struct tree *tree, struct group *parent, uint64_t id, const char *path);
/* The living group that a path belongs below, climbing from near, any group close to it. */
struct group *tree_parent_of(struct group *near, const char *path);
void tree_free(struct tree *tree); /* closes no fd */

/* All groups are as they were when we came: their totals so far are nobody's. */
void tree_start(struct tree *tree);

/*
 * After parts' totals have been read: bury the dead (each(group) with booked_ns NULL; the group is
 * freed when it returns), then book what each used itself (booked_ns[n_parts], at least one > 0).
 */
void tree_settle(struct tree *tree,
		 void (*each)(void *ctx, struct group *group, const uint64_t *booked_ns),
		 void *ctx);

#endif
