/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>

#include "example_fill.h"
#include "expose/metrics.h"
#include "expose/render.h"
#include "no_leaks.h"
#include "page_text.h"

TestSuite(render, .fini = no_leaks);

static const char *const hostile_nodes[] = { "n1", "a\"b\\c\nd", "\xff" };

static void render(const struct snapshot *snapshot, enum exposition format, struct sbuf *out)
{
	cr_assert(eq(int, render_metrics(snapshot, format, out), 0));
	cr_assert(out->len && out->text[out->len - 1] == '\n', "the last line is complete");
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* Lines of text, cut apart in place; sorted by what is before their value. */
static size_t split_lines(char *text, char **lines, size_t max)
{
	size_t n = 0;

	for (char *end; *text && (end = strchr(text, '\n')) && n < max; text = end + 1) {
		*end = '\0';
		lines[n++] = text;
	}
	return n;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_no_series_twice(const struct snapshot *snapshot)
{
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	_free_ char **lines = calloc(100000, sizeof(*lines));
	size_t n;

	cr_assert(lines != NULL);
	render(snapshot, EXPOSITION_TEXT, &out);
	n = split_lines(out.text, lines, 100000);
	for (size_t i = 0; i < n; i++) {
		if (lines[i][0] == '#')
			continue;
		cr_assert(example_has(lines[i], " "), "a sample has a value: %s", lines[i]);
		*strrchr(lines[i], ' ') = '\0';
	}
	qsort(lines, n, sizeof(*lines), by_text);
	for (size_t i = 1; i < n; i++)
		cr_assert(ne(str, lines[i - 1], lines[i]));
}

Test(render, no_series_appears_twice)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct example e;

		example_open(&e, seed);
		example_fill(&e, 120);
		check_no_series_twice(&e.snapshot);
		example_close(&e);
	}
}

/* "12.000000345" as nanounits. */
static uint64_t nano_of(const char *text)
{
	uint64_t nano = 0;

	for (; *text && *text != '\n'; text++) {
		if (*text != '.')
			nano = nano * 10 + (uint64_t)(*text - '0');
	}
	return nano;
}

/* The sum of all samples that begin so, in nanounits. */
static uint64_t sum_of(const char *text, const char *begin)
{
	uint64_t sum = 0;
	char needle[256];

	snprintf(needle, sizeof(needle), "\n%s", begin);
	for (; (text = strstr(text, needle)); text++)
		sum += nano_of(strstr(text + 1, "} ") + 2);
	return sum;
}

/* The same of one zone of a workload family, whose labels end with it. */
static uint64_t sum_zone(const char *text, const char *family, const char *zone)
{
	uint64_t sum = 0;
	char tail[64];

	snprintf(tail, sizeof(tail), ",zone=\"%s\"} ", zone);
	for (const char *line = text; line && *line; line = strchr(line, '\n') + 1) {
		const char *end = strchr(line, '\n'), *at = strstr(line, tail);

		if (!strncmp(line, family, strlen(family)) && at && at < end)
			sum += nano_of(at + strlen(tail));
		if (!end[1])
			break;
	}
	return sum;
}

static bool is_in_pod(const struct snapshot *s, const struct snapshot_account *account)
{
	if (account->pod != POD_NONE)
		return s->pods[account->pod].is_pod;
	return account->bucket == BUCKET_CONTAINERS && *account->name->is.pod_uid;
}

