/* SPDX-License-Identifier: Apache-2.0 */
#include "energy/powercap_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "platform/log.h"
#include "platform/parse.h"
#include "platform/scope.h"

#define FIX_ACCESS "needs root or CAP_DAC_READ_SEARCH"

static bool is_package(const struct powercap_zone *zone)
{
	return !zone->refused && zone->name.kind == ZONE_PACKAGE;
}

/* Leave a zone out and say why.  `why` ends up on terminals: it never quotes a file's content. */
static _printf_(5, 6)
void refuse(struct powercap_scan *scan, struct powercap_zone *zone, enum probe_state state,
	    const char *fix, const char *why, ...)
{
	struct probe_row row = { .source = "powercap", .state = state };
	va_list args;

	va_start(args, why);
	vsnprintf(row.why, sizeof(row.why), why, args);
	va_end(args);
	if (zone->device[0])
		snprintf(row.zone, sizeof(row.zone), "%s", zone_kind_name(zone->name.kind));
	memcpy(row.device, zone->device, sizeof(row.device));
	snprintf(row.fix, sizeof(row.fix), "%s", fix);
	zone->refused = true;
	probe_add(scan->probe, &row);
}

/* Here and broken.  One line in the log for the first; `probe` lists them all. */
static void refuse_broken(struct powercap_scan *scan, struct powercap_zone *zone, const char *file,
			  int error)
{
	const char *fix = error == -EACCES || error == -EPERM ? FIX_ACCESS : "";
	const char *why = error == -EINVAL ? "Not what RAPL writes" : strerror(-error);

	refuse(scan, zone, PROBE_BROKEN, fix, "cannot read '%s/%s': %s", zone->dir_name, file, why);
	if (!scan->error) {
		log_warn("powercap: cannot read '%s/%s': %s%s%s%s", zone->dir_name, file, why,
			 *fix ? " (" : "", fix, *fix ? ")" : "");
		scan->error = error;
	}
}

static int by_number(const void *a, const void *b)
{
	const struct zone_dir *x = &((const struct powercap_zone *)a)->dir;
	const struct zone_dir *y = &((const struct powercap_zone *)b)->dir;

	if (x->mmio != y->mmio)
		return x->mmio ? 1 : -1;
	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return (x->sub > y->sub) - (x->sub < y->sub);
}

/* Real entries are links to directories, those of a fixture directories: either will do. */
static int list(struct powercap_scan *scan)
{
	int fd = openat(scan->class_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_dir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		int error = -errno;

		close_fd(&fd);
		return error;
	}
	while ((entry = readdir(dir))) {
		struct powercap_zone zone = { .fd = -1 };

		if (zone_dir_parse(entry->d_name, &zone.dir) < 0)
			continue;
		if (scan->n == POWERCAP_MAX_DIRS) {
			scan->beyond++;
			continue;
		}
		snprintf(zone.dir_name, sizeof(zone.dir_name), "%.31s", entry->d_name);
		scan->zones[scan->n++] = zone;
	}
	qsort(scan->zones, scan->n, sizeof(scan->zones[0]), by_number);
	return 0;
}

