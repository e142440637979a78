/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes: the joules of a cgroup by process, for --processes=N.  A process gets the part of its
 * cgroup's energy that it has of its cgroup's CPU time; together they never get more than that.
 * Pure.
 */
#ifndef PODJOULE_PROCESSES_H
#define PODJOULE_PROCESSES_H

#include <stddef.h>
#include <stdint.h>

#include "account/ledger.h"
#include "account/tally.h"
#include "activity/process.h"

struct process_row {
	int32_t pid;
	char comm[16];      /* as of its exec */
	uint64_t cgroup_id; /* where it was last */
	struct tally used;
	uint64_t ended_ns; /* 0: alive */
};

struct processes;

int processes_new(uint32_t top, struct processes **ret); /* 0 or -ENOMEM */
void processes_free(struct processes *processes);        /* NULL is fine */
/* Once per publish, after ledger_roll(): list is what runs now. */
void processes_take(struct processes *processes, const struct process_list *list,
		    const struct ledger *ledger, uint64_t t_ns);
/* The top that used most so far, most first.  Borrowed until the next take.  NULL gives none. */
const struct process_row *processes_rows(const struct processes *processes, size_t *ret_n);

#endif
