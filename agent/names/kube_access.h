/* SPDX-License-Identifier: Apache-2.0 */
/* Kube access: where the API server is, and what shows it who we are. */
#ifndef PODJOULE_KUBE_ACCESS_H
#define PODJOULE_KUBE_ACCESS_H

#include <stdbool.h>

#include "names/kube.h"
#include "platform/sbuf.h"

#define KUBE_MAX_URL  1024
#define KUBE_MAX_NODE 253

struct kube_access {
	char server[KUBE_MAX_URL]; /* "https://10.96.0.1:443", without a slash at the end */
	char node[KUBE_MAX_NODE + 1];
	char query_node[3 * KUBE_MAX_NODE + 1]; /* percent-encoded */
	char *token_file, *ca_file;             /* NULL: the service account's, where it exists */
	bool own_token;                         /* token_file was asked for: it has to be there */
	bool secure;                            /* https */
};

/* Logs what is wrong with a flag.  0, -ENOENT (no server, no cluster), -EINVAL, -ENOMEM. */
int kube_access_open(const struct kube_config *config, struct kube_access *ret);
void kube_access_close(struct kube_access *access);

/* The file of certificates to trust, borrowed; NULL: the system's. */
const char *kube_access_ca(const struct kube_access *access);
/*
 * "Authorization: Bearer …", read anew, since tokens that are bound to a pod change every hour;
 * empty when there is none.  0, or -errno: -EINVAL (no token: empty, or bytes that no header may
 * have), -EFBIG, or why the file cannot be read.
 */
int kube_access_token(const struct kube_access *access, struct sbuf *ret);
/* Forget it: nothing of it stays in memory that others get. */
void kube_access_forget(struct sbuf *token);

#endif
