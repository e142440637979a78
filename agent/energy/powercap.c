/* SPDX-License-Identifier: Apache-2.0 */
/* Powercap: RAPL's microjoule counters of packages and their parts. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "energy/powercap_scan.h"
#include "platform/log.h"
#include "platform/scope.h"

#define REOPEN_NS 1000000000ull /* a zone that went away is looked for no more often */
#define PERIOD_NS 1000000ull    /* mean of every CPU measured so far: 0.9998 to 1.0077 ms */

struct counter {
	char dir_name[32];
	struct zone_name name;
	int fd;
	uint64_t tried_ns; /* when it was last looked for */
	struct health health;
};

struct powercap_source {
	struct energy_source base;
	const struct host *host;
	int class_fd;
	struct counter counters[ENERGY_MAX_ZONES];
	struct zone zones[ENERGY_MAX_ZONES];
};

static void powercap_close(struct energy_source *base)
{
	struct powercap_source *source =
		base ? container_of(base, struct powercap_source, base) : NULL;

	if (!source)
		return;
	for (size_t i = 0; i < base->n_zones; i++)
		close_fd(&source->counters[i].fd);
	close_fd(&source->class_fd);
	free(source);
}

static void close_source(struct powercap_source **source)
{
	powercap_close(*source ? &(*source)->base : NULL);
}

static void free_scan(struct powercap_scan **scan)
{
	if (*scan)
		powercap_scan_close(*scan);
	free(*scan);
}

/* What a kind of zone can show, and how far it may be off. */
static void set_limits(struct zone *zone)
{
	switch (zone->kind) {
	case ZONE_DRAM:
		/*
		 * Terabytes of DIMMs take 400 W.  Against instrumented DIMMs the medians of
		 * Broadwell are within 10 %; Ice Lake reads 1.3 to 2.8 times too much, by 2 to 3 W
		 * a socket that are always there, while its changes are right within 20 %.
		 */
		zone->max_uw = 1000000000;
		zone->error_ratio = 0.4;
		return;
	case ZONE_PSYS:
		/* A whole machine of many sockets.  Its board's maker calibrates it, or not. */
		zone->max_uw = 20000000000;
		zone->error_ratio = 0.1;
		return;
	default:
		/*
		 * The largest packages are sold for 500 W and draw a few times that for
		 * milliseconds: 4 kW is beyond all of them and far below what a broken counter
		 * jumps by.  Error: EPYC 7502 against an AC meter over ten kernels, 5 %.
		 */
		zone->max_uw = 4000000000;
		zone->error_ratio = 0.05;
	}
}

static int package_index(const struct topology *topology, int package)
{
	for (unsigned int i = 0; package >= 0 && i < topology->n_packages; i++) {
		if (topology->package_id[i] == (unsigned int)package)
			return (int)i;
	}
	return -1;
}

static void keep(struct powercap_source *source, struct powercap_zone *found,
		 const struct topology *topology)
{
	size_t i = source->base.n_zones++;
	struct counter *counter = &source->counters[i];
	struct zone *zone = &source->zones[i];

	memcpy(counter->dir_name, found->dir_name, sizeof(counter->dir_name));
	counter->name = found->name;
	counter->fd = TAKE_FD(found->fd);
	*zone = (struct zone){
		.kind = found->name.kind,
		.package = package_index(topology, found->name.package),
		.unit = ZONE_COUNTS_UJ,
		.quality = QUALITY_MEASURED,
		.source = energy_powercap.name,
		.wrap = found->wrap,
		.period_ns = PERIOD_NS,
	};
	memcpy(zone->device, found->device, sizeof(zone->device));
	set_limits(zone);
}

static void say_absent(struct probe_list *probe)
{
	static const struct probe_row row = {
		.source = "powercap",
		.state = PROBE_ABSENT,
		.why = "no RAPL zone in /sys/class/powercap",
		.fix = "modprobe intel_rapl_msr; in a guest the hypervisor has to offer RAPL",
	};

	probe_add(probe, &row);
}

static int say_broken(struct probe_list *probe, int error)
{
	struct probe_row row = { .source = "powercap", .state = PROBE_BROKEN };

	log_errno(error, "powercap: cannot list 'class/powercap'");
	snprintf(row.why, sizeof(row.why), "cannot list /sys/class/powercap: %s", strerror(-error));
	probe_add(probe, &row);
	return error;
}

