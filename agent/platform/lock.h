/* SPDX-License-Identifier: Apache-2.0 */
/* Lock: one agent per node.  The lock dies with its process, however that ends. */
#ifndef PODJOULE_LOCK_H
#define PODJOULE_LOCK_H

#include <sys/types.h>

#define LOCK_DIR "/run/podjoule"

struct node_lock {
	int fd;    /* -1: none; a zeroed one is not valid, take or set it first */
	pid_t pid; /* who holds it; 0 unknown */
};

/*
 * Lock DIR/agent.lock (NULL: LOCK_DIR), making DIR where it is missing.  0 also where the file
 * cannot be made: that is logged once and we go on without.  -EBUSY: somebody else has it, and
 * ret->pid says who (the one case in which ret is written on failure; its fd is -1).
 */
int lock_take(const char *dir, struct node_lock *ret);
void lock_release(struct node_lock *lock); /* NULL and unlocked are fine */

#endif
