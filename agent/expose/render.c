/* SPDX-License-Identifier: Apache-2.0 */
/* The page that Prometheus reads: text format 0.0.4 and OpenMetrics 1.0. */
#include "expose/render.h"

#include <math.h>
#include <string.h>

#include "expose/family.h"

#ifndef PODJOULE_VERSION
#define PODJOULE_VERSION "unknown"
#endif

static void label_zone(struct page *page, const struct zone *zone)
{
	sample_label(page, "zone", zone_kind_name(zone->kind));
	sample_label(page, "device", zone->device);
}

static void render_node(struct page *page)
{
	const struct node_facts *facts = page->snapshot->facts;

	family_open(page, FAMILY_NODE);
	sample_begin(page);
	sample_label(page, "node", facts->node);
	sample_label(page, "cpu", facts->cpu);
	sample_label_u64(page, "sockets", facts->sockets);
	sample_label_u64(page, "cores", facts->cores);
	sample_label_u64(page, "threads", facts->threads);
	sample_label(page, "kernel", facts->kernel);
	sample_label(page, "virtual", facts->virtual ? "true" : "false");
	sample_label(page, "tier", facts->tier);
	sample_u64(page, 1);

	family_open(page, FAMILY_ACTIVITY);
	sample_begin(page);
	sample_label(page, "source", facts->activity);
	sample_label(page, "weight", facts->weight == WEIGHT_CYCLES ? "cycles" : "time");
	sample_label(page, "hierarchy", facts->hierarchy);
	sample_u64(page, 1);
}

static void render_zones(struct page *page)
{
	const struct snapshot *s = page->snapshot;

	family_open(page, FAMILY_NODE_JOULES);
	for (size_t i = 0; i < s->n_zones; i++) {
		sample_begin(page);
		label_zone(page, &s->zones[i].zone);
		sample_nano(page, s->zones[i].nj);
	}
	family_open(page, FAMILY_NODE_WATTS);
	for (size_t i = 0; i < s->n_zones; i++) {
		if (!s->zones[i].interval_ns)
			continue;
		sample_begin(page);
		label_zone(page, &s->zones[i].zone);
		sample_double(page,
			      (double)s->zones[i].interval_nj / (double)s->zones[i].interval_ns);
	}
	family_open(page, FAMILY_BUCKET_JOULES);
	for (size_t i = 0; i < s->n_zones; i++) {
		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++) {
			sample_begin(page);
			label_zone(page, &s->zones[i].zone);
			sample_label(page, "bucket", bucket_name(b));
			sample_nano(page, s->zones[i].bucket_nj[b]);
		}
	}
	family_open(page, FAMILY_BUCKET_CPU);
	for (int b = 0; b < _BUCKET_MAX; b++) {
		sample_begin(page);
		sample_label(page, "bucket", bucket_name(b));
		sample_nano(page, s->cpu_ns[b]);
	}
}

/* One figure for all devices of a kind; false: there is none. */
typedef bool (*kind_figure)(const struct snapshot *s, enum zone_kind kind, double *ret);

static bool stddev_of(const struct snapshot *s, enum zone_kind kind, double *ret)
{
	bool found = false;
	double sum = 0;

	for (size_t i = 0; i < s->n_zones; i++) {
		if (s->zones[i].zone.kind != kind || !s->zones[i].interval_ns)
			continue;
		sum += s->zones[i].stddev_joules * s->zones[i].stddev_joules;
		found = true;
	}
	*ret = sqrt(sum);
	return found;
}

/* Systematic errors have one sign: they add by energy, not in squares. */
static bool error_of(const struct snapshot *s, enum zone_kind kind, double *ret)
{
	double sum = 0, joules = 0, largest = -1;

	for (size_t i = 0; i < s->n_zones; i++) {
		const struct zone *zone = &s->zones[i].zone;

		if (zone->kind != kind)
			continue;
		sum += zone->error_ratio * (double)s->zones[i].nj;
		joules += (double)s->zones[i].nj;
		largest = fmax(largest, zone->error_ratio);
	}
	*ret = joules > 0 ? sum / joules : largest;
	return largest >= 0;
}

static bool unknown_of(const struct snapshot *s, enum zone_kind kind, double *ret)
{
	double largest = -1;

	for (size_t i = 0; i < s->n_zones; i++) {
		if (s->zones[i].zone.kind == kind)
			largest = fmax(largest, s->zones[i].unknown_seconds);
	}
	*ret = largest;
	return largest >= 0;
}

static void render_kinds(struct page *page, enum family id, kind_figure figure)
{
	double value;

	family_open(page, id);
	for (int kind = 0; kind < _ZONE_KIND_MAX; kind++) {
		if (!figure(page->snapshot, kind, &value))
			continue;
		sample_begin(page);
		sample_label(page, "zone", zone_kind_name(kind));
		sample_double(page, value);
	}
}

static bool same_source(const struct zone *a, const struct zone *b)
{
	return a->kind == b->kind && a->quality == b->quality && !strcmp(a->source, b->source);
}

static void render_sources(struct page *page)
{
	const struct snapshot *s = page->snapshot;

	family_open(page, FAMILY_SOURCE);
	for (size_t i = 0; i < s->n_zones; i++) {
		const struct zone *zone = &s->zones[i].zone;
		size_t first = 0;

		while (!same_source(&s->zones[first].zone, zone))
			first++;
		if (first < i)
			continue;
		sample_begin(page);
		sample_label(page, "zone", zone_kind_name(zone->kind));
		sample_label(page, "source", zone->source);
		sample_label(page, "quality", quality_name(zone->quality));
		sample_u64(page, 1);
	}
}

