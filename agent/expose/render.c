/* SPDX-License-Identifier: Apache-2.0 */
/* The page that Prometheus reads: text format 0.0.4 and OpenMetrics 1.0. */
#include "expose/render.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "expose/consumers.h"
#include "expose/metrics.h"

#ifndef PODJOULE_VERSION
#define PODJOULE_VERSION "unknown"
#endif

static const struct {
	const char *name, *unit, *help;
	enum metric_type type;
} families[] = {
#define X(id, n, t, u, h) [FAMILY_##id] = { .name = n, .type = METRIC_##t, .unit = u, .help = h },
	METRIC_FAMILIES(X)
#undef X
};
_Static_assert(ARRAY_SIZE(families) == _FAMILY_MAX, "every family is described");

/* What ends the labels of a workload's series. */
struct tail {
	char text[32];
	size_t len;
};

struct metrics {
	const struct snapshot *snapshot;
	const struct consumers *consumers;
	struct sbuf *out;
	bool open_metrics;
	struct tail zone_tail[_COLUMN_MAX]; /* `,zone="package"} ` */
	/* Of the family and the sample that are being written. */
	enum family family;
	char name[96]; /* of its samples */
	size_t name_len;
	bool begun; /* HELP and TYPE are out: a family without samples leaves no trace */
	unsigned int labels;
	uint64_t series;
};

static const char *suffix_of(enum metric_type type)
{
	switch (type) {
	case METRIC_counter:
		return "_total";
	case METRIC_info:
		return "_info";
	default:
		return "";
	}
}

static void family(struct metrics *m, enum family id)
{
	m->family = id;
	m->begun = false;
	m->name_len = (size_t)snprintf(m->name, sizeof(m->name), "%s%s", families[id].name,
				       suffix_of(families[id].type));
}

static void begin_family(struct metrics *m)
{
	static const char *const types[] = {
		[METRIC_counter] = "counter",
		[METRIC_gauge] = "gauge",
		[METRIC_info] = "info",
		[METRIC_histogram] = "histogram",
	};
	enum metric_type type = families[m->family].type;
	const char *name = m->open_metrics ? families[m->family].name : m->name;
	const char *word = !m->open_metrics && type == METRIC_info ? "gauge" : types[type];

	m->begun = true;
	sbuf_printf(m->out, "# HELP %s %s\n", name, families[m->family].help);
	sbuf_printf(m->out, "# TYPE %s %s\n", name, word);
	if (m->open_metrics && *families[m->family].unit)
		sbuf_printf(m->out, "# UNIT %s %s\n", name, families[m->family].unit);
}

static void sample(struct metrics *m)
{
	if (!m->begun)
		begin_family(m);
	m->series++;
	m->labels = 0;
	sbuf_append(m->out, m->name, m->name_len);
}

static void label(struct metrics *m, const char *name, const char *value)
{
	sbuf_putc(m->out, m->labels++ ? ',' : '{');
	sbuf_puts(m->out, name);
	sbuf_puts(m->out, "=\"");
	sbuf_label(m->out, value);
	sbuf_putc(m->out, '"');
}

static void label_u64(struct metrics *m, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	label(m, name, text);
}

static void label_zone(struct metrics *m, const struct zone *zone)
{
	label(m, "zone", zone_kind_name(zone->kind));
	label(m, "device", zone->device);
}

static void before_value(struct metrics *m)
{
	sbuf_puts(m->out, m->labels ? "} " : " ");
}

static void value_u64(struct metrics *m, uint64_t value)
{
	before_value(m);
	sbuf_u64(m->out, value);
	sbuf_putc(m->out, '\n');
}

static void value_nano(struct metrics *m, nj_t nano)
{
	before_value(m);
	sbuf_nano(m->out, nano);
	sbuf_putc(m->out, '\n');
}

static void value_double(struct metrics *m, double value)
{
	before_value(m);
	sbuf_double(m->out, value);
	sbuf_putc(m->out, '\n');
}

static void render_node(struct metrics *m)
{
	const struct node_facts *facts = m->snapshot->facts;

	family(m, FAMILY_NODE);
	sample(m);
	label(m, "node", facts->node);
	label(m, "cpu", facts->cpu);
	label_u64(m, "sockets", facts->sockets);
	label_u64(m, "cores", facts->cores);
	label_u64(m, "threads", facts->threads);
	label(m, "kernel", facts->kernel);
	label(m, "virtual", facts->virtual ? "true" : "false");
	label(m, "tier", facts->tier);
	value_u64(m, 1);

	family(m, FAMILY_ACTIVITY);
	sample(m);
	label(m, "source", facts->activity);
	label(m, "weight", facts->weight == WEIGHT_CYCLES ? "cycles" : "time");
	label(m, "hierarchy", facts->hierarchy);
	value_u64(m, 1);
}

