/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "activity/activity.h"
#include "energy/energy.h"
#include "platform/log.h"
#include "platform/scope.h"
#include "platform/tier.h"
#include "probe_names.h"
#include "probe_report.h"

#define OUTPUT_LIMIT (4u << 20)

/* What drivers would say at length is in the table; --log-level=debug shows both. */
static void discard(_unused_ enum log_level level, _unused_ const char *line)
{
}

/* Where a name stands in --activity; SIZE_MAX: not there. */
static size_t rank_of(const char *order, const char *name)
{
	size_t len = strlen(name), rank = 0;

	if (strcmp(order, "auto") == 0) {
		while (activity_driver_names[rank] &&
		       strcmp(activity_driver_names[rank], name) != 0)
			rank++;
		return rank;
	}
	for (const char *p = order; *p; rank++) {
		p += strspn(p, " ");
		if (strncmp(p, name, len) == 0 && (!p[len] || strchr(", ", p[len])))
			return rank;
		p += strcspn(p, ",");
		p += *p == ',';
	}
	return SIZE_MAX;
}

/* A driver that failed without a row of its own: errno is all that we know. */
static void explain(const char *driver, int error, struct probe_row *ret)
{
	bool bpf = strcmp(driver, "bpf") == 0;

	ret->state = error == -ENODEV ? PROBE_ABSENT : PROBE_BROKEN;
	snprintf(ret->why, sizeof(ret->why), "%s", strerror(-error));
	if (!bpf)
		return;
	if (error == -ENODEV)
		snprintf(ret->why, sizeof(ret->why), "this kernel lacks what the programs need");
	if (error == -EPERM || error == -EACCES)
		snprintf(ret->fix, sizeof(ret->fix), "run as root or give CAP_BPF and CAP_PERFMON");
	else
		snprintf(ret->fix, sizeof(ret->fix), "kernel 5.10 or newer with BTF (or --btf)");
}

static void describe(const struct activity_source *source, struct probe_row *ret)
{
	bool cycles = source->activity.unit == WEIGHT_CYCLES;

	ret->state = PROBE_USABLE;
	if (*source->hierarchy)
		snprintf(ret->why, sizeof(ret->why), "hierarchy '%s', weight is %s",
			 source->hierarchy, cycles ? "cycles" : "time");
	else
		snprintf(ret->why, sizeof(ret->why), "weight is %s", cycles ? "cycles" : "time");
}

/* Of those that work the first in --activity is the one that `run` takes. */
static const char *choose(const char *order, struct probe_list *list)
{
	struct probe_row *best = NULL;

	for (size_t i = 0; i < list->n; i++) {
		struct probe_row *row = &list->rows[i];
		size_t rank = rank_of(order, row->source);

		if (row->state == PROBE_USABLE && rank != SIZE_MAX &&
		    (!best || rank < rank_of(order, best->source)))
			best = row;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct probe_row *row = &list->rows[i];

		if (row == best)
			row->state = PROBE_CHOSEN;
		else if (row->state == PROBE_USABLE && rank_of(order, row->source) == SIZE_MAX)
			snprintf(row->why, sizeof(row->why), "works, but --activity leaves it out");
		else if (row->state == PROBE_USABLE)
			snprintf(row->why, sizeof(row->why), "works, but %s comes first",
				 best->source);
	}
	return best ? best->source : NULL;
}

/* One after the other, so that each meets the machine as it would alone. */
static const char *probe_activity(const struct config *config, const struct host *host,
				  const struct topology *topology, struct probe_list *list,
				  bool *ret_counters)
{
	const struct activity_config wanted = {
		.topology = topology,
		.hierarchy = config->hierarchy,
		.btf = config->btf,
		.max_cgroups = config->max_cgroups,
		.probe = list,
	};

	for (size_t i = 0; activity_driver_names[i]; i++) {
		const char *name = activity_driver_names[i];
		struct activity_source *source = NULL;
		struct probe_row row = { .source = "" };
		size_t before = list->n;
		int r = activity_open(name, host, &wanted, &source);

		snprintf(row.source, sizeof(row.source), "%s", name);
		if (r < 0) {
			explain(name, r, &row);
		} else {
			describe(source, &row);
			*ret_counters |= source->activity.has_counters;
			source->driver->close(source);
		}
		if (r == 0 || list->n == before)
			probe_add(list, &row);
	}
	return choose(config->activity, list);
}

