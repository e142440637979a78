/* SPDX-License-Identifier: Apache-2.0 */
#include "energy/energy.h"

#include <errno.h>
#include <string.h>

#include "platform/log.h"
#include "platform/parse.h"
#include "platform/sbuf.h"
#include "platform/scope.h"

/* Best first; --energy overrides the order. */
static const struct energy_driver *const drivers[] = { &energy_powercap, &energy_model };

const char *const energy_driver_names[] = { "powercap", "model", NULL };

_Static_assert(ARRAY_SIZE(energy_driver_names) == ARRAY_SIZE(drivers) + 1, "one name a driver");
_Static_assert(ARRAY_SIZE(drivers) <= ARRAY_SIZE(((struct energy *)0)->sources), "room for all");

static const char *const kind_names[] = {
	[ZONE_PACKAGE] = "package",   [ZONE_CORE] = "core", [ZONE_UNCORE] = "uncore",
	[ZONE_DRAM] = "dram",         [ZONE_PSYS] = "psys", [ZONE_GPU] = "gpu",
	[ZONE_PLATFORM] = "platform",
};
static const char *const quality_names[] = {
	[QUALITY_MEASURED] = "measured",
	[QUALITY_SHARED] = "shared",
	[QUALITY_MODELLED] = "modelled",
};
static const char *const state_names[] = {
	[PROBE_CHOSEN] = "chosen",
	[PROBE_USABLE] = "usable",
	[PROBE_ABSENT] = "absent",
	[PROBE_BROKEN] = "broken",
};
_Static_assert(ARRAY_SIZE(kind_names) == _ZONE_KIND_MAX, "every kind has a name");
_Static_assert(ARRAY_SIZE(quality_names) == _QUALITY_MAX, "every quality has a name");

/* A tree that somebody made up may have thousands of broken zones; a table of them helps nobody. */
#define PROBE_MAX_ROWS 1024

struct order {
	const struct energy_driver *drivers[ARRAY_SIZE(drivers)];
	size_t n;
};

const char *zone_kind_name(enum zone_kind kind)
{
	return kind_names[kind];
}

const char *quality_name(enum quality quality)
{
	return quality_names[quality];
}

const char *probe_state_name(enum probe_state state)
{
	return state_names[state];
}

void probe_add(struct probe_list *list, const struct probe_row *row)
{
	if (!list || list->n >= PROBE_MAX_ROWS)
		return;
	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 16;
		struct probe_row *rows = realloc(list->rows, capacity * sizeof(*rows));

		/* A report with a row less is better than an agent less. */
		if (!rows)
			return;
		list->rows = rows;
		list->capacity = capacity;
	}
	list->rows[list->n++] = *row;
}

void probe_list_free(struct probe_list *list)
{
	free(list->rows);
	*list = (struct probe_list){ 0 };
}

static int take_driver(size_t index, void *ctx)
{
	struct order *order = ctx;

	for (size_t i = 0; i < order->n; i++) {
		if (order->drivers[i] == drivers[index])
			return 0;
	}
	order->drivers[order->n++] = drivers[index];
	return 0;
}

static int parse_order(const char *text, struct order *ret)
{
	char bad[32] = "";
	int r;

	if (!strcmp(text, "auto")) {
		memcpy(ret->drivers, drivers, sizeof(drivers));
		ret->n = ARRAY_SIZE(drivers);
		return 0;
	}
	r = parse_list(text, energy_driver_names, ARRAY_SIZE(drivers), take_driver, ret, bad,
		       sizeof(bad));
	if (r < 0)
		return log_errno(r, "energy: unknown source '%s' (powercap and model exist)", bad);
	return 0;
}

static bool is_real(const struct zone *zone, enum zone_kind kind)
{
	return zone->kind == kind && zone->quality != QUALITY_MODELLED;
}

/* The whole machine's model beside a package that is measured would count the package twice. */
static bool find_rival(const struct energy *energy, struct zone *ret)
{
	for (size_t i = 0; i < energy->n_sources; i++) {
		const struct energy_source *source = energy->sources[i];

		for (size_t j = 0; j < source->n_zones; j++) {
			if (is_real(&source->zones[j], ZONE_PACKAGE) ||
			    is_real(&source->zones[j], ZONE_PLATFORM)) {
				*ret = source->zones[j];
				return true;
			}
		}
	}
	return false;
}

/* Who makes this zone unnecessary; NULL: nobody. */
static const struct zone *better_than(const struct energy *energy, const struct zone *rival,
				      const struct zone *zone)
{
	for (size_t i = 0; i < energy->n_zones; i++) {
		const struct zone *chosen = &energy->zones[i];

		if (chosen->kind == zone->kind && !strcmp(chosen->device, zone->device))
			return chosen;
	}
	if (zone->kind == ZONE_PLATFORM && zone->quality == QUALITY_MODELLED)
		return rival;
	return NULL;
}

