/* SPDX-License-Identifier: Apache-2.0 */
/* Zone name: what powercap calls its directories and zones.  Text that we did not write.  Pure. */
#ifndef PODJOULE_ZONE_NAME_H
#define PODJOULE_ZONE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "energy/energy.h"

/* "intel-rapl:0" and "intel-rapl-mmio:0:2": one zone of a control type. */
struct zone_dir {
	bool mmio;          /* the same registers through another door */
	unsigned int index; /* says nothing: only `name` does */
	int sub;            /* -1: a zone of its own */
};

/* "package-0", "package-1-die-0", "core", "uncore", "dram", "psys". */
struct zone_name {
	enum zone_kind kind;
	int package; /* the kernel's number, -1 unless it is a package */
	int die;     /* -1 unless the package has several */
};

/* Both return 0 or -EINVAL and leave *ret untouched on failure. */
int zone_dir_parse(const char *text, struct zone_dir *ret);
/* One final newline is allowed. */
int zone_name_parse(const char *text, struct zone_name *ret);

/*
 * First value that the counter never reaches.  The kernel says the last one that it does:
 * (2^32 - 1) units, cut to microjoules; so one unit more, and 1 uJ where no unit fits.
 */
uint64_t zone_wrap_uj(uint64_t max_energy_range_uj);

#endif