static int powercap_open(const struct host *host, const struct energy_config *config,
			 struct energy_source **ret)
{
	_cleanup_(close_source) struct powercap_source *source = calloc(1, sizeof(*source));
	_cleanup_(free_scan) struct powercap_scan *scan = calloc(1, sizeof(*scan));
	size_t beyond;
	int r;

	if (source)
		source->class_fd = -1;
	if (!source || !scan)
		return log_errno(-ENOMEM, "powercap: cannot open");
	if (host->sys_fd >= 0)
		source->class_fd =
			openat(host->sys_fd, "class/powercap", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source->class_fd < 0 && host->sys_fd >= 0 && errno != ENOENT && errno != ENOTDIR)
		return say_broken(config->probe, -errno);
	if (source->class_fd < 0) {
		say_absent(config->probe);
		return -ENODEV;
	}

	r = powercap_scan(scan, source->class_fd, config->probe);
	if (r < 0)
		return say_broken(config->probe, r);
	beyond = scan->beyond;
	for (size_t i = 0; i < scan->n; i++) {
		if (scan->zones[i].refused)
			continue;
		if (source->base.n_zones < ENERGY_MAX_ZONES)
			keep(source, &scan->zones[i], config->topology);
		else
			beyond++;
	}
	if (beyond)
		log_warn("powercap: ignoring %zu zones above %d", beyond, ENERGY_MAX_ZONES);
	if (!source->base.n_zones && !scan->error)
		say_absent(config->probe);
	if (!source->base.n_zones)
		return scan->error ? scan->error : -ENODEV;

	source->host = host;
	source->base.driver = &energy_powercap;
	source->base.zones = source->zones;
	*ret = &TAKE_PTR(source)->base;
	return 0;
}

/* A directory that came back need not be the zone that went: another package may have its number.
 */
static void look_again(struct powercap_source *source, struct counter *counter)
{
	uint64_t now_ns = source->host->now_ns();
	struct zone_name name;
	char path[64];

	if (counter->tried_ns && now_ns - counter->tried_ns < REOPEN_NS)
		return;
	counter->tried_ns = now_ns;
	if (powercap_read_name(source->class_fd, counter->dir_name, &name) < 0 ||
	    name.kind != counter->name.kind ||
	    (name.kind == ZONE_PACKAGE && name.package != counter->name.package))
		return;
	snprintf(path, sizeof(path), "%s/energy_uj", counter->dir_name);
	counter->fd = openat(source->class_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static int read_counter(struct powercap_source *source, struct counter *counter, uint64_t *ret)
{
	struct stat st;
	int r;

	if (counter->fd < 0)
		look_again(source, counter);
	if (counter->fd < 0)
		return -ENODEV;
	r = powercap_read_uj(counter->fd, ret);
	/* sysfs says that a file is gone; elsewhere only its links do. */
	if (r == 0 && source->host->fixture && fstat(counter->fd, &st) == 0 && !st.st_nlink)
		r = -ENODEV;
	if (r == -ENODEV || r == -ENOENT) {
		close_fd(&counter->fd);
		counter->fd = -1;
		counter->tried_ns = source->host->now_ns();
	}
	return r;
}

static void powercap_read(struct energy_source *base, const struct node_load *load _unused_,
			  const bool *want, struct reading *readings)
{
	struct powercap_source *source = container_of(base, struct powercap_source, base);

	for (size_t i = 0; i < base->n_zones; i++) {
		struct counter *counter = &source->counters[i];
		struct reading reading = { 0 };

		if (want && !want[i]) {
			readings[i] = (struct reading){ .error = -EAGAIN };
			continue;
		}
		reading.error = read_counter(source, counter, &reading.value);
		reading.t_ns = source->host->now_ns();
		readings[i] = reading;

		if (health_changed(&counter->health, reading.error))
			log_warn("powercap: %s '%s/energy_uj'%s%s",
				 reading.error ? "cannot read" : "can read again",
				 counter->dir_name, reading.error ? ": " : "",
				 reading.error ? strerror(-reading.error) : "");
	}
}

const struct energy_driver energy_powercap = {
	.name = "powercap",
	.open = powercap_open,
	.read = powercap_read,
	.close = powercap_close,
};
