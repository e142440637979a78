/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot of CONTRACT section 4. */
#include "expose/render.h"

#include <math.h>
#include <time.h>

#include "expose/consumers.h"

#define NS_PER_SECOND 1000000000u

struct json {
	const struct snapshot *snapshot;
	const struct consumers *consumers;
	struct sbuf *out;
	bool follows; /* the next value needs a comma */
};

static void comma(struct json *j)
{
	if (j->follows)
		sbuf_putc(j->out, ',');
	j->follows = true;
}

static void key(struct json *j, const char *name)
{
	comma(j);
	sbuf_putc(j->out, '"');
	sbuf_puts(j->out, name); /* our own words: nothing to escape */
	sbuf_puts(j->out, "\":");
}

static void open_with(struct json *j, char bracket)
{
	sbuf_putc(j->out, bracket);
	j->follows = false;
}

static void close_with(struct json *j, char bracket)
{
	sbuf_putc(j->out, bracket);
	j->follows = true;
}

static void key_text(struct json *j, const char *name, const char *text)
{
	key(j, name);
	sbuf_json(j->out, text);
}

static void key_u64(struct json *j, const char *name, uint64_t value)
{
	key(j, name);
	sbuf_u64(j->out, value);
}

static void key_nano(struct json *j, const char *name, nj_t nano)
{
	key(j, name);
	sbuf_nano(j->out, nano);
}

static void key_double(struct json *j, const char *name, double value)
{
	key(j, name);
	if (isfinite(value))
		sbuf_double(j->out, value);
	else
		sbuf_puts(j->out, "null");
}

static void key_time(struct json *j, const char *name, uint64_t wall_ns)
{
	key(j, name);
	sbuf_putc(j->out, '"');
	render_time(j->out, wall_ns);
	sbuf_putc(j->out, '"');
}

/* {"package":1.5,"dram":0.25}: the columns that workloads carry on this node. */
static void key_joules(struct json *j, const char *name, const nj_t *nj)
{
	key(j, name);
	open_with(j, '{');
	for (int c = 0; c < _COLUMN_MAX; c++) {
		if (j->snapshot->has_column[c])
			key_nano(j, column_name(c), nj[c]);
	}
	close_with(j, '}');
}

static void key_stddev(struct json *j, const double *variance_nj2)
{
	key(j, "stddev");
	open_with(j, '{');
	for (int c = 0; c < _COLUMN_MAX; c++) {
		if (j->snapshot->has_column[c])
			key_double(j, column_name(c),
				   sqrt(fmax(0, variance_nj2[c])) / NS_PER_SECOND);
	}
	close_with(j, '}');
}

static void key_switches(struct json *j, const struct usage *usage)
{
	key(j, "switches");
	open_with(j, '{');
	key_u64(j, "voluntary", usage->voluntary);
	key_u64(j, "involuntary", usage->involuntary);
	close_with(j, '}');
}

static void write_head(struct json *j)
{
	const struct snapshot *s = j->snapshot;
	const struct node_facts *facts = s->facts;

	key_u64(j, "version", 1);
	key_text(j, "node", facts->node);
	key_time(j, "start", s->start_wall_ns);
	key_time(j, "end", s->wall_ns);
	key_u64(j, "cpus", s->cpus);
	key_text(j, "tier", facts->tier);
	key(j, "cpu_seconds");
	open_with(j, '{');
	for (int b = 0; b < _BUCKET_MAX; b++)
		key_nano(j, bucket_name(b), s->cpu_ns[b]);
	close_with(j, '}');
	key(j, "activity");
	open_with(j, '{');
	key_text(j, "source", facts->activity);
	key_text(j, "weight", facts->weight == WEIGHT_CYCLES ? "cycles" : "time");
	key_text(j, "hierarchy", facts->hierarchy);
	close_with(j, '}');
}

static void write_sources(struct json *j)
{
	key(j, "sources");
	open_with(j, '[');
	for (size_t i = 0; i < j->snapshot->n_zones; i++) {
		const struct zone *zone = &j->snapshot->zones[i].zone;

		comma(j);
		open_with(j, '{');
		key_text(j, "zone", zone_kind_name(zone->kind));
		key_text(j, "device", zone->device);
		key_text(j, "source", zone->source);
		key_text(j, "quality", quality_name(zone->quality));
		key_double(j, "error_ratio", zone->error_ratio);
		close_with(j, '}');
	}
	close_with(j, ']');
}

static void write_zones(struct json *j)
{
	key(j, "zones");
	open_with(j, '[');
	for (size_t i = 0; i < j->snapshot->n_zones; i++) {
		const struct snapshot_zone *zone = &j->snapshot->zones[i];

		comma(j);
		open_with(j, '{');
		key_text(j, "zone", zone_kind_name(zone->zone.kind));
		key_text(j, "device", zone->zone.device);
		key_nano(j, "joules", zone->nj);
		key_double(j, "stddev", zone->total_stddev_joules);
		key_double(j, "unknown_seconds", zone->unknown_seconds);
		key(j, "buckets");
		open_with(j, '{');
		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
			key_nano(j, bucket_name(b), zone->bucket_nj[b]);
		close_with(j, '}');
		close_with(j, '}');
	}
	close_with(j, ']');
}