static bool is_measured(const struct energy *energy, bool package_only)
{
	for (size_t i = 0; i < energy->n_zones; i++) {
		if (energy->zones[i].quality == QUALITY_MEASURED &&
		    (!package_only || energy->zones[i].kind == ZONE_PACKAGE))
			return true;
	}
	return false;
}

static unsigned int terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

static int print(const struct config *config, const struct probe_report *report)
{
	struct sbuf out _sbuf_ = SBUF_INIT(OUTPUT_LIMIT);
	int r = config->output == OUTPUT_JSON ? probe_report_json(report, &out)
					      : probe_report_table(report, terminal_width(), &out);

	if (r < 0)
		return log_errno(r, "probe: cannot put the report together");
	if (fwrite(out.text, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
		return log_errno(-errno, "probe: cannot write to standard output");
	return 0;
}

/* The first --require that this node does not meet, or NULL. */
static const char *unmet(unsigned int require, bool measured, const char *activity, bool pmu,
			 bool named)
{
	if ((require & REQUIRE_MEASURED) && !measured)
		return "measured";
	if ((require & REQUIRE_BPF) && (!activity || strcmp(activity, "bpf") != 0))
		return "bpf";
	if ((require & REQUIRE_PMU) && !pmu)
		return "pmu";
	if ((require & REQUIRE_PODS) && !named)
		return "pods";
	return NULL;
}

static int finish(const struct config *config, struct probe_report *report,
		  const struct energy *energy, const char *chosen, bool named)
{
	bool pmu = report->counters;
	const char *missing =
		unmet(config->require, is_measured(energy, false), chosen, pmu, named);

	report->tier = tier_name(report->machine.virtual, is_measured(energy, true), pmu);
	if (print(config, report) < 0)
		return EXIT_FAILED;
	if (missing) {
		log_error("probe: this node does not meet --require=%s", missing);
		return EXIT_REFUSED;
	}
	return chosen || energy->n_zones > 0 ? EXIT_OK : EXIT_FAILED;
}

int probe_run(const struct config *config, const struct host *host, const struct topology *topology)
{
	struct probe_report report = { .cgroup_mode = "none", .btf_given = config->btf };
	struct hierarchy hierarchy;
	struct energy energy = { .n_zones = 0 };
	bool quiet = log_level_now() != LOG_LEVEL_DEBUG;
	const char *chosen;
	bool named = false;
	int r;

	r = hierarchy_find(host, config->hierarchy, &hierarchy);
	if (r == -EINVAL)
		return EXIT_USAGE;
	if (r == 0) {
		report.cgroup_mode = hierarchy.mode;
		snprintf(report.hierarchy, sizeof(report.hierarchy), "%s", hierarchy.name);
	}
	kernel_facts_read(host, &report.kernel);
	machine_facts_read(host, topology, &report.machine);

	if (quiet)
		log_set_sink(discard);
	r = energy_open(config->energy, host, topology, &report.energy, &energy);
	chosen = probe_activity(config, host, topology, &report.activity, &report.counters);
	if (quiet)
		log_set_sink(NULL);
	probe_names(config, &report.names, &named);

	if (r == -EINVAL) {
		log_error("probe: --energy=%s: no such source", config->energy);
		r = EXIT_USAGE;
	} else {
		r = finish(config, &report, &energy, chosen, named);
	}
	energy_close(&energy);
	probe_list_free(&report.energy);
	probe_list_free(&report.activity);
	probe_list_free(&report.names);
	return r;
}
