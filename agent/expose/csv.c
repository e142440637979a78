/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row for each zone and owner, RFC 4180.  Rows of kind `node` are the zones themselves; all
 * other rows of a zone sum to them.
 */
#include "expose/render.h"

#include <math.h>
#include <string.h>

#include "expose/consumers.h"
#include "expose/utf8.h"

#define NS_PER_SECOND 1000000000u

/* One row; NULL and false leave a field empty: not known is not 0. */
struct row {
	const char *kind, *namespace, *pod, *pod_uid, *container, *container_id, *unit;
	const char *zone, *device, *quality;
	nj_t nj;
	double stddev_joules; /* < 0: not known */
	bool has_cpu;
	uint64_t cpu_ns;
};

static const char header[] = "time,kind,namespace,pod,pod_uid,container,container_id,unit,zone,"
			     "device,joules,stddev,cpu_seconds,quality\r\n";

static void field(struct sbuf *out, const char *text)
{
	bool quoted = text && strpbrk(text, "\",\r\n");

	if (quoted)
		sbuf_putc(out, '"');
	while (text && *text) {
		uint32_t code;
		size_t len = utf8_next(text, &code);

		if (code == '"')
			sbuf_putc(out, '"');
		if (code == UTF8_REPLACEMENT)
			sbuf_puts(out, "\xef\xbf\xbd");
		else
			sbuf_append(out, text, len);
		text += len;
	}
	if (quoted)
		sbuf_putc(out, '"');
	sbuf_putc(out, ',');
}

static void write_row(struct sbuf *out, const struct snapshot *snapshot, const struct row *row)
{
	render_time(out, snapshot->wall_ns);
	sbuf_putc(out, ',');
	field(out, row->kind);
	field(out, row->namespace);
	field(out, row->pod);
	field(out, row->pod_uid);
	field(out, row->container);
	field(out, row->container_id);
	field(out, row->unit);
	field(out, row->zone);
	field(out, row->device);
	sbuf_nano(out, row->nj);
	sbuf_putc(out, ',');
	if (row->stddev_joules >= 0)
		sbuf_double(out, row->stddev_joules);
	sbuf_putc(out, ',');
	if (row->has_cpu)
		sbuf_nano(out, row->cpu_ns);
	sbuf_putc(out, ',');
	sbuf_puts(out, row->quality ? row->quality : "");
	sbuf_puts(out, "\r\n");
}

/* A column is as good as the worst zone in it. */
static const char *column_quality(const struct snapshot *snapshot, int column)
{
	enum quality worst = QUALITY_MEASURED;

	for (size_t i = 0; i < snapshot->n_zones; i++) {
		const struct snapshot_zone *zone = &snapshot->zones[i];

		if (zone->split && zone->column == column)
			worst = MAX(worst, zone->zone.quality);
	}
	return quality_name(worst);
}

static void write_zones(struct sbuf *out, const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->n_zones; i++) {
		const struct snapshot_zone *zone = &snapshot->zones[i];

		write_row(out, snapshot,
			  &(struct row){ .kind = "node",
					 .zone = zone_kind_name(zone->zone.kind),
					 .device = zone->zone.device,
					 .quality = quality_name(zone->zone.quality),
					 .nj = zone->nj,
					 .stddev_joules = zone->total_stddev_joules });
	}
}

/* What no consumer of the column has: idle, kernel, unattributed; and what was folded. */
static void write_rest(struct sbuf *out, const struct snapshot *snapshot,
		       const struct consumers *consumers, int column)
{
	for (int b = 0; b < _BUCKET_ENERGY_MAX; b++) {
		const struct bucket_rest *rest = &consumers->rest[b];
		bool folded = b == BUCKET_SYSTEM || b == BUCKET_CONTAINERS || b == BUCKET_VMS;

		if (folded && !rest->nj[column] && !rest->busy_ns)
			continue;
		write_row(out, snapshot,
			  &(struct row){ .kind = folded ? "ended" : bucket_name(b),
					 .unit = folded ? bucket_name(b) : NULL,
					 .zone = column_name(column),
					 .quality = column_quality(snapshot, column),
					 .nj = rest->nj[column],
					 .stddev_joules = -1,
					 .has_cpu = true,
					 .cpu_ns = rest->busy_ns });
	}
}

static void write_consumer(struct sbuf *out, const struct snapshot *snapshot,
			   const struct consumer *consumer, int column)
{
	char id[CONSUMER_ID_SIZE];
	struct row row = { .kind = consumer_kind_name(consumer->kind),
			   .namespace = consumer_namespace(consumer),
			   .pod = consumer_pod_name(consumer),
			   .pod_uid = consumer_pod_uid(consumer),
			   .container = consumer_container_name(consumer),
			   .zone = column_name(column),
			   .quality = column_quality(snapshot, column),
			   .nj = consumer->nj[column],
			   .stddev_joules =
				   sqrt(fmax(0, consumer->variance_nj2[column])) / NS_PER_SECOND,
			   .has_cpu = true,
			   .cpu_ns = consumer->usage.busy_ns };

	if (consumer->kind == CONSUMER_CONTAINER)
		row.container_id = consumer_id(consumer, id);
	else if (consumer->kind != CONSUMER_POD)
		row.unit = consumer_id(consumer, id);
	write_row(out, snapshot, &row);
}

int render_csv(const struct snapshot *snapshot, struct sbuf *out)
{
	_consumers_ struct consumers consumers = { 0 };
	int r = consumers_collect(snapshot, &consumers);

	if (r < 0) {
		out->error = out->error ? out->error : r;
		return out->error;
	}

	sbuf_puts(out, header);
	write_zones(out, snapshot);
	for (int c = 0; c < _COLUMN_MAX; c++) {
		if (!snapshot->has_column[c])
			continue;
		write_rest(out, snapshot, &consumers, c);
		for (size_t i = 0; i < consumers.n; i++)
			write_consumer(out, snapshot, &consumers.all[i], c);
	}
	return out->error;
}
