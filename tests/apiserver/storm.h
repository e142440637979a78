/* SPDX-License-Identifier: Apache-2.0 */
/* Storm: many changes of pods a second, made inside the server. */
#ifndef FAKE_APISERVER_STORM_H
#define FAKE_APISERVER_STORM_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

struct server;

struct storm {
	bool running;
	bool restart; /* each change is a restart of a container: a new ID */
	uint64_t begun_ns, rate, total, made;
	char (*pods)[2][256]; /* namespace and name of each; heap */
	uint64_t n_pods;
};

/* Read {"events_per_second":…,"seconds":…,"node":…,"pods":…,"restart":bool} and begin; pods that
 * are missing on the node are made.  0, or -EINVAL and ret_why (128 bytes) says what is wrong. */
int storm_begin(struct server *server, const cJSON *tree, char *ret_why);
/* Make what is due. */
void storm_tick(struct server *server, uint64_t now_ns);
void storm_end(struct storm *storm);

#endif
