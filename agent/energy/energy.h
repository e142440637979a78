/* SPDX-License-Identifier: Apache-2.0 */
/* Energy: where joules come from.  One driver per file, one const list in order of preference. */
#ifndef PODJOULE_ENERGY_H
#define PODJOULE_ENERGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/host.h"

enum zone_kind {
	ZONE_PACKAGE,
	ZONE_CORE,
	ZONE_UNCORE,
	ZONE_DRAM,
	ZONE_PSYS,
	ZONE_GPU,
	ZONE_PLATFORM,
	_ZONE_KIND_MAX
};
enum quality { QUALITY_MEASURED, QUALITY_SHARED, QUALITY_MODELLED, _QUALITY_MAX };
enum zone_unit { ZONE_COUNTS_UJ, ZONE_COUNTS_NJ, ZONE_SHOWS_UW };

#define ENERGY_MAX_ZONES 64

struct zone {
	enum zone_kind kind;
	char device[16]; /* "0", "1", …: socket or card */
	int package;     /* topology's package whose CPUs it powers; -1 the whole machine */
	enum zone_unit unit;
	enum quality quality;
	const char *source; /* the driver's name */
	uint64_t wrap;      /* counters: first value never reached; 0 = 2^64 */
	uint64_t max_uw;    /* more than this is physically impossible: unknown, not guessed */
	uint64_t period_ns; /* how often the source itself moves (RAPL: 1 ms) */
	double error_ratio; /* systematic error, relative: it does not average out */
};

struct reading {
	uint64_t value; /* in the zone's unit */
	uint64_t t_ns;  /* CLOCK_MONOTONIC next to the read */
	int error;      /* 0, or -errno: why this zone has no value this time */
};

/* What the node did until now: the model's input.  Cumulative. */
struct node_load {
	uint64_t t_ns;
	uint64_t busy_ns; /* CPU time of everything but idle and steal */
	unsigned int cpus;
};

/* A row of `probe`: what was found and what became of it. */
enum probe_state { PROBE_CHOSEN, PROBE_USABLE, PROBE_ABSENT, PROBE_BROKEN };
struct probe_row {
	char source[24];
	char zone[16]; /* "package", or "" when nothing was found */
	char device[16];
	enum probe_state state;
	char why[200];
	char fix[200]; /* "" when there is nothing to do */
};
struct probe_list {
	struct probe_row *rows;
	size_t n, capacity;
};
void probe_add(struct probe_list *list, const struct probe_row *row); /* list may be NULL */
void probe_list_free(struct probe_list *list);

/* Drivers embed this as their first member. */
struct energy_source {
	const struct energy_driver *driver;
	struct zone *zones; /* owned by the source, fixed once open */
	size_t n_zones;
};

/* What a driver may know besides the machine. */
struct energy_config {
	const struct topology *topology;
	struct probe_list *probe; /* drivers add a row for whatever they refuse or cannot read */
};

struct energy_driver {
	const char *name; /* "powercap" */
	/* -ENODEV: not on this machine; anything else: here and broken (logged by the driver). */
	int (*open)(const struct host *host, const struct energy_config *config,
		    struct energy_source **ret);
	/* Fills readings[n_zones]; one may fail while its neighbours succeed.  want[i] false: the
	 * caller does not need zone i now (an idle package is left asleep); its reading gets
	 * error -EAGAIN. */
	void (*read)(struct energy_source *source, const struct node_load *load, const bool *want,
		     struct reading *readings);
	void (*close)(struct energy_source *source); /* accepts NULL and half-open */
};

/* The opened drivers and the zones chosen from them: the first that works wins for each zone. */
struct energy {
	struct energy_source *sources[8];
	size_t n_sources;
	struct zone zones[ENERGY_MAX_ZONES]; /* copies of the chosen ones */
	struct {
		uint8_t source, index;
	} origin[ENERGY_MAX_ZONES];
	size_t n_zones;
};

extern const struct energy_driver energy_powercap, energy_model;

/* Driver names in order of preference, NULL-terminated: what --energy accepts. */
extern const char *const energy_driver_names[];

/*
 * Open drivers in order ("auto" or a list such as "powercap,model") and choose zones.  Zone
 * `platform` from the model is chosen only if nothing measures platform.  0, or -ENODEV when no
 * driver gives any zone, -EINVAL for an unknown name (ret_bad says which).  probe may be NULL.
 */
int energy_open(const char *order, const struct host *host, const struct topology *topology,
		struct probe_list *probe, struct energy *ret);
void energy_read(struct energy *energy, const struct node_load *load, const bool *want,
		 struct reading *readings);
void energy_close(struct energy *energy);

const char *zone_kind_name(enum zone_kind kind);
const char *quality_name(enum quality quality);
const char *probe_state_name(enum probe_state state);
/* Zones that carry workload series: package, dram and gpu; platform alone where no package is. */
bool zone_is_split(const struct energy *energy, size_t zone);

#endif