static void render_zones(struct metrics *m)
{
	const struct snapshot *s = m->snapshot;

	family(m, FAMILY_NODE_JOULES);
	for (size_t i = 0; i < s->n_zones; i++) {
		sample(m);
		label_zone(m, &s->zones[i].zone);
		value_nano(m, s->zones[i].nj);
	}
	family(m, FAMILY_NODE_WATTS);
	for (size_t i = 0; i < s->n_zones; i++) {
		if (!s->zones[i].interval_ns)
			continue;
		sample(m);
		label_zone(m, &s->zones[i].zone);
		value_double(m, (double)s->zones[i].interval_nj / (double)s->zones[i].interval_ns);
	}
	family(m, FAMILY_BUCKET_JOULES);
	for (size_t i = 0; i < s->n_zones; i++) {
		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++) {
			sample(m);
			label_zone(m, &s->zones[i].zone);
			label(m, "bucket", bucket_name(b));
			value_nano(m, s->zones[i].bucket_nj[b]);
		}
	}
	family(m, FAMILY_BUCKET_CPU);
	for (int b = 0; b < _BUCKET_MAX; b++) {
		sample(m);
		label(m, "bucket", bucket_name(b));
		value_nano(m, s->cpu_ns[b]);
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

static void render_kinds(struct metrics *m, enum family id, kind_figure figure)
{
	double value;

	family(m, id);
	for (int kind = 0; kind < _ZONE_KIND_MAX; kind++) {
		if (!figure(m->snapshot, kind, &value))
			continue;
		sample(m);
		label(m, "zone", zone_kind_name(kind));
		value_double(m, value);
	}
}

static bool same_source(const struct zone *a, const struct zone *b)
{
	return a->kind == b->kind && a->quality == b->quality && !strcmp(a->source, b->source);
}

static void render_sources(struct metrics *m)
{
	const struct snapshot *s = m->snapshot;

	family(m, FAMILY_SOURCE);
	for (size_t i = 0; i < s->n_zones; i++) {
		const struct zone *zone = &s->zones[i].zone;
		size_t first = 0;

		while (!same_source(&s->zones[first].zone, zone))
			first++;
		if (first < i)
			continue;
		sample(m);
		label(m, "zone", zone_kind_name(zone->kind));
		label(m, "source", zone->source);
		label(m, "quality", quality_name(zone->quality));
		value_u64(m, 1);
	}
}

/* Name and labels of a consumer's series up to the last label: a thousand times seven a page. */
static void consumer_sample(struct metrics *m, const struct consumer *consumer)
{
	sample(m);
	sbuf_putc(m->out, '{');
	sbuf_append(m->out, m->consumers->labels.text + consumer->label, consumer->label_len);
	m->labels = 1;
}

static void consumer_joules(struct metrics *m, enum family id, enum consumer_kind kind)
{
	family(m, id);
	for (size_t i = 0; i < m->consumers->n; i++) {
		const struct consumer *consumer = &m->consumers->all[i];
		const nj_t *nj = kind == CONSUMER_POD ? consumer->pod_nj : consumer->nj;

		if (consumer->kind != kind)
			continue;
		for (int c = 0; c < _COLUMN_MAX; c++) {
			if (!m->snapshot->has_column[c])
				continue;
			consumer_sample(m, consumer);
			sbuf_append(m->out, m->zone_tail[c].text, m->zone_tail[c].len);
			sbuf_nano(m->out, nj[c]);
			sbuf_putc(m->out, '\n');
		}
	}
}

static void container_count(struct metrics *m, enum family id, size_t offset)
{
	family(m, id);
	for (size_t i = 0; i < m->consumers->n; i++) {
		const struct consumer *consumer = &m->consumers->all[i];
		uint64_t count;

		if (consumer->kind != CONSUMER_CONTAINER)
			continue;
		memcpy(&count, (const char *)&consumer->usage + offset, sizeof(count));
		consumer_sample(m, consumer);
		if (id == FAMILY_CONTAINER_CPU)
			value_nano(m, count);
		else
			value_u64(m, count);
	}
}

static void container_switches(struct metrics *m)
{
	family(m, FAMILY_CONTAINER_SWITCHES);
	for (size_t i = 0; i < m->consumers->n; i++) {
		const struct consumer *consumer = &m->consumers->all[i];

		if (consumer->kind != CONSUMER_CONTAINER)
			continue;
		consumer_sample(m, consumer);
		sbuf_puts(m->out, ",kind=\"voluntary\"");
		value_u64(m, consumer->usage.voluntary);
		consumer_sample(m, consumer);
		sbuf_puts(m->out, ",kind=\"involuntary\"");
		value_u64(m, consumer->usage.involuntary);
	}
}

static void render_workloads(struct metrics *m)
{
	for (int c = 0; c < _COLUMN_MAX; c++)
		m->zone_tail[c].len =
			(size_t)snprintf(m->zone_tail[c].text, sizeof(m->zone_tail[c].text),
					 ",zone=\"%s\"} ", column_name(c));

	consumer_joules(m, FAMILY_POD_JOULES, CONSUMER_POD);
	consumer_joules(m, FAMILY_CONTAINER_JOULES, CONSUMER_CONTAINER);
	container_count(m, FAMILY_CONTAINER_CPU, offsetof(struct usage, busy_ns));
	if (m->snapshot->facts->has_counters) {
		container_count(m, FAMILY_CONTAINER_CYCLES, offsetof(struct usage, cycles));
		container_count(m, FAMILY_CONTAINER_INSTRUCTIONS,
				offsetof(struct usage, instructions));
	}
	container_switches(m);
	consumer_joules(m, FAMILY_VM_JOULES, CONSUMER_VM);
	consumer_joules(m, FAMILY_UNIT_JOULES, CONSUMER_UNIT);
}

/* Change what follows the family's name in its samples. */
static void rename_samples(struct metrics *m, size_t stem, const char *suffix)
{
	m->name_len = stem + (size_t)snprintf(m->name + stem, sizeof(m->name) - stem, "%s", suffix);
}

static void render_lateness(struct metrics *m)
{
	const struct agent_stats *stats = &m->snapshot->stats;
	uint64_t sum = 0;
	size_t stem;

	family(m, FAMILY_AGENT_LATE);
	begin_family(m);
	stem = m->name_len;
	rename_samples(m, stem, "_bucket");
	for (int i = 0; i < LATE_BUCKETS; i++) {
		sum += stats->late[i];
		sample(m);
		sbuf_puts(m->out, "{le=\"");
		if (i == LATE_BUCKETS - 1)
			sbuf_puts(m->out, "+Inf");
		else
			sbuf_double(m->out, late_bound_seconds[i]);
		if (i < LATE_BUCKETS - 1 && late_bound_seconds[i] >= 1)
			sbuf_puts(m->out, ".0"); /* OpenMetrics wants it, both read it */
		sbuf_puts(m->out, "\"} ");
		sbuf_u64(m->out, sum);
		sbuf_putc(m->out, '\n');
	}
	rename_samples(m, stem, "_sum");
	sample(m);
	value_double(m, stats->late_sum_seconds);
	rename_samples(m, stem, "_count");
	sample(m);
	value_u64(m, sum);
}

static void agent_count(struct metrics *m, enum family id, uint64_t value)
{
	family(m, id);
	sample(m);
	value_u64(m, value);
}

static void agent_seconds(struct metrics *m, enum family id, uint64_t ns)
{
	family(m, id);
	sample(m);
	value_nano(m, ns);
}

static void render_agent(struct metrics *m)
{
	const struct agent_stats *stats = &m->snapshot->stats;

	agent_count(m, FAMILY_AGENT_SAMPLES, stats->samples);
	render_lateness(m);
	agent_count(m, FAMILY_AGENT_LOST, stats->lost_events);
	agent_count(m, FAMILY_AGENT_OVERFLOW, stats->overflow_switches);
	agent_count(m, FAMILY_AGENT_DROPPED, stats->dropped);
	agent_count(m, FAMILY_AGENT_PMU_ERRORS, stats->counter_errors);
	agent_count(m, FAMILY_AGENT_TORN, stats->torn_reads);
	agent_count(m, FAMILY_AGENT_FOLDED, stats->folded);
	agent_seconds(m, FAMILY_AGENT_CPU, stats->cpu_ns);
	if (stats->has_bpf_ns)
		agent_seconds(m, FAMILY_AGENT_BPF, stats->bpf_ns);
	agent_count(m, FAMILY_AGENT_RESIDENT, stats->resident_bytes);

	family(m, FAMILY_BUILD);
	sample(m);
	label(m, "version", PODJOULE_VERSION);
	value_u64(m, 1);

	agent_count(m, FAMILY_AGENT_SERIES, m->series + 1);
}

int render_metrics(const struct snapshot *snapshot, enum exposition format, struct sbuf *out)
{
	_consumers_ struct consumers consumers = { 0 };
	struct metrics m = { .snapshot = snapshot,
			     .consumers = &consumers,
			     .out = out,
			     .open_metrics = format == EXPOSITION_OPENMETRICS };
	int r = consumers_collect(snapshot, &consumers);

	if (r < 0) {
		out->error = out->error ? out->error : r;
		return out->error;
	}

	render_node(&m);
	render_zones(&m);
	render_kinds(&m, FAMILY_NODE_STDDEV, stddev_of);
	render_kinds(&m, FAMILY_ZONE_ERROR, error_of);
	render_kinds(&m, FAMILY_ZONE_UNKNOWN, unknown_of);
	render_sources(&m);
	render_workloads(&m);
	render_agent(&m);
	if (m.open_metrics)
		sbuf_puts(out, "# EOF\n");
	return out->error;
}