static void report(struct probe_list *probe, const struct zone *zone, const struct zone *better)
{
	struct probe_row row = { .state = better ? PROBE_USABLE : PROBE_CHOSEN };

	snprintf(row.source, sizeof(row.source), "%s", zone->source);
	snprintf(row.zone, sizeof(row.zone), "%s", zone_kind_name(zone->kind));
	memcpy(row.device, zone->device, sizeof(row.device));
	if (better)
		snprintf(row.why, sizeof(row.why), "%s %s is %s by %s",
			 zone_kind_name(better->kind), better->device,
			 quality_name(better->quality), better->source);
	else
		snprintf(row.why, sizeof(row.why), "%s, within %.0f %%",
			 quality_name(zone->quality), zone->error_ratio * 100);
	probe_add(probe, &row);
}

/* Take from a source what no better one gives; how many zones that were. */
static size_t choose(struct energy *energy, size_t index, const struct zone *rival,
		     struct probe_list *probe)
{
	const struct energy_source *source = energy->sources[index];
	struct sbuf names _sbuf_ = SBUF_INIT(4096);
	size_t n = 0;

	for (size_t i = 0; i < source->n_zones; i++) {
		const struct zone *zone = &source->zones[i];
		const struct zone *better = better_than(energy, rival, zone);

		if (!better && energy->n_zones == ENERGY_MAX_ZONES) {
			log_warn("energy: ignoring %s-%s above %d zones",
				 zone_kind_name(zone->kind), zone->device, ENERGY_MAX_ZONES);
			continue;
		}
		report(probe, zone, better);
		if (better)
			continue;
		sbuf_printf(&names, "%s%s-%s", n++ ? ", " : "", zone_kind_name(zone->kind),
			    zone->device);
		energy->origin[energy->n_zones].source = (uint8_t)index;
		energy->origin[energy->n_zones].index = (uint8_t)i;
		energy->zones[energy->n_zones++] = *zone;
	}
	if (n && !names.error)
		log_info("energy: %s: %s (%s)", source->driver->name, names.text,
			 quality_name(source->zones[0].quality));
	return n;
}

static void open_all(const struct order *order, const struct host *host,
		     const struct energy_config *config, struct energy *energy)
{
	for (size_t i = 0; i < order->n; i++) {
		struct energy_source *source = NULL;

		/* Drivers have said what is broken; what is absent is no news. */
		if (order->drivers[i]->open(host, config, &source) == 0)
			energy->sources[energy->n_sources++] = source;
	}
}

int energy_open(const char *order, const struct host *host, const struct topology *topology,
		struct probe_list *probe, struct energy *ret)
{
	const struct energy_config config = { .topology = topology, .probe = probe };
	struct energy energy = { .n_sources = 0 };
	struct order wanted = { .n = 0 };
	struct zone rival;
	bool has_rival;
	size_t kept = 0;
	int r;

	r = parse_order(order, &wanted);
	if (r < 0)
		return r;
	open_all(&wanted, host, &config, &energy);

	/* Only now, with all of them open, is it known what is measured. */
	has_rival = find_rival(&energy, &rival);
	for (size_t i = 0; i < energy.n_sources; i++) {
		energy.sources[kept] = energy.sources[i];
		if (choose(&energy, kept, has_rival ? &rival : NULL, probe))
			kept++;
		else
			energy.sources[i]->driver->close(energy.sources[i]);
	}
	energy.n_sources = kept;
	if (!energy.n_zones)
		return -ENODEV;

	*ret = energy;
	return 0;
}

void energy_read(struct energy *energy, const struct node_load *load, const bool *want,
		 struct reading *readings)
{
	for (size_t s = 0; s < energy->n_sources; s++) {
		struct energy_source *source = energy->sources[s];
		struct reading of_source[ENERGY_MAX_ZONES] = { 0 };
		bool wanted[ENERGY_MAX_ZONES] = { false };

		for (size_t i = 0; i < energy->n_zones; i++) {
			if (energy->origin[i].source == s)
				wanted[energy->origin[i].index] = !want || want[i];
		}
		source->driver->read(source, load, wanted, of_source);
		for (size_t i = 0; i < energy->n_zones; i++) {
			if (energy->origin[i].source == s)
				readings[i] = of_source[energy->origin[i].index];
		}
	}
}

void energy_close(struct energy *energy)
{
	for (size_t i = 0; i < energy->n_sources; i++)
		energy->sources[i]->driver->close(energy->sources[i]);
	*energy = (struct energy){ 0 };
}

bool zone_is_split(const struct energy *energy, size_t zone)
{
	enum zone_kind kind = energy->zones[zone].kind;
	bool has_package = false, has_platform = false;

	for (size_t i = 0; i < energy->n_zones; i++) {
		has_package |= energy->zones[i].kind == ZONE_PACKAGE;
		has_platform |= energy->zones[i].kind == ZONE_PLATFORM;
	}
	/* Platform holds everything else: beside it nothing else may be summed. */
	if (!has_package && has_platform)
		return kind == ZONE_PLATFORM;
	return kind == ZONE_PACKAGE || kind == ZONE_DRAM || kind == ZONE_GPU;
}