Test(render, buckets_sum_to_their_zone_and_hold_their_workloads)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
		struct example e;
		uint64_t pods_nj = 0;

		example_open(&e, seed);
		example_fill(&e, 60);
		render(&e.snapshot, EXPOSITION_TEXT, &out);
		cr_assert(eq(u64,
			     sum_of(out.text,
				    "podjoule_bucket_joules_total{zone=\"package\",device=\"1\""),
			     sum_of(out.text,
				    "podjoule_node_joules_total{zone=\"package\",device=\"1\"")));
		cr_assert(eq(u64, sum_zone(out.text, "podjoule_unit_joules_total{", "dram"),
			     (uint64_t)e.snapshot.zones[EXAMPLE_DRAM].bucket_nj[BUCKET_SYSTEM]));

		/* A pod has what its cgroups have; containers outside pods are the rest. */
		for (size_t i = 0; i < e.snapshot.n_accounts; i++) {
			const struct snapshot_account *a = &e.snapshot.accounts[i];

			if (is_in_pod(&e.snapshot, a))
				pods_nj += (uint64_t)a->nj[COLUMN_PACKAGE];
		}
		cr_assert(eq(u64, sum_zone(out.text, "podjoule_pod_joules_total{", "package"),
			     pods_nj));
		example_close(&e);
	}
}

static void check_name(const struct page_sample *sample, void *ctx)
{
	(void)ctx;
	cr_assert(strncmp(sample->name, "podjoule_", 9) == 0, "a series of ours: %s", sample->name);
}

Test(render, hostile_names_stay_inside_their_quotes)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile_nodes); i++) {
		_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
		struct example e;

		example_open(&e, 3 + i);
		snprintf(e.facts.node, sizeof(e.facts.node), "%s", hostile_nodes[i]);
		example_fill(&e, 300);
		render(&e.snapshot, i % 2 ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT, &out);
		cr_assert(gt(sz, page_each(out.text, check_name, NULL), 100));
		example_close(&e);
	}
}

Test(render, families_are_whole_and_have_help)
{
	static const char *const names[] = {
#define X(id, level, name, type, unit, help) name,
		METRIC_FAMILIES(X)
#undef X
	};
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	struct example e;

	example_open(&e, 4);
	example_fill(&e, 100);
	e.snapshot.stats.has_bpf_ns = e.snapshot.stats.watches_api = true;
	e.snapshot.shares_idle = true;
	render(&e.snapshot, EXPOSITION_OPENMETRICS, &out);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char line[160];

		snprintf(line, sizeof(line), "# TYPE %s ", names[i]);
		cr_expect(eq(sz, count(out.text, line), 1), "%s", names[i]);
		snprintf(line, sizeof(line), "# HELP %s ", names[i]);
		cr_expect(eq(sz, count(out.text, line), 1), "%s", names[i]);
	}
	cr_assert(eq(str, out.text + out.len - 6, "# EOF\n"));
	cr_assert(example_has(out.text, "# TYPE podjoule_node info\npodjoule_node_info{"));
	cr_assert(example_has(out.text, "# UNIT podjoule_node_joules joules\n"));
	example_close(&e);
}

Test(render, what_is_not_known_is_absent)
{
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	struct example e;

	example_open(&e, 5);
	example_work(&e, example_container(&e, 10, "abc", "uid"));
	e.facts.has_counters = e.snapshot.shares_idle = e.snapshot.stats.watches_api = false;
	for (int i = 0; i < EXAMPLE_ZONES; i++)
		e.snapshot.zones[i].interval_ns = 0;
	render(&e.snapshot, EXPOSITION_TEXT, &out);
	cr_assert(eq(sz, count(out.text, "podjoule_node_watts"), 0));
	cr_assert(eq(sz, count(out.text, "podjoule_node_joules_stddev"), 0));
	cr_assert(eq(sz, count(out.text, "cycles"), 0));
	cr_assert(eq(sz, count(out.text, "instructions"), 0));
	cr_assert(eq(sz, count(out.text, "podjoule_agent_bpf_seconds"), 0));
	cr_assert(eq(sz, count(out.text, "podjoule_vm_joules"), 0));
	cr_assert(eq(sz, count(out.text, "podjoule_agent_api_"), 0));
	cr_assert(eq(sz, count(out.text, "idle_joules"), 0));
	cr_assert(eq(sz, count(out.text, "zone=\"core\",device=\"0\",bucket="), 6));
	cr_assert(eq(sz, count(out.text, "container_id=\"abc\",zone=\"core\""), 0));
	example_close(&e);
}

