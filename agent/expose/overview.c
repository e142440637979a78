/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/overview.h"

#include <errno.h>
#include <string.h>

#include "expose/cells.h"

#define NS_PER_SECOND 1000000000u

enum { W_WHAT = 10, W_ZONE = 11, W_JOULES = 11, W_WATTS = 8, W_PART = 6 };

static void headline(const struct overview *o, const char *what, const char *text)
{
	overview_colour(o, COLOUR_BOLD);
	cells_put(o->out, what, W_WHAT, CELLS_LEFT);
	overview_colour(o, COLOUR_PLAIN);
	cells_put(o->out, text, o->width - W_WHAT, CELLS_CUT);
	sbuf_putc(o->out, '\n');
}

static bool same_ground(const struct zone *a, const struct zone *b)
{
	return a->quality == b->quality && !strcmp(a->source, b->source) &&
	       !(a->error_ratio < b->error_ratio) && !(a->error_ratio > b->error_ratio);
}

/* No zone before it has its source and quality (and its kind, if asked). */
static bool is_first(const struct snapshot *s, size_t zone, bool of_its_kind)
{
	const struct zone *this = &s->zones[zone].zone;

	for (size_t i = 0; i < zone; i++) {
		const struct zone *other = &s->zones[i].zone;

		if (same_ground(other, this) && (!of_its_kind || other->kind == this->kind))
			return false;
	}
	return true;
}

/* "package, dram measured (powercap); platform modelled ±35 % (model)" */
static void describe_sources(const struct snapshot *s, struct sbuf *line)
{
	for (size_t i = 0; i < s->n_zones; i++) {
		const struct zone *ground = &s->zones[i].zone;
		const char *between = line->len ? "; " : "";

		if (!is_first(s, i, false))
			continue;
		for (size_t k = i; k < s->n_zones; k++) {
			if (!is_first(s, k, true) || !same_ground(&s->zones[k].zone, ground))
				continue;
			sbuf_printf(line, "%s%s", between, zone_kind_name(s->zones[k].zone.kind));
			between = ", ";
		}
		sbuf_printf(line, " %s", quality_name(ground->quality));
		if (ground->quality != QUALITY_MEASURED)
			sbuf_printf(line, " ±%.0f %%", 100 * ground->error_ratio);
		sbuf_printf(line, " (%s)", ground->source);
	}
	if (!s->n_zones)
		sbuf_puts(line, "no source: CPU time only");
}

static const char *weight_words(const struct node_facts *facts)
{
	return facts->weight == WEIGHT_CYCLES ? "CPU cycles" : "CPU time";
}

static uint64_t elapsed_ns(const struct snapshot *s)
{
	return s->t_ns - MIN(s->t_ns, s->start_t_ns);
}

static void describe_names(const struct agent_stats *stats, struct sbuf *line)
{
	sbuf_printf(line, "pods by the API server, %s",
		    stats->api_connected ? "connected" : "not connected");
}

void overview_head(const struct overview *o)
{
	const struct node_facts *facts = o->snapshot->facts;
	_sbuf_ struct sbuf line = SBUF_INIT(4096);

	sbuf_printf(&line, "%s, tier %s, %.1f s", facts->node, facts->tier,
		    (double)elapsed_ns(o->snapshot) / NS_PER_SECOND);
	headline(o, "node", overview_text(o, &line));
	sbuf_reset(&line);
	sbuf_printf(&line, "%s, sockets %u, cores %u, threads %u%s",
		    *facts->cpu ? facts->cpu : "not known", facts->sockets, facts->cores,
		    facts->threads, facts->virtual ? ", virtual" : "");
	headline(o, "cpu", overview_text(o, &line));
	headline(o, "kernel", facts->kernel);
	sbuf_reset(&line);
	describe_sources(o->snapshot, &line);
	headline(o, "energy", overview_text(o, &line));
	sbuf_reset(&line);
	sbuf_printf(&line, "%s, weight %s%s%s", facts->activity, weight_words(facts),
		    *facts->hierarchy ? ", hierarchy " : "", facts->hierarchy);
	headline(o, "activity", overview_text(o, &line));
	if (o->snapshot->stats.watches_api) {
		sbuf_reset(&line);
		describe_names(&o->snapshot->stats, &line);
		headline(o, "names", overview_text(o, &line));
	}
	sbuf_putc(o->out, '\n');
}

