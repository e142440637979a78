/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kube: the pods of this node as the API server tells of them: list, then watch, for ever.  It
 * needs `pods` get, list and watch and nothing else.
 */
#ifndef PODJOULE_KUBE_H
#define PODJOULE_KUBE_H

#include <stdbool.h>
#include <stdint.h>

#include "names/mailbox.h"
#include "platform/fetch.h"
#include "platform/loop.h"

struct kube;

struct kube_config {
	const char *server;        /* NULL: in-cluster, from the environment */
	const char *token_file;    /* NULL: in-cluster where it exists, else none */
	const char *ca_file;       /* NULL: in-cluster where it exists, else the system's */
	const char *node;          /* of fieldSelector=spec.nodeName */
	const char *const *labels; /* --pod-label: keys to copy; NULL at the end */
	uint32_t max_pods;         /* what is beyond is counted */
};

struct kube_state {
	bool connected;      /* a list succeeded, and nothing has failed since */
	bool tried;          /* the first attempt has an outcome */
	uint64_t last_ok_ns; /* CLOCK_MONOTONIC of the newest answer; 0: never */
	uint64_t pods;       /* known now */
	uint64_t events;     /* taken from watches */
	uint64_t relists;    /* lists after the first */
	uint64_t dropped;    /* pods that found no room, objects that were no pods */
};

/* -ENOENT: no server is configured and this is no cluster. */
int kube_open(struct loop *loop, struct fetcher *fetcher, const struct kube_config *config,
	      struct mailbox *mailbox, struct kube **ret);
void kube_state(const struct kube *kube, struct kube_state *ret);
void kube_close(struct kube *kube); /* NULL is fine */

#endif