Test(render, idle_units_have_no_series_but_containers_have)
{
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	struct example e;

	example_open(&e, 6);
	example_unit(&e, 10, "never-ran.service");
	example_container(&e, 11, "just-born", "uid");
	render(&e.snapshot, EXPOSITION_TEXT, &out);
	cr_assert(not(example_has(out.text, "never-ran.service")));
	cr_assert(example_has(out.text,
			      "podjoule_container_cpu_seconds_total{namespace=\"\",pod=\"\","
			      "container=\"\",container_id=\"just-born\"} 0.000000000\n"));
	example_close(&e);
}

Test(render, a_cgroup_without_a_name_goes_by_its_id)
{
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	struct example e;

	example_open(&e, 7);
	example_work(&e, example_add(&e, 4711, NULL));
	render(&e.snapshot, EXPOSITION_TEXT, &out);
	cr_assert(example_has(out.text, "podjoule_unit_joules_total{unit=\"cgroup:4711\",zone="));
	example_close(&e);
}

struct levels {
	size_t n;
	uint64_t counted[_LEVEL_MAX], said[_LEVEL_MAX];
	unsigned int lines; /* of podjoule_agent_series */
};

static void count_level(const struct page_sample *sample, void *ctx)
{
	static const char *const words[] = {
#define X(level) #level,
		METRIC_LEVELS(X)
#undef X
	};
	struct levels *levels = ctx;
	bool found = false;

	levels->n++;
	for (int i = 0; i < _LEVEL_MAX; i++) {
		const char *word = i == LEVEL_node ? NULL : words[i], *level;

		level = page_label(sample, "level");
		if (!strcmp(sample->name, "podjoule_agent_series") && !strcmp(level, words[i])) {
			levels->said[i] = (uint64_t)sample->value;
			levels->lines++;
		}
		if (word && !strncmp(sample->name + 9, word, strlen(word)) &&
		    sample->name[9 + strlen(word)] == '_') {
			levels->counted[i]++;
			found = true;
		}
	}
	if (!strncmp(sample->name, "podjoule_build", 14))
		levels->counted[LEVEL_agent]++;
	else if (!found)
		levels->counted[LEVEL_node]++;
}

Test(render, counts_its_own_series)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
		struct levels levels = { 0 };
		struct example e;
		uint64_t sum = 0;

		example_open(&e, seed);
		example_fill(&e, 50);
		render(&e.snapshot, EXPOSITION_TEXT, &out);
		page_each(out.text, count_level, &levels);
		cr_assert(eq(uint, levels.lines, _LEVEL_MAX));
		for (int i = 0; i < _LEVEL_MAX; i++) {
			cr_expect(eq(u64, levels.said[i], levels.counted[i]), "level %d", i);
			sum += levels.said[i];
		}
		cr_assert(eq(u64, sum, levels.n));
		example_close(&e);
	}
}

Test(render, lateness_is_cumulative)
{
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	struct example e;

	example_open(&e, 9);
	for (unsigned int i = 0; i < LATE_BUCKETS; i++)
		e.snapshot.stats.late[i] = i + 1;
	render(&e.snapshot, EXPOSITION_TEXT, &out);
	cr_assert(example_has(out.text, "_late_seconds_bucket{le=\"0.001\"} 1\n"));
	cr_assert(example_has(out.text, "_late_seconds_bucket{le=\"1.0\"} 28\n"));
	cr_assert(example_has(out.text, "_late_seconds_bucket{le=\"+Inf\"} 36\n"));
	cr_assert(example_has(out.text, "_late_seconds_count 36\n"));
	example_close(&e);
}

Test(render, says_when_it_does_not_fit)
{
	_sbuf_ struct sbuf out = SBUF_INIT(2000);
	struct example e;

	example_open(&e, 10);
	cr_assert(eq(int, render_metrics(&e.snapshot, EXPOSITION_TEXT, &out), -E2BIG));
	example_close(&e);
}
