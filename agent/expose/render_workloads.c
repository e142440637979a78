/* SPDX-License-Identifier: Apache-2.0 */
/* Who used the joules: groups, pods, containers, VMs, units and processes. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "expose/consumers.h"
#include "expose/family.h"
#include "expose/sums.h"

/* What ends the labels of a series by zone: `,zone="package"} `. */
struct tail {
	char text[32];
	size_t len;
};

struct writer {
	struct page *page;
	const struct consumers *consumers;
	const struct sums *sums;
	struct tail zone_tail[_COLUMN_MAX];
};

/* One sample for each zone that workloads carry: a thousand times seven a page. */
static void joules(const struct writer *w, const struct labels *labels, size_t at, const nj_t *nj)
{
	const struct labels_entry *entry = &labels->all[at];
	struct sbuf *out = w->page->out;

	for (int c = 0; c < _COLUMN_MAX; c++) {
		if (!w->page->snapshot->has_column[c])
			continue;
		sample_begin(w->page);
		sample_labels(w->page, labels->text.text + entry->at, entry->len);
		sbuf_append(out, w->zone_tail[c].text, w->zone_tail[c].len);
		sbuf_nano(out, nj[c]);
		sbuf_putc(out, '\n');
	}
}

static void sample_of(const struct writer *w, const struct labels *labels, size_t at)
{
	const struct labels_entry *entry = &labels->all[at];

	sample_begin(w->page);
	sample_labels(w->page, labels->text.text + entry->at, entry->len);
}

/* offset: of the nj_t[_COLUMN_MAX] in struct consumer. */
static void consumer_joules(const struct writer *w, enum family id, enum consumer_kind kind,
			    size_t offset)
{
	family_open(w->page, id);
	for (size_t i = 0; i < w->consumers->n; i++) {
		const struct consumer *consumer = &w->consumers->all[i];

		if (consumer->kind == kind)
			joules(w, &w->consumers->labels, i,
			       (const nj_t *)(const void *)((const char *)consumer + offset));
	}
}

/* offset: of the uint64_t in struct usage. */
static void container_count(const struct writer *w, enum family id, size_t offset)
{
	family_open(w->page, id);
	for (size_t i = 0; i < w->consumers->n; i++) {
		const struct consumer *consumer = &w->consumers->all[i];
		uint64_t count;

		if (consumer->kind != CONSUMER_CONTAINER)
			continue;
		memcpy(&count, (const char *)&consumer->usage + offset, sizeof(count));
		sample_of(w, &w->consumers->labels, i);
		if (id == FAMILY_CONTAINER_CPU)
			sample_nano(w->page, count);
		else
			sample_u64(w->page, count);
	}
}

static void container_switches(const struct writer *w)
{
	family_open(w->page, FAMILY_CONTAINER_SWITCHES);
	for (size_t i = 0; i < w->consumers->n; i++) {
		const struct consumer *consumer = &w->consumers->all[i];

		if (consumer->kind != CONSUMER_CONTAINER)
			continue;
		sample_of(w, &w->consumers->labels, i);
		sample_label(w->page, "kind", "voluntary");
		sample_u64(w->page, consumer->usage.voluntary);
		sample_of(w, &w->consumers->labels, i);
		sample_label(w->page, "kind", "involuntary");
		sample_u64(w->page, consumer->usage.involuntary);
	}
}

static void write_consumers(const struct writer *w)
{
	const struct snapshot *snapshot = w->page->snapshot;

	consumer_joules(w, FAMILY_POD_JOULES, CONSUMER_POD,
			offsetof(struct consumer, with_containers.nj));
	consumer_joules(w, FAMILY_CONTAINER_JOULES, CONSUMER_CONTAINER,
			offsetof(struct consumer, nj));
	if (snapshot->shares_idle)
		consumer_joules(w, FAMILY_CONTAINER_IDLE, CONSUMER_CONTAINER,
				offsetof(struct consumer, idle_nj));
	container_count(w, FAMILY_CONTAINER_CPU, offsetof(struct usage, busy_ns));
	if (snapshot->facts->has_counters) {
		container_count(w, FAMILY_CONTAINER_CYCLES, offsetof(struct usage, cycles));
		container_count(w, FAMILY_CONTAINER_INSTRUCTIONS,
				offsetof(struct usage, instructions));
	}
	container_switches(w);
	consumer_joules(w, FAMILY_VM_JOULES, CONSUMER_VM, offsetof(struct consumer, nj));
	consumer_joules(w, FAMILY_UNIT_JOULES, CONSUMER_UNIT, offsetof(struct consumer, nj));
}

