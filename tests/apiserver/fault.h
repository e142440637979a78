/* SPDX-License-Identifier: Apache-2.0 */
/* Fault: what a test has told the server to do wrong, and to whom.  Pure. */
#ifndef FAKE_APISERVER_FAULT_H
#define FAKE_APISERVER_FAULT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULTS_MAX 64

/* What a request wants; a fault for "any" is for all of them. */
enum request_kind { KIND_ANY, KIND_WATCH, KIND_LIST, KIND_GET, KIND_WRITE };

enum fault_do {
	FAULT_HANG,           /* never answer; a watch falls silent */
	FAULT_CLOSE,          /* hang up; a watch loses its terminating chunk */
	FAULT_GARBLE,         /* bytes in the middle that are no JSON */
	FAULT_TRUNCATE,       /* half of it, and a proper end */
	FAULT_STATUS,         /* an HTTP error */
	FAULT_EXPIRE,         /* 410: as an ERROR frame of a watch, as a status of a list */
	FAULT_SLOW,           /* a few bytes at a time */
	FAULT_REORDER,        /* a watch: two events change places */
	FAULT_DUPLICATE,      /* a watch: each event twice */
	FAULT_DROP_BOOKMARKS, /* a watch: none */
};

struct fault {
	enum request_kind on;
	enum fault_do what;
	unsigned int status;
	int64_t retry_after_s; /* -1: as the real one */
	int64_t count;         /* requests that it still hits; -1: all */
	uint64_t after_events; /* of a watch: let so many pass first */
	uint64_t delay_ns;     /* slow: between two pieces */
	size_t bytes;          /* slow: in one piece; close: of the body that come through */
	bool new_only;         /* leave open watches alone */
	char path[256];        /* only where path and query contain this */
	char message[256];
};

struct faults {
	struct fault items[FAULTS_MAX];
	size_t n;
};

/* Read {"on":…,"do":…,…}: 0, or -EINVAL and ret_why (128 bytes) says what is wrong. */
int fault_read(const cJSON *tree, struct fault *ret, char *ret_why);
/* -ENOSPC: there are FAULTS_MAX. */
int faults_add(struct faults *faults, const struct fault *fault);
void faults_clear(struct faults *faults);
/* The first one that means this request; it is counted. */
bool faults_take(struct faults *faults, enum request_kind kind, const char *uri, struct fault *ret);
/* Whether it may strike a watch that is open already. */
bool fault_strikes_open(const struct fault *fault, const char *uri);

#endif
