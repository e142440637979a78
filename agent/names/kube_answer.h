/* SPDX-License-Identifier: Apache-2.0 */
/* Kube answer: a list or a watch of pods, read as its bytes arrive.  Pure but for the mailbox. */
#ifndef PODJOULE_KUBE_ANSWER_H
#define PODJOULE_KUBE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "names/kube_known.h"
#include "names/kube_pod.h"
#include "platform/frames.h"

enum kube_phase { KUBE_LIST, KUBE_WATCH };

struct kube_answer {
	struct known *known;
	char **labels;       /* keys to copy */
	struct kube_pod pod; /* the one that is being read */
	struct frames frames;
	/* Since kube_answer_begin(): */
	enum kube_phase phase;
	bool trusted; /* as known_pod() has it */
	bool any;     /* an event or a bookmark came */
	bool expired; /* the watch ended because its version is forgotten, */
	bool refused; /* or for another reason that the server gave */
	/* For ever: */
	bool full;        /* pods found no room */
	uint64_t version; /* all up to it is known: a watch goes on from here */
	uint64_t events, dropped;
};

/* labels are copied.  0 or -ENOMEM. */
int kube_answer_init(struct kube_answer *answer, struct known *known, const char *const *labels);
void kube_answer_free(struct kube_answer *answer);

void kube_answer_begin(struct kube_answer *answer, enum kube_phase phase, bool trusted);
/*
 * 0, -ECANCELED (expired or refused say why), -EBADMSG (neither list nor watch), -E2BIG, -ENOMEM.
 * Every whole pod in it has been posted by then.
 */
int kube_answer_feed(struct kube_answer *answer, const char *bytes, size_t len);
/*
 * It has come to its end.  0: a watch that may be gone on with; a list whose version is ret_version
 * (a watch leaves it alone), and which is all there is unless ret_more says otherwise.  -EBADMSG:
 * it was in the middle, or no list of pods.  Its memory is given back.
 */
int kube_answer_end(struct kube_answer *answer, uint64_t *ret_version, bool *ret_more);

#endif
