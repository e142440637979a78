/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cputime: what /proc/stat says about the whole machine, and how time is made to conserve with it:
 * the rows of an activity sum to wall time x online CPUs, whatever the clock-tick figures say.
 */
#ifndef PODJOULE_CPUTIME_H
#define PODJOULE_CPUTIME_H

#include "activity/activity.h"
#include "activity/roster.h"

struct cputime {
	int fd;     /* /proc/stat, kept open */
	char *text; /* its cpu lines */
	size_t size;
	uint64_t tick_ns;
	const struct topology *topology;
	uint64_t *last_ticks; /* [n_cpus]: busy ticks of each CPU at the last read */

	/* Since cputime_open(), never falling: */
	uint64_t task_ns; /* user, nice, system */
	uint64_t irq_ns;  /* irq, softirq */
	uint64_t steal_ns;
	uint64_t wall_ns;                             /* x online CPUs */
	uint64_t package_ns[HOST_MAX_PACKAGES];       /* busy, by the CPUs' package */
	uint64_t package_delta_ns[HOST_MAX_PACKAGES]; /* the last that moved: shares */

	uint64_t boot_task_ns, boot_irq_ns, boot_steal_ns; /* at open */
	uint64_t t_ns;
	unsigned int cpus; /* online at the last read */
};

/* Takes the first reading.  -ENODEV without /proc/stat; topology is borrowed. */
int cputime_open(const struct host *host, const struct topology *topology, struct cputime *ret);
void cputime_close(struct cputime *time);

/* Read /proc/stat again.  0 or -errno (nothing changed). */
int cputime_update(struct cputime *time);

/*
 * Close the books of a collect at t_ns: let wall time pass, then give interrupt time (up to irq_ns
 * since the start), steal and idle what is left of it.  pending_ns was used but is not booked yet,
 * so it must not become idle.  Excess of busy time over wall time, which reading counters one after
 * the other can cause, is taken back from the idle time that follows.
 */
void cputime_settle(struct cputime *time, struct roster *roster, uint64_t t_ns, uint64_t irq_ns,
		    uint64_t pending_ns);

#endif
