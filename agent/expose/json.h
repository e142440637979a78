/* SPDX-License-Identifier: Apache-2.0 */
/* Json: a snapshot's values as JSON, a key at a time.  Numbers of joules never pass a double. Pure.
 */
#ifndef PODJOULE_JSON_H
#define PODJOULE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "expose/snapshot.h"
#include "platform/sbuf.h"

struct json {
	const struct snapshot *snapshot;
	struct sbuf *out;
	bool follows; /* the next value needs a comma */
};

void json_open(struct json *json, char bracket);
void json_close(struct json *json, char bracket);
void json_item(struct json *json);                  /* the next value of a list comes */
void json_key(struct json *json, const char *name); /* our own words: nothing is escaped */
void json_null(struct json *json, const char *name);
void json_text(struct json *json, const char *name, const char *text);
void json_bool(struct json *json, const char *name, bool value);
void json_u64(struct json *json, const char *name, uint64_t value);
void json_nano(struct json *json, const char *name, nj_t nano);
void json_double(struct json *json, const char *name, double value); /* null unless finite */
void json_time(struct json *json, const char *name, uint64_t wall_ns);
/* The moment of CLOCK_MONOTONIC as wall time; 0: null. */
void json_moment(struct json *json, const char *name, uint64_t t_ns);
/* {"package":1.5,"dram":0.25}: the columns that workloads carry on this node. */
void json_joules(struct json *json, const char *name, const nj_t *nj);
void json_stddev(struct json *json, const char *name, const double *variance_nj2);

/* The lists of CONTRACT section 4 that say who used the joules.  0 or -ENOMEM. */
int json_workloads(struct json *json);

#endif
