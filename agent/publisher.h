/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publisher: what happens once per publish interval, on the sampler's thread: pods and groups get
 * what came, ended series make room, and a snapshot of it all is handed to the edge.
 */
#ifndef PODJOULE_PUBLISHER_H
#define PODJOULE_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "account/ledger.h"
#include "account/processes.h"
#include "activity/activity.h"
#include "activity/process.h"
#include "config.h"
#include "expose/snapshot.h"
#include "names/mailbox.h"
#include "platform/host.h"

struct publisher {
	const struct host *host;
	const struct config *config;
	struct node_facts *facts;
	struct snapshot_pool *pool;
	struct mailbox *mailbox;
	struct ledger *ledger;
	struct agent_stats stats;

	struct process_reader *reader; /* NULL: without --processes */
	struct processes *processes;
	struct process_list list;

	struct health health; /* of the processes' reader */
	int statm_fd;         /* our own size, kept open */
	bool crowded;         /* and said so */
};

/* config, host, facts, pool, mailbox and ledger are set.  0 or -errno, which has been logged. */
int publisher_open(struct publisher *publisher, const char *hierarchy);
void publisher_close(struct publisher *publisher); /* a zeroed one with statm_fd -1 is fine */

/* What others have found out about pods and virtual machines, into the ledger. */
void publisher_take_names(struct publisher *publisher, uint64_t t_ns);
int publisher_publish(struct publisher *publisher, const struct activity *activity);

#endif
