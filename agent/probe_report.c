/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_report.h"

#include <errno.h>
#include <string.h>

#include "platform/scope.h"

static bool has_capability(const struct kernel_facts *kernel, size_t i)
{
	return kernel->capabilities >> kernel_capabilities[i].bit & 1;
}

static void json_member(struct sbuf *out, const char *name, const char *text)
{
	sbuf_printf(out, "\"%s\":", name);
	sbuf_json(out, text);
}

static void json_sysctl(struct sbuf *out, const char *name, int value)
{
	if (value < 0)
		sbuf_printf(out, ",\"%s\":null", name);
	else
		sbuf_printf(out, ",\"%s\":%d", name, value);
}

static void json_rows(struct sbuf *out, const struct probe_list *list, bool zones)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct probe_row *row = &list->rows[i];

		sbuf_puts(out, i ? ",{" : "{");
		json_member(out, "source", row->source);
		if (zones) {
			sbuf_putc(out, ',');
			json_member(out, "zone", row->zone);
			sbuf_putc(out, ',');
			json_member(out, "device", row->device);
		}
		sbuf_putc(out, ',');
		json_member(out, "state", probe_state_name(row->state));
		sbuf_putc(out, ',');
		json_member(out, "why", row->why);
		sbuf_putc(out, ',');
		json_member(out, "fix", row->fix);
		sbuf_putc(out, '}');
	}
}

static void json_kernel(struct sbuf *out, const struct probe_report *report)
{
	const struct kernel_facts *kernel = &report->kernel;

	sbuf_puts(out, "],\"kernel\":{");
	json_member(out, "release", kernel->release);
	sbuf_printf(out, ",\"btf\":%s,", kernel->btf ? "true" : "false");
	json_member(out, "cgroup", report->cgroup_mode);
	sbuf_putc(out, ',');
	json_member(out, "hierarchy", report->hierarchy);
	sbuf_printf(out, ",\"pmu\":%s", kernel->pmu == 0 ? "true" : "false");
	json_sysctl(out, "bpf_jit_enable", kernel->jit);
	json_sysctl(out, "unprivileged_bpf_disabled", kernel->unprivileged_bpf_disabled);
	json_sysctl(out, "bpf_stats_enabled", kernel->bpf_stats);
	json_sysctl(out, "perf_event_paranoid", kernel->perf_event_paranoid);
	sbuf_puts(out, "},\"capabilities\":{");
	for (size_t i = 0; i < kernel_n_capabilities; i++)
		sbuf_printf(out, "%s\"%s\":%s", i ? "," : "", kernel_capabilities[i].name,
			    has_capability(kernel, i) ? "true" : "false");
	sbuf_puts(out, "},\"machine\":{");
}

/* What is not known is left out. */
static void json_machine(struct sbuf *out, const struct machine_facts *machine)
{
	json_member(out, "cpu", machine->cpu);
	sbuf_printf(out, ",\"sockets\":%u,\"cores\":%u,\"threads\":%u", machine->sockets,
		    machine->cores, machine->threads);
	if (machine->nominal_mhz > 0) {
		sbuf_puts(out, ",\"nominal_mhz\":");
		sbuf_double(out, machine->nominal_mhz);
	}
	if (machine->memory_gib > 0) {
		sbuf_puts(out, ",\"memory_gib\":");
		sbuf_double(out, machine->memory_gib);
	}
	sbuf_printf(out, ",\"virtual\":%s,\"vcpus\":", machine->virtual ? "true" : "false");
	if (machine->virtual)
		sbuf_printf(out, "%u", machine->threads);
	else
		sbuf_puts(out, "null");
}

int probe_report_json(const struct probe_report *report, struct sbuf *out)
{
	sbuf_puts(out, "{\"version\":1,");
	json_member(out, "tier", report->tier);
	sbuf_puts(out, ",\"energy\":[");
	json_rows(out, &report->energy, true);
	sbuf_puts(out, "],\"activity\":[");
	json_rows(out, &report->activity, false);
	sbuf_puts(out, "],\"names\":[");
	json_rows(out, &report->names, false);
	json_kernel(out, report);
	json_machine(out, &report->machine);
	return sbuf_puts(out, "}}\n");
}

/* Text from column at on, broken at blanks; each further line starts at column indent. */
static void put_wrapped(struct sbuf *out, const char *text, size_t at, size_t indent, size_t width)
{
	while (*(text += strspn(text, " "))) {
		size_t len = strcspn(text, " ");

		if (at > indent && at + 1 + len > width) {
			sbuf_printf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			sbuf_putc(out, ' ');
			at++;
		}
		/* Bytes that a terminal would obey are not for a table. */
		for (size_t i = 0; i < len; i++)
			sbuf_putc(out, (unsigned char)text[i] < 0x20 ? '?' : text[i]);
		at += len;
		text += len;
	}
	sbuf_putc(out, '\n');
}

#define COLUMN_ZONE  11
#define COLUMN_STATE 23
#define COLUMN_WHY   31

