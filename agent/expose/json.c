/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot of CONTRACT section 4. */
#include "expose/json.h"

#include "expose/render.h"

static void write_head(struct json *json)
{
	const struct snapshot *s = json->snapshot;
	const struct node_facts *facts = s->facts;

	json_u64(json, "version", 1);
	json_text(json, "node", facts->node);
	json_time(json, "start", s->start_wall_ns);
	json_time(json, "end", s->wall_ns);
	json_u64(json, "cpus", s->cpus);
	json_text(json, "tier", facts->tier);
	json_key(json, "cpu_seconds");
	json_open(json, '{');
	for (int b = 0; b < _BUCKET_MAX; b++)
		json_nano(json, bucket_name(b), s->cpu_ns[b]);
	json_close(json, '}');
	json_key(json, "activity");
	json_open(json, '{');
	json_text(json, "source", facts->activity);
	json_text(json, "weight", facts->weight == WEIGHT_CYCLES ? "cycles" : "time");
	json_text(json, "hierarchy", facts->hierarchy);
	json_close(json, '}');
}

static void write_sources(struct json *json)
{
	json_key(json, "sources");
	json_open(json, '[');
	for (size_t i = 0; i < json->snapshot->n_zones; i++) {
		const struct zone *zone = &json->snapshot->zones[i].zone;

		json_item(json);
		json_open(json, '{');
		json_text(json, "zone", zone_kind_name(zone->kind));
		json_text(json, "device", zone->device);
		json_text(json, "source", zone->source);
		json_text(json, "quality", quality_name(zone->quality));
		json_double(json, "error_ratio", zone->error_ratio);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void write_zones(struct json *json)
{
	json_key(json, "zones");
	json_open(json, '[');
	for (size_t i = 0; i < json->snapshot->n_zones; i++) {
		const struct snapshot_zone *zone = &json->snapshot->zones[i];

		json_item(json);
		json_open(json, '{');
		json_text(json, "zone", zone_kind_name(zone->zone.kind));
		json_text(json, "device", zone->zone.device);
		json_nano(json, "joules", zone->nj);
		json_double(json, "stddev", zone->total_stddev_joules);
		json_double(json, "unknown_seconds", zone->unknown_seconds);
		json_key(json, "buckets");
		json_open(json, '{');
		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
			json_nano(json, bucket_name(b), zone->bucket_nj[b]);
		json_close(json, '}');
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void write_folded(struct json *json)
{
	static const enum bucket buckets[] = { BUCKET_CONTAINERS, BUCKET_VMS, BUCKET_SYSTEM };

	json_key(json, "folded");
	json_open(json, '{');
	for (size_t i = 0; i < ARRAY_SIZE(buckets); i++)
		json_joules(json, bucket_name(buckets[i]), json->snapshot->folded[buckets[i]].nj);
	json_close(json, '}');
}

int render_json(const struct snapshot *snapshot, struct sbuf *out)
{
	struct json json = { .snapshot = snapshot, .out = out };
	int r;

	json_open(&json, '{');
	write_head(&json);
	write_sources(&json);
	write_zones(&json);
	r = json_workloads(&json);
	if (r < 0)
		out->error = out->error ? out->error : r;
	write_folded(&json);
	json_close(&json, '}');
	sbuf_putc(out, '\n');
	return out->error;
}
