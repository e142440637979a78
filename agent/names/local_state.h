/* SPDX-License-Identifier: Apache-2.0 */
/* Local state: what local.c and local_dirs.c share, and nobody else knows. */
#ifndef PODJOULE_LOCAL_STATE_H
#define PODJOULE_LOCAL_STATE_H

#include "names/dirwatch.h"
#include "names/local.h"
#include "names/local_asks.h"
#include "names/local_logs.h"
#include "names/local_table.h"
#include "platform/log.h"

enum local_place { PLACE_CONTAINERS, PLACE_PODS, _PLACE_MAX };

struct local {
	struct mailbox *mailbox;
	int root_fd;
	struct table table;
	struct asks asks;
	struct loop_timer *timer;
	uint64_t post_ns, rescan_ns, retry_ns, look_ns; /* when to do what again; 0: not */
	struct health runtime_health, garbage, asks_health;
	/* Of local_dirs.c. */
	struct dirwatch *watch;
	int dirs[_PLACE_MAX]; /* open only while events are worked on */
	int watch_error[_PLACE_MAX];
	struct health place_health[_PLACE_MAX];
};

/* Watch and scan the kubelet's log directories into the table.  0 or -ENOMEM. */
int local_dirs_open(struct local *local, struct loop *loop);
void local_dirs_close(struct local *local);
void local_dirs_rescan(struct local *local); /* both, whatever was told of them */
bool local_dirs_usable(const struct local *local);
/* 0: the pod has its directory; -ENOENT, or why that cannot be told. */
int local_dirs_find(struct local *local, const struct log_pod *pod);
/* What was opened to look: an open directory that is deleted would not be told of. */
void local_dirs_rest(struct local *local);

/* Of local.c.  Post what is new, and come back for what is left. */
void local_settle(struct local *local);
/* table_add() of a pod; what makes no sense is told and counted. */
int local_add_pod(struct local *local, const struct log_pod *pod, bool is_live,
		  struct table_pod **ret);
void local_ignore(struct local *local, const char *name, const char *where);
const char *local_remedy(int error); /* what to do about it */

#endif
