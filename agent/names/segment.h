/* SPDX-License-Identifier: Apache-2.0 */
/* Segment: what one directory name of a cgroup path says.  Pure. */
#ifndef PODJOULE_SEGMENT_H
#define PODJOULE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "names/path.h"

/* A piece of the path, borrowed: no NUL behind it. */
struct word {
	const char *text;
	size_t len;
};

struct segment {
	struct word name, parent, grandparent; /* len 0: there is none */
	size_t depth;                          /* 0 for the first below the root, */
	bool outside;                          /* or below what is not known */
};

struct container_match {
	const char *runtime;
	char id[PATH_MAX_ID];
};

struct pod_match {
	const char *runtime; /* "kata", "podman", or "" */
	char uid[40];        /* "" where the path has none */
	enum path_qos qos;
};

struct vm_match {
	char hypervisor[24];
	char name[PATH_MAX_UNIT];
};

/* All write *ret only when they return true. */
bool segment_is_container(const struct segment *segment, struct container_match *ret);
bool segment_is_pod(const struct segment *segment, struct pod_match *ret);
bool segment_is_vm(const struct segment *segment, struct vm_match *ret);

bool word_is(struct word word, const char *text);
bool word_ends(struct word word, const char *end);
/* What does not fit is cut off, what is left over is 0: equal names are equal bytes. */
void word_copy(struct word word, char *ret, size_t size);

#endif
