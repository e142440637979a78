/* SPDX-License-Identifier: Apache-2.0 */
/* Render: a snapshot as text.  Pure: snapshot in, bytes out. */
#ifndef PODJOULE_RENDER_H
#define PODJOULE_RENDER_H

#include "expose/snapshot.h"
#include "platform/sbuf.h"

enum exposition { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

/* All append to out and return out->error.  Metric families come from metrics.h. */
int render_metrics(const struct snapshot *snapshot, enum exposition format, struct sbuf *out);
int render_json(const struct snapshot *snapshot, struct sbuf *out); /* CONTRACT section 4 */
int render_csv(const struct snapshot *snapshot, struct sbuf *out);

/* RFC 3339 in UTC with nanoseconds: "2026-01-01T00:00:00.125000000Z". */
int render_time(struct sbuf *out, uint64_t wall_ns);

struct table_style {
	unsigned int width; /* columns of the terminal */
	unsigned int rows;  /* workloads shown at most; 0: all */
	bool colour;
	const struct snapshot
		*before; /* live: watts and shares since then; NULL: since the start */
};
/* The table of `make run` and of -o table: node, buckets, workloads by joules, quality in sight. */
int render_table(const struct snapshot *snapshot, const struct table_style *style,
		 struct sbuf *out);

#endif
