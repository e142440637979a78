/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mailbox: the bounded queue of names, from those who ask around to the sampler.  Only the newest
 * note about one thing waits, so that it cannot hold more than there are things.
 */
#ifndef PODJOULE_MAILBOX_H
#define PODJOULE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names/names.h"
#include "names/pod.h"

struct mailbox;

enum note_kind {
	NOTE_POD,      /* pod is so */
	NOTE_POD_GONE, /* its source does not have it any more */
	NOTE_VM,       /* a cgroup turned out to be a virtual machine */
};

struct note {
	enum note_kind kind;
	enum pod_source source;
	char key[PATH_MAX_ID]; /* of the pod */
	struct pod *pod;       /* NOTE_POD: a reference, the taker's */
	uint64_t cgroup_id;    /* NOTE_VM, */
	struct name *name;     /* and who it is: a reference, the taker's */
};

/* Room for max notes.  0 or -errno (-EINVAL: no room at all). */
int mailbox_new(size_t max, struct mailbox **ret);
void mailbox_free(struct mailbox *mailbox); /* with the notes that nobody took; NULL is fine */

/* Any thread.  0, -ENOSPC: full, try again when notes have been taken, -EINVAL: a key that is empty
 * or longer than any path's.  They take references of their own.  A note about what waits already
 * replaces it, and keeps its place. */
int mailbox_pod(struct mailbox *mailbox, struct pod *pod);
int mailbox_pod_gone(struct mailbox *mailbox, enum pod_source source, const char *key);
int mailbox_vm(struct mailbox *mailbox, uint64_t cgroup_id, struct name *name);

/* The sampler: oldest first, at most max; no lock is held while they are worked on. */
size_t mailbox_take(struct mailbox *mailbox, struct note *ret, size_t max);
void note_drop(struct note *note); /* its references */

/* Who is asked: the edge says so, the sampler reads it. */
struct naming {
	bool any; /* somebody will name pods: one without a name may still get one */
	bool api; /* the API server's word on owners and functions is to be had */
};
void mailbox_set_naming(struct mailbox *mailbox, struct naming naming);
struct naming mailbox_naming(const struct mailbox *mailbox);

/* How the watch of the API server does, for the metrics. */
struct api_figures {
	bool asked;     /* there is an API server to ask */
	bool connected; /* and it answers */
	uint64_t events, relists, dropped;
};
void mailbox_set_api(struct mailbox *mailbox, const struct api_figures *figures);
void mailbox_api(struct mailbox *mailbox, struct api_figures *ret);

/* The other way: the sampler has met n containers without a name since the last call of
 * mailbox_answered(); the edge's loop is woken by the fd.  It answers first and looks then, so that
 * it sees whatever was there before any ask that it has answered. */
void mailbox_ask(struct mailbox *mailbox);
int mailbox_ask_fd(const struct mailbox *mailbox); /* readable: somebody asked */
void mailbox_answered(struct mailbox *mailbox);

#endif