static void put_rows(struct sbuf *out, const char *title, const struct probe_list *list,
		     const char *zone_title, size_t width)
{
	sbuf_printf(out, "\n%-*s%-*s%-*s%s\n", COLUMN_ZONE, title, COLUMN_STATE - COLUMN_ZONE,
		    zone_title, COLUMN_WHY - COLUMN_STATE, "STATE", "WHY, AND WHAT TO DO");
	for (size_t i = 0; i < list->n; i++) {
		const struct probe_row *row = &list->rows[i];
		char zone[sizeof(row->zone) + sizeof(row->device) + 1];

		snprintf(zone, sizeof(zone), "%s%s%s", row->zone, *row->device ? " " : "",
			 row->device);
		sbuf_printf(out, "%-*s%-*s%-*s", COLUMN_ZONE, row->source,
			    COLUMN_STATE - COLUMN_ZONE, zone, COLUMN_WHY - COLUMN_STATE,
			    probe_state_name(row->state));
		put_wrapped(out, row->why, COLUMN_WHY, COLUMN_WHY, width);
		if (*row->fix) {
			sbuf_printf(out, "%*s", COLUMN_WHY, "");
			sbuf_puts(out, "to do:");
			put_wrapped(out, row->fix, COLUMN_WHY + 6, COLUMN_WHY, width);
		}
	}
	if (list->n == 0)
		sbuf_puts(out, "none\n");
}

static void put_fact(struct sbuf *out, const char *name, const char *state, const char *why,
		     size_t width)
{
	char column[COLUMN_STATE];

	snprintf(column, sizeof(column), "%s", name);
	sbuf_printf(out, "%-*s%-*s", COLUMN_STATE, column, *why ? COLUMN_WHY - COLUMN_STATE : 0,
		    state);
	put_wrapped(out, why, COLUMN_WHY, COLUMN_WHY, width);
}

static const char *sysctl_text(int value, char buf[16])
{
	if (value < 0)
		return "-";
	snprintf(buf, 16, "%d", value);
	return buf;
}

static void put_kernel(struct sbuf *out, const struct probe_report *report, size_t width)
{
	const struct kernel_facts *kernel = &report->kernel;
	char text[160], number[16];

	sbuf_printf(out, "\n%-*s%s\n", COLUMN_STATE, "KERNEL", kernel->release);
	put_fact(out, "BTF", kernel->btf ? "yes" : "no",
		 kernel->btf || report->btf_given ? ""
						  : "give a file with --btf, or BPF is not used",
		 width);
	snprintf(text, sizeof(text), "tasks belong to '%s'",
		 *report->hierarchy ? report->hierarchy : "no hierarchy");
	put_fact(out, "cgroups", report->cgroup_mode, text, width);
	snprintf(text, sizeof(text), "no cycles and instructions: %s",
		 kernel->pmu == -ENODATA ? "the counter stands still" : strerror(-kernel->pmu));
	if (kernel->pmu == 0)
		snprintf(text, sizeof(text), "%s",
			 report->counters ? ""
					  : "left alone: a hypervisor makes each read too slow");
	put_fact(out, "CPU counters (PMU)", kernel->pmu == 0 ? "yes" : "no", text, width);
	put_fact(out, "BPF JIT", sysctl_text(kernel->jit, number),
		 kernel->jit == 0 ? "set net.core.bpf_jit_enable=1: BPF is several times slower"
				  : "",
		 width);
	put_fact(out, "unprivileged BPF off",
		 sysctl_text(kernel->unprivileged_bpf_disabled, number), "", width);
	put_fact(out, "BPF statistics", sysctl_text(kernel->bpf_stats, number),
		 kernel->bpf_stats == 1 ? "every BPF program pays for them" : "", width);
	put_fact(out, "perf_event_paranoid", sysctl_text(kernel->perf_event_paranoid, number), "",
		 width);
}

int probe_report_table(const struct probe_report *report, unsigned int width, struct sbuf *out)
{
	const struct machine_facts *machine = &report->machine;
	size_t columns = MAX(width, 40u);
	struct sbuf line _sbuf_ = SBUF_INIT(1024);

	sbuf_printf(&line, "%s: %u socket%s, %u cores, %u threads, %.0f MHz, %.1f GiB%s",
		    *machine->cpu ? machine->cpu : "unknown CPU", machine->sockets,
		    machine->sockets == 1 ? "" : "s", machine->cores, machine->threads,
		    machine->nominal_mhz, machine->memory_gib, machine->virtual ? ", virtual" : "");
	sbuf_printf(out, "%-*s", COLUMN_ZONE, "TIER");
	sbuf_printf(out, "%s\n%-*s", report->tier, COLUMN_ZONE, "MACHINE");
	put_wrapped(out, line.text ? line.text : "", COLUMN_ZONE, COLUMN_ZONE, columns);
	put_rows(out, "ENERGY", &report->energy, "ZONE", columns);
	put_rows(out, "ACTIVITY", &report->activity, "", columns);
	put_rows(out, "NAMES", &report->names, "", columns);
	put_kernel(out, report, columns);
	sbuf_printf(out, "\n%s\n", "CAPABILITIES");
	for (size_t i = 0; i < kernel_n_capabilities; i++)
		put_fact(out, kernel_capabilities[i].name,
			 has_capability(&report->kernel, i) ? "yes" : "no",
			 kernel_capabilities[i].what_for, columns);
	return out->error;
}
