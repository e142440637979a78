/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kube known: what the API server has told so far, told on once.  It keeps a line for each pod, so
 * that the same facts are posted only when they change, old ones never come back, and a new list
 * shows who is gone.  What the mailbox has no room for waits here; nothing is lost.
 */
#ifndef PODJOULE_KUBE_KNOWN_H
#define PODJOULE_KUBE_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "names/kube_pod.h"
#include "names/mailbox.h"

struct known;

struct known_state {
	uint64_t pods;    /* there, as far as is known */
	uint64_t waiting; /* for room in the mailbox */
	uint64_t dropped; /* pods that found no room here, or claimed what is another's */
};

/* Room for max_pods.  0 or -errno. */
int known_new(struct mailbox *mailbox, uint32_t max_pods, struct known **ret);
void known_free(struct known *known); /* NULL is fine */
void known_state(const struct known *known, struct known_state *ret);

/*
 * The pod is so.  trusted: whoever says it knows best, even if its version is lower than what was
 * seen (the API server's store has been restored).  0, -ENOSPC (no room for one more pod: counted),
 * -ENOMEM.
 */
int known_pod(struct known *known, const struct kube_pod *pod, bool trusted);
/* The pod is deleted; unless that uid is not the one that its key belongs to. */
void known_deleted(struct known *known, const struct kube_pod *pod);

/* A list begins: every pod that is there will be told of.  It is over, and was whole: the others
 * are gone. */
void known_list_begin(struct known *known);
void known_list_end(struct known *known);

/* Try again to post what waits; how much still does. */
uint64_t known_deliver(struct known *known);

#endif