/* offset: of the struct tally in struct sum. */
static void sum_joules(const struct writer *w, enum family id, enum sum_kind kind, size_t offset)
{
	family_open(w->page, id);
	for (size_t i = 0; i < w->sums->n; i++) {
		const struct sum *sum = &w->sums->all[i];
		const struct tally *tally;

		if (sum->kind != kind)
			continue;
		tally = (const struct tally *)(const void *)((const char *)sum + offset);
		joules(w, &w->sums->labels, i, tally->nj);
	}
}

static void sum_cpu(const struct writer *w, enum family id, enum sum_kind kind)
{
	family_open(w->page, id);
	for (size_t i = 0; i < w->sums->n; i++) {
		if (w->sums->all[i].kind != kind)
			continue;
		sample_of(w, &w->sums->labels, i);
		sample_nano(w->page, w->sums->all[i].total.busy_ns);
	}
}

static void function_count(const struct writer *w, enum family id, size_t offset)
{
	family_open(w->page, id);
	for (size_t i = 0; i < w->sums->n; i++) {
		uint64_t count;

		if (w->sums->all[i].kind != SUM_FUNCTION)
			continue;
		memcpy(&count, (const char *)&w->sums->all[i] + offset, sizeof(count));
		sample_of(w, &w->sums->labels, i);
		sample_u64(w->page, count);
	}
}

static void write_groups(const struct writer *w)
{
	const size_t total = offsetof(struct sum, total);

	sum_joules(w, FAMILY_NAMESPACE_JOULES, SUM_NAMESPACE, total);
	sum_cpu(w, FAMILY_NAMESPACE_CPU, SUM_NAMESPACE);
	sum_joules(w, FAMILY_WORKLOAD_JOULES, SUM_WORKLOAD, total);
	sum_cpu(w, FAMILY_WORKLOAD_CPU, SUM_WORKLOAD);
	sum_joules(w, FAMILY_FUNCTION_JOULES, SUM_FUNCTION, total);
	sum_cpu(w, FAMILY_FUNCTION_CPU, SUM_FUNCTION);
	function_count(w, FAMILY_FUNCTION_PODS, offsetof(struct sum, pods));
	function_count(w, FAMILY_FUNCTION_STARTS, offsetof(struct sum, cold_starts));
	sum_joules(w, FAMILY_FUNCTION_START_JOULES, SUM_FUNCTION, offsetof(struct sum, cold));
	sum_joules(w, FAMILY_FUNCTION_OVERHEAD, SUM_FUNCTION, offsetof(struct sum, overhead));
}

int render_workloads(struct page *page)
{
	_consumers_ struct consumers consumers = { 0 };
	_sums_ struct sums sums = { 0 };
	struct writer w = { .page = page, .consumers = &consumers, .sums = &sums };
	int r;

	r = consumers_collect(page->snapshot, &consumers);
	if (r == 0)
		r = sums_collect(page->snapshot, &sums);
	if (r < 0)
		return r;
	for (int c = 0; c < _COLUMN_MAX; c++)
		w.zone_tail[c].len =
			(size_t)snprintf(w.zone_tail[c].text, sizeof(w.zone_tail[c].text),
					 ",zone=\"%s\"} ", column_name(c));
	write_groups(&w);
	write_consumers(&w);
	sum_joules(&w, FAMILY_PROCESS_JOULES, SUM_PROCESS, offsetof(struct sum, total));
	return 0;
}