/* Live: the last publish interval; else the mean since the start.  < 0: not known. */
static double zone_watts(const struct overview *o, const struct snapshot_zone *zone)
{
	uint64_t ns = elapsed_ns(o->snapshot);

	if (o->style->before)
		return zone->interval_ns ? (double)zone->interval_nj / (double)zone->interval_ns
					 : -1;
	return zone->nj && ns ? (double)zone->nj / (double)ns : -1;
}

static unsigned int bucket_width(int bucket)
{
	unsigned int width = (unsigned int)strlen(bucket_name(bucket)) + 1;

	return MAX(width, (unsigned int)W_PART);
}

static void write_zone(const struct overview *o, const struct snapshot_zone *zone)
{
	double watts = zone_watts(o, zone);
	char name[48];

	snprintf(name, sizeof(name), "%s %s", zone_kind_name(zone->zone.kind), zone->zone.device);
	cells_put(o->out, name, W_ZONE, CELLS_LEFT);
	if (zone->nj || zone->interval_ns)
		cells_number(o->out, (double)zone->nj / NS_PER_SECOND, W_JOULES);
	else
		cells_put(o->out, "unknown", W_JOULES, CELLS_RIGHT);
	if (watts >= 0)
		cells_number(o->out, watts, W_WATTS);
	else
		cells_put(o->out, "-", W_WATTS, CELLS_RIGHT);
	for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
		cells_percent(o->out, zone->nj ? (double)zone->bucket_nj[b] / (double)zone->nj : -1,
			      bucket_width(b));
	sbuf_putc(o->out, '\n');
}

void overview_zones(const struct overview *o)
{
	if (!o->snapshot->n_zones)
		return;
	overview_colour(o, COLOUR_BOLD);
	cells_put(o->out, "ZONE", W_ZONE, CELLS_LEFT);
	cells_put(o->out, "JOULES", W_JOULES, CELLS_RIGHT);
	cells_put(o->out, "WATTS", W_WATTS, CELLS_RIGHT);
	for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
		cells_put(o->out, bucket_name(b), bucket_width(b), CELLS_RIGHT);
	overview_colour(o, COLOUR_PLAIN);
	sbuf_putc(o->out, '\n');
	for (size_t i = 0; i < o->snapshot->n_zones; i++)
		write_zone(o, &o->snapshot->zones[i]);
	sbuf_putc(o->out, '\n');
}

/* "measured: package, dram; modelled: platform ±35 %": what the workloads' joules rest on. */
static void describe_ground(const struct snapshot *s, struct sbuf *line)
{
	for (int quality = 0; quality < _QUALITY_MAX; quality++) {
		bool begun = false;

		for (int c = 0; c < _COLUMN_MAX; c++) {
			double error = -1;

			for (size_t i = 0; i < s->n_zones; i++) {
				const struct snapshot_zone *zone = &s->zones[i];

				if (zone->split && zone->column == c &&
				    (int)zone->zone.quality == quality)
					error = MAX(error, zone->zone.error_ratio);
			}
			if (error < 0)
				continue;
			sbuf_printf(line, "%s%s",
				    begun       ? ", "
				    : line->len ? "; "
						: "",
				    begun ? "" : quality_name(quality));
			sbuf_printf(line, "%s%s", begun ? "" : ": ", column_name(c));
			if (quality != QUALITY_MEASURED)
				sbuf_printf(line, " ±%.0f %%", 100 * error);
			begun = true;
		}
	}
}

void overview_foot(const struct overview *o)
{
	_sbuf_ struct sbuf line = SBUF_INIT(1024);

	describe_ground(o->snapshot, &line);
	if (line.len)
		sbuf_printf(&line, "; above idle, split by %s", weight_words(o->snapshot->facts));
	else
		sbuf_puts(&line, "no energy source works here: shares are of CPU time");
	sbuf_putc(o->out, '\n');
	overview_colour(o, COLOUR_YELLOW);
	cells_put(o->out, overview_text(o, &line), o->width, CELLS_CUT);
	overview_colour(o, COLOUR_PLAIN);
	sbuf_putc(o->out, '\n');
}

const char *overview_text(const struct overview *o, const struct sbuf *text)
{
	if (text->error == -ENOMEM && !o->out->error)
		o->out->error = text->error;
	return text->text ? text->text : "";
}

void overview_colour(const struct overview *o, const char *code)
{
	if (o->style->colour)
		sbuf_puts(o->out, code);
}