static void render_lateness(struct page *page)
{
	const struct agent_stats *stats = &page->snapshot->stats;
	uint64_t sum = 0;

	family_open(page, FAMILY_AGENT_LATE);
	family_suffix(page, "_bucket");
	for (int i = 0; i < LATE_BUCKETS; i++) {
		sum += stats->late[i];
		sample_begin(page);
		sbuf_puts(page->out, "{le=\"");
		if (i == LATE_BUCKETS - 1)
			sbuf_puts(page->out, "+Inf");
		else
			sbuf_double(page->out, late_bound_seconds[i]);
		if (i < LATE_BUCKETS - 1 && late_bound_seconds[i] >= 1)
			sbuf_puts(page->out, ".0"); /* OpenMetrics wants it, both read it */
		sbuf_puts(page->out, "\"} ");
		sbuf_u64(page->out, sum);
		sbuf_putc(page->out, '\n');
	}
	family_suffix(page, "_sum");
	sample_begin(page);
	sample_double(page, stats->late_sum_seconds);
	family_suffix(page, "_count");
	sample_begin(page);
	sample_u64(page, sum);
}

static void agent_count(struct page *page, enum family id, uint64_t value)
{
	family_open(page, id);
	sample_begin(page);
	sample_u64(page, value);
}

static void agent_seconds(struct page *page, enum family id, uint64_t ns)
{
	family_open(page, id);
	sample_begin(page);
	sample_nano(page, ns);
}

static void render_folded(struct page *page)
{
	const struct agent_stats *stats = &page->snapshot->stats;

	family_open(page, FAMILY_AGENT_FOLDED);
	sample_begin(page);
	sample_label(page, "level", "cgroup");
	sample_u64(page, stats->folded);
	sample_begin(page);
	sample_label(page, "level", "pod");
	sample_u64(page, stats->folded_pods);
	for (int kind = 0; kind < _GROUP_KIND_MAX; kind++) {
		sample_begin(page);
		sample_label(page, "level", group_kind_name(kind));
		sample_u64(page, stats->folded_groups[kind]);
	}
}

static void render_api(struct page *page)
{
	const struct agent_stats *stats = &page->snapshot->stats;

	agent_count(page, FAMILY_AGENT_API, stats->api_connected);
	agent_count(page, FAMILY_AGENT_API_EVENTS, stats->api_events);
	agent_count(page, FAMILY_AGENT_API_RELISTS, stats->api_relists);
	agent_count(page, FAMILY_AGENT_API_DROPPED, stats->api_dropped);
}

/* The last family: its own series count as well. */
static void render_series(struct page *page)
{
	uint64_t series[_LEVEL_MAX];

	memcpy(series, page->series, sizeof(series));
	series[LEVEL_agent] += _LEVEL_MAX;
	family_open(page, FAMILY_AGENT_SERIES);
	for (int level = 0; level < _LEVEL_MAX; level++) {
		sample_begin(page);
		sample_label(page, "level", metric_level_name(level));
		sample_u64(page, series[level]);
	}
}

static void render_agent(struct page *page)
{
	const struct agent_stats *stats = &page->snapshot->stats;

	agent_count(page, FAMILY_AGENT_SAMPLES, stats->samples);
	render_lateness(page);
	agent_count(page, FAMILY_AGENT_LOST, stats->lost_events);
	agent_count(page, FAMILY_AGENT_OVERFLOW, stats->overflow_switches);
	agent_count(page, FAMILY_AGENT_DROPPED, stats->dropped);
	agent_count(page, FAMILY_AGENT_PMU_ERRORS, stats->counter_errors);
	agent_count(page, FAMILY_AGENT_TORN, stats->torn_reads);
	render_folded(page);
	if (stats->watches_api)
		render_api(page);
	agent_seconds(page, FAMILY_AGENT_CPU, stats->cpu_ns);
	if (stats->has_bpf_ns)
		agent_seconds(page, FAMILY_AGENT_BPF, stats->bpf_ns);
	agent_count(page, FAMILY_AGENT_RESIDENT, stats->resident_bytes);

	family_open(page, FAMILY_BUILD);
	sample_begin(page);
	sample_label(page, "version", PODJOULE_VERSION);
	sample_u64(page, 1);

	render_series(page);
}

int render_metrics(const struct snapshot *snapshot, enum exposition format, struct sbuf *out)
{
	struct page page = { .snapshot = snapshot,
			     .out = out,
			     .open_metrics = format == EXPOSITION_OPENMETRICS };
	int r;

	render_node(&page);
	render_zones(&page);
	render_kinds(&page, FAMILY_NODE_STDDEV, stddev_of);
	render_kinds(&page, FAMILY_ZONE_ERROR, error_of);
	render_kinds(&page, FAMILY_ZONE_UNKNOWN, unknown_of);
	render_sources(&page);
	r = render_workloads(&page);
	if (r < 0)
		out->error = out->error ? out->error : r;
	render_agent(&page);
	if (page.open_metrics)
		sbuf_puts(out, "# EOF\n");
	return out->error;
}
