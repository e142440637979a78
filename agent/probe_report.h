/* SPDX-License-Identifier: Apache-2.0 */
/* Probe report: what `probe` found, as a table or as JSON (CONTRACT section 4).  Pure. */
#ifndef PODJOULE_PROBE_REPORT_H
#define PODJOULE_PROBE_REPORT_H

#include "activity/activity.h"
#include "energy/energy.h"
#include "energy/machine.h"
#include "platform/kernel.h"
#include "platform/sbuf.h"

struct probe_report {
	const char *tier;
	struct probe_list energy, activity, names;
	struct kernel_facts kernel;
	bool btf_given;          /* --btf */
	bool counters;           /* an activity source counts cycles and instructions */
	const char *cgroup_mode; /* "v1", "v2", "hybrid"; "none" */
	char hierarchy[32];      /* that owns tasks; "" none */
	struct machine_facts machine;
};

/* Both append to out and return out->error. */
int probe_report_json(const struct probe_report *report, struct sbuf *out);
/* Lines of at most width columns (40 at least); a word that is longer stands alone. */
int probe_report_table(const struct probe_report *report, unsigned int width, struct sbuf *out);

#endif
