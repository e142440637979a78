/* SPDX-License-Identifier: Apache-2.0 */
/* Family: samples of metric families, as text format 0.0.4 or OpenMetrics 1.0 wants them.  Pure. */
#ifndef PODJOULE_FAMILY_H
#define PODJOULE_FAMILY_H

#include <stdbool.h>
#include <stdint.h>

#include "expose/metrics.h"
#include "expose/snapshot.h"
#include "platform/sbuf.h"

/* A page that is being written. */
struct page {
	const struct snapshot *snapshot;
	struct sbuf *out;
	bool open_metrics;
	uint64_t series[_LEVEL_MAX];
	/* Of the family and the sample that are being written. */
	enum family family;
	char name[96]; /* of its samples */
	size_t name_len;
	bool begun; /* HELP and TYPE are out: a family without samples leaves no trace */
	unsigned int labels;
};

const char *metric_level_name(enum metric_level level);

/* A family begins; its HELP and TYPE are written with its first sample. */
void family_open(struct page *page, enum family id);
/* What follows the family's name in its samples from now on; NULL: as its type wants it. */
void family_suffix(struct page *page, const char *suffix);

/* One sample: it begins, its labels, its value. */
void sample_begin(struct page *page);
void sample_label(struct page *page, const char *name, const char *value);
void sample_label_u64(struct page *page, const char *name, uint64_t value);
/* Labels as they are: `a="x",b="y"`, escaped. */
void sample_labels(struct page *page, const char *text, size_t len);
void sample_u64(struct page *page, uint64_t value);
void sample_nano(struct page *page, nj_t nano);
void sample_double(struct page *page, double value);

/* What cgroups, groups and processes used, family by family.  0 or -ENOMEM. */
int render_workloads(struct page *page);

#endif