int powercap_read_name(int class_fd, const char *dir_name, struct zone_name *ret)
{
	char path[64], text[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/name", dir_name);
	n = host_read(class_fd, path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	return strlen(text) == (size_t)n ? zone_name_parse(text, ret) : -EINVAL;
}

static struct powercap_zone *parent_of(struct powercap_scan *scan, const struct powercap_zone *part)
{
	for (size_t i = 0; i < scan->n; i++) {
		struct powercap_zone *zone = &scan->zones[i];

		if (zone->dir.sub < 0 && zone->dir.mmio == part->dir.mmio &&
		    zone->dir.index == part->dir.index)
			return zone;
	}
	return NULL;
}

/* Numbers have four digits at most (zone_name_parse); the compiler has to be told. */
static void name_device(struct powercap_zone *zone)
{
	unsigned int package = (unsigned int)zone->name.package % 10000;

	if (zone->name.die >= 0)
		snprintf(zone->device, sizeof(zone->device), "%u-die-%u", package,
			 (unsigned int)zone->name.die % 10000);
	else
		snprintf(zone->device, sizeof(zone->device), "%u", package);
}

static void classify(struct powercap_scan *scan, struct powercap_zone *zone, int *n_psys)
{
	struct powercap_zone *parent = zone->dir.sub < 0 ? NULL : parent_of(scan, zone);
	int r = powercap_read_name(scan->class_fd, zone->dir_name, &zone->name);

	if (r < 0) {
		refuse_broken(scan, zone, "name", r);
	} else if (zone->dir.sub >= 0 && (!parent || parent->refused)) {
		refuse(scan, zone, PROBE_BROKEN, "", "'%s' belongs to no zone that can be named",
		       zone->dir_name);
	} else if (zone->name.kind == ZONE_PACKAGE) {
		name_device(zone);
	} else if (parent) {
		zone->name.package = parent->name.package;
		zone->name.die = parent->name.die;
		memcpy(zone->device, parent->device, sizeof(zone->device));
	} else if (zone->name.kind == ZONE_PSYS) {
		snprintf(zone->device, sizeof(zone->device), "%d", n_psys[zone->dir.mmio]++);
	} else {
		/* A part without a whole: some firmware's idea, whose package nobody knows. */
		snprintf(zone->device, sizeof(zone->device), "%u", zone->dir.index);
	}
}

int powercap_read_uj(int fd, uint64_t *ret)
{
	char text[32];
	ssize_t n = host_pread(fd, text, sizeof(text));

	if (n < 0)
		return (int)n;
	if (strlen(text) != (size_t)n || parse_u64(text, ret) < 0)
		return -EINVAL;
	return 0;
}

/* Open is not enough: what cannot be read now has not been proven to work. */
static void prove(struct powercap_scan *scan, struct powercap_zone *zone)
{
	char path[64];
	uint64_t value;
	int r = 0;

	snprintf(path, sizeof(path), "%s/energy_uj", zone->dir_name);
	zone->fd = openat(scan->class_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (zone->fd < 0)
		r = -errno;
	else
		r = powercap_read_uj(zone->fd, &value);
	if (r < 0) {
		refuse_broken(scan, zone, "energy_uj", r);
		return;
	}

	snprintf(path, sizeof(path), "%s/max_energy_range_uj", zone->dir_name);
	zone->wrap = host_read_u64(scan->class_fd, path, &value) < 0 ? 0 : zone_wrap_uj(value);
}

/* The same counter through MSR and MMIO has the same kind and device; the MSR comes first. */
static void drop_twins(struct powercap_scan *scan)
{
	for (size_t j = 1; j < scan->n; j++) {
		struct powercap_zone *twin = &scan->zones[j];

		for (size_t i = 0; i < j && !twin->refused; i++) {
			const struct powercap_zone *zone = &scan->zones[i];

			if (!zone->refused && zone->name.kind == twin->name.kind &&
			    !strcmp(zone->device, twin->device))
				refuse(scan, twin, PROBE_USABLE, "", "%s: same energy as %s",
				       twin->dir_name, zone->dir_name);
		}
	}
}

/*
 * Do two counters show one register?  They are never read at one instant, so the second must lie
 * between two looks at the first; twice, since counters of two dies meet by chance at most once.
 */
static bool is_mirror(const struct powercap_zone *zone, const struct powercap_zone *other)
{
	for (int i = 0; i < 2; i++) {
		uint64_t before, value, after;

		if (powercap_read_uj(zone->fd, &before) < 0 ||
		    powercap_read_uj(other->fd, &value) < 0 ||
		    powercap_read_uj(zone->fd, &after) < 0)
			return false;
		if (before <= after ? value < before || value > after
				    : value < before && value > after)
			return false;
	}
	return true;
}

static void refuse_with_parts(struct powercap_scan *scan, struct powercap_zone *mirror,
			      const struct powercap_zone *zone)
{
	for (size_t i = 0; i < scan->n; i++) {
		struct powercap_zone *part = &scan->zones[i];

		if (!part->refused && part->dir.mmio == mirror->dir.mmio &&
		    part->dir.index == mirror->dir.index)
			refuse(scan, part, PROBE_USABLE, "", "%s: %s shows the energy of %s again",
			       part->dir_name, mirror->dir_name, zone->dir_name);
	}
}

/* A package whose dies all show one counter is a package without dies. */
static void rename_whole(struct powercap_scan *scan, struct powercap_zone *zone)
{
	for (size_t i = 0; i < scan->n; i++) {
		if (is_package(&scan->zones[i]) && &scan->zones[i] != zone &&
		    scan->zones[i].name.package == zone->name.package)
			return;
	}
	for (size_t i = 0; i < scan->n; i++) {
		struct powercap_zone *part = &scan->zones[i];

		if (part->dir.mmio == zone->dir.mmio && part->dir.index == zone->dir.index &&
		    !part->refused) {
			part->name.die = -1;
			name_device(part);
		}
	}
}

/* Zen 1 and 2 on older kernels: every die of a package shows the energy of all of them. */
static void collapse_mirrors(struct powercap_scan *scan)
{
	for (size_t i = 0; i < scan->n; i++) {
		struct powercap_zone *zone = &scan->zones[i];
		bool mirrored = false;

		if (!is_package(zone) || zone->name.die < 0)
			continue;
		for (size_t j = i + 1; j < scan->n; j++) {
			struct powercap_zone *other = &scan->zones[j];

			if (is_package(other) && other->name.die >= 0 &&
			    other->name.package == zone->name.package && is_mirror(zone, other)) {
				refuse_with_parts(scan, other, zone);
				mirrored = true;
			}
		}
		if (mirrored)
			rename_whole(scan, zone);
	}
}

int powercap_scan(struct powercap_scan *scan, int class_fd, struct probe_list *probe)
{
	int n_psys[2] = { 0 };
	int r;

	*scan = (struct powercap_scan){ .class_fd = class_fd, .probe = probe };
	r = list(scan);
	if (r < 0)
		return r;

	for (size_t i = 0; i < scan->n; i++)
		classify(scan, &scan->zones[i], n_psys);
	for (size_t i = 0; i < scan->n; i++) {
		if (!scan->zones[i].refused)
			prove(scan, &scan->zones[i]);
	}
	drop_twins(scan);
	collapse_mirrors(scan);
	return 0;
}

void powercap_scan_close(struct powercap_scan *scan)
{
	for (size_t i = 0; i < scan->n; i++) {
		close_fd(&scan->zones[i].fd);
		scan->zones[i].fd = -1;
	}
}