static void write_container(struct json *j, const struct consumer *consumer)
{
	const struct snapshot *s = j->snapshot;
	char id[CONSUMER_ID_SIZE];

	key_text(j, "namespace", "");
	key_text(j, "pod", "");
	key_text(j, "pod_uid", consumer_pod_uid(consumer));
	key_text(j, "container", "");
	key_text(j, "container_id", consumer_id(consumer, id));
	key_text(j, "runtime", consumer_runtime(consumer));
	key_text(j, "cgroup", consumer_path(consumer));
	key(j, "function");
	sbuf_puts(j->out, "null");
	key_joules(j, "joules", consumer->nj);
	key_stddev(j, consumer->variance_nj2);
	key_nano(j, "cpu_seconds", consumer->usage.busy_ns);
	if (s->facts->has_counters) {
		key_u64(j, "cycles", consumer->usage.cycles);
		key_u64(j, "instructions", consumer->usage.instructions);
	} else {
		key(j, "cycles");
		sbuf_puts(j->out, "null");
		key(j, "instructions");
		sbuf_puts(j->out, "null");
	}
	key_switches(j, &consumer->usage);
	if (consumer->ended_ns) {
		key_time(j, "ended", s->wall_ns - (s->t_ns - MIN(s->t_ns, consumer->ended_ns)));
	} else {
		key(j, "ended");
		sbuf_puts(j->out, "null");
	}
}

static void write_pod(struct json *j, const struct consumer *consumer)
{
	key_text(j, "namespace", "");
	key_text(j, "pod", "");
	key_text(j, "pod_uid", consumer_pod_uid(consumer));
	key_joules(j, "overhead", consumer->nj);
	key_joules(j, "joules", consumer->pod_nj);
}

static void write_unit(struct json *j, const struct consumer *consumer)
{
	char id[CONSUMER_ID_SIZE];

	key_text(j, "unit", consumer_id(consumer, id));
	key_text(j, "cgroup", consumer_path(consumer));
	key_joules(j, "joules", consumer->nj);
	key_nano(j, "cpu_seconds", consumer->usage.busy_ns);
	key_switches(j, &consumer->usage);
}

static void write_vm(struct json *j, const struct consumer *consumer)
{
	char id[CONSUMER_ID_SIZE];

	key_text(j, "vm", consumer_id(consumer, id));
	key_text(j, "hypervisor", consumer_runtime(consumer));
	key_text(j, "cgroup", consumer_path(consumer));
	key_joules(j, "joules", consumer->nj);
	key_nano(j, "cpu_seconds", consumer->usage.busy_ns);
}

static void write_consumers(struct json *j, const char *name, enum consumer_kind kind,
			    void (*write)(struct json *j, const struct consumer *consumer))
{
	key(j, name);
	open_with(j, '[');
	for (size_t i = 0; i < j->consumers->n; i++) {
		if (j->consumers->all[i].kind != kind)
			continue;
		comma(j);
		open_with(j, '{');
		write(j, &j->consumers->all[i]);
		close_with(j, '}');
	}
	close_with(j, ']');
}

static void write_empty(struct json *j, const char *name)
{
	key(j, name);
	open_with(j, '[');
	close_with(j, ']');
}

static void write_folded(struct json *j)
{
	static const enum bucket buckets[] = { BUCKET_CONTAINERS, BUCKET_VMS, BUCKET_SYSTEM };

	key(j, "folded");
	open_with(j, '{');
	for (size_t i = 0; i < ARRAY_SIZE(buckets); i++)
		key_joules(j, bucket_name(buckets[i]), j->snapshot->folded[buckets[i]].nj);
	close_with(j, '}');
}

int render_json(const struct snapshot *snapshot, struct sbuf *out)
{
	_consumers_ struct consumers consumers = { 0 };
	struct json j = { .snapshot = snapshot, .consumers = &consumers, .out = out };
	int r = consumers_collect(snapshot, &consumers);

	if (r < 0) {
		out->error = out->error ? out->error : r;
		return out->error;
	}

	open_with(&j, '{');
	write_head(&j);
	write_sources(&j);
	write_zones(&j);
	write_consumers(&j, "containers", CONSUMER_CONTAINER, write_container);
	write_consumers(&j, "pods", CONSUMER_POD, write_pod);
	write_empty(&j, "workloads");
	write_empty(&j, "functions");
	write_consumers(&j, "units", CONSUMER_UNIT, write_unit);
	write_consumers(&j, "vms", CONSUMER_VM, write_vm);
	write_empty(&j, "processes");
	write_folded(&j);
	close_with(&j, '}');
	sbuf_putc(out, '\n');
	return out->error;
}

int render_time(struct sbuf *out, uint64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / NS_PER_SECOND);
	struct tm tm = { 0 };

	gmtime_r(&seconds, &tm);
	return sbuf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ", tm.tm_year + 1900,
			   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			   (unsigned int)(wall_ns % NS_PER_SECOND));
}
