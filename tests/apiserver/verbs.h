/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: what can be done to objects.  Each fills the answer; status 0 afterwards: the request
 * waits. */
#ifndef FAKE_APISERVER_VERBS_H
#define FAKE_APISERVER_VERBS_H

#include "apiserver/answer.h"
#include "apiserver/server.h"

void verb_list(struct request *request, struct answer *answer);
void verb_get(struct request *request, struct answer *answer);
void verb_create(struct request *request, struct answer *answer);
void verb_replace(struct request *request, struct answer *answer);
void verb_patch(struct request *request, struct answer *answer);
void verb_delete(struct request *request, struct answer *answer);
void verb_delete_all(struct request *request, struct answer *answer);
void verb_bind(struct request *request, struct answer *answer);

/* The body as an object that fits the target: NULL, and the answer says why. */
cJSON *write_body(const struct request *request, struct answer *answer);
/* Store an object that was given by name; metadata that is missing is filled.  Takes the tree. */
struct version *write_seed(struct store *store, const struct resource *resource, cJSON *object);
/*
 * What an object becomes when its owner changes it: metadata that cannot be changed comes from the
 * old one, a change of nothing is none, the last finalizer takes the object with it.  sub is
 * "status" or "".  Takes the tree.
 */
void write_change(struct request *request, struct version *old, cJSON *object, const char *sub,
		  struct answer *answer);
/* End an object at once; what comes back is its last state, with a reference. */
struct version *write_remove(struct server *server, struct version *version);
/* Make an object; takes the tree. */
void write_create(struct request *request, cJSON *object, struct answer *answer);
bool write_is_dry(const struct request *request);
bool write_is_strict(const struct request *request);
/* The body's type, without parameters; none is JSON. */
bool write_content_is(const struct request *request, const char *type);

#endif
