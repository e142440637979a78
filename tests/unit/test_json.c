/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>

#include "example_fill.h"
#include "expose/render.h"
#include "no_leaks.h"

TestSuite(json, .fini = no_leaks);

/* Exact while the figure stays below 2^52 nanojoules: what the examples hold. */
static int64_t nano(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	cr_assert(cJSON_IsNumber(item), "%s is a number", key);
	cr_assert(item->valuedouble >= 0, "%s is not negative", key);
	return llround(item->valuedouble * 1e9);
}

static cJSON *parse(const struct snapshot *snapshot)
{
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	cJSON *root;

	cr_assert(eq(int, render_json(snapshot, &out), 0));
	root = cJSON_Parse(out.text);
	cr_assert(root != NULL, "the text is JSON");
	return root;
}

static const cJSON *get(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	cr_assert(item != NULL, "there is a '%s'", key);
	return item;
}

/* One column over all rows of a list. */
static int64_t sum_list(const cJSON *root, const char *list, const char *what, const char *column)
{
	const cJSON *row;
	int64_t sum = 0;

	cJSON_ArrayForEach(row, get(root, list)) sum += nano(get(row, what), column);
	return sum;
}

static int64_t sum_bucket(const cJSON *root, const char *zone, const char *bucket)
{
	const cJSON *row;
	int64_t sum = 0;

	cJSON_ArrayForEach(row, get(root, "zones"))
	{
		if (!strcmp(get(row, "zone")->valuestring, zone))
			sum += nano(get(row, "buckets"), bucket);
	}
	return sum;
}

static void check_laws(const cJSON *root, const char *column)
{
	const cJSON *folded = get(root, "folded"), *zone;
	int64_t containers;

	cJSON_ArrayForEach(zone, get(root, "zones"))
	{
		int64_t sum = 0;

		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
			sum += nano(get(zone, "buckets"), bucket_name(b));
		cr_assert(eq(i64, sum, nano(zone, "joules")));
	}
	containers = sum_list(root, "containers", "joules", column) +
		     sum_list(root, "pods", "overhead", column) +
		     nano(get(folded, "containers"), column);
	cr_assert(eq(i64, containers, sum_bucket(root, column, "containers")));
	cr_assert(eq(i64,
		     sum_list(root, "vms", "joules", column) + nano(get(folded, "vms"), column),
		     sum_bucket(root, column, "vms")));
	cr_assert(
		eq(i64,
		   sum_list(root, "units", "joules", column) + nano(get(folded, "system"), column),
		   sum_bucket(root, column, "system")));
}

Test(json, sums_hold_for_any_names)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct example e;
		cJSON *root;

		example_open(&e, seed);
		example_fill(&e, (unsigned int)example_below(&e, 80));
		for (size_t i = e.snapshot.n_accounts; i-- > 3;) {
			if (!example_below(&e, 4))
				example_fold(&e, i);
		}
		root = parse(&e.snapshot);
		check_laws(root, "package");
		check_laws(root, "dram");
		cJSON_Delete(root);
		example_close(&e);
	}
}

Test(json, pods_are_their_containers_and_overhead)
{
	struct example e;
	cJSON *root;
	const cJSON *pod;

	example_open(&e, 5);
	for (unsigned int i = 0; i < 9; i++)
		example_work(&e, example_container(&e, 10 + i, (char[]){ (char)('a' + i), 0 },
						   i % 3 ? "uid-1" : "uid-2"));
	example_work(&e, example_pod(&e, 90, "uid-1"));
	root = parse(&e.snapshot);
	cr_assert(eq(int, cJSON_GetArraySize(get(root, "pods")), 2));
	cJSON_ArrayForEach(pod, get(root, "pods"))
	{
		int64_t sum = nano(get(pod, "overhead"), "package");
		const cJSON *row;

		cJSON_ArrayForEach(row, get(root, "containers"))
		{
			if (!strcmp(get(row, "pod_uid")->valuestring,
				    get(pod, "pod_uid")->valuestring))
				sum += nano(get(row, "joules"), "package");
		}
		cr_assert(eq(i64, sum, nano(get(pod, "joules"), "package")));
	}
	cJSON_Delete(root);
	example_close(&e);
}

Test(json, inner_cgroups_are_one_container)
{
	struct example e;
	cJSON *root;
	const cJSON *row;

	example_open(&e, 6);
	example_container(&e, 10, "abc", "uid")->usage.busy_ns = 1000000000;
	example_container(&e, 11, "abc", "uid")->usage.busy_ns = 500000000;
	e.snapshot.accounts[3].ended_ns = 2000000000;
	root = parse(&e.snapshot);
	cr_assert(eq(int, cJSON_GetArraySize(get(root, "containers")), 1));
	row = cJSON_GetArrayItem(get(root, "containers"), 0);
	cr_assert(eq(i64, nano(row, "cpu_seconds"), 1500000000));
	cr_assert(cJSON_IsNull(get(row, "ended")), "one of its cgroups lives");
	cJSON_Delete(root);

	e.snapshot.accounts[4].ended_ns = 3000000000;
	root = parse(&e.snapshot);
	row = cJSON_GetArrayItem(get(root, "containers"), 0);
	cr_assert(eq(str, get(row, "ended")->valuestring, "2026-01-01T00:00:02.000000000Z"));
	cJSON_Delete(root);
	example_close(&e);
}

Test(json, has_every_key_on_an_empty_node)
{
	static const char *const keys[] = { "version",   "node",      "start",       "end",
					    "cpus",      "tier",      "cpu_seconds", "sources",
					    "activity",  "zones",     "containers",  "pods",
					    "workloads", "functions", "units",       "vms",
					    "processes", "folded" };
	struct example e;
	cJSON *root;

	example_open(&e, 7);
	e.snapshot.n_zones = 0;
	memset(e.snapshot.has_column, 0, sizeof(e.snapshot.has_column));
	e.snapshot.n_accounts = 0;
	root = parse(&e.snapshot);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		get(root, keys[i]);
	cr_assert(eq(str, get(root, "start")->valuestring, "2026-01-01T00:00:00.000000000Z"));
	cr_assert(eq(str, get(root, "end")->valuestring, "2026-01-01T00:00:12.500000000Z"));
	cJSON_Delete(root);
	example_close(&e);
}

Test(json, counters_are_null_when_nobody_counts)
{
	struct example e;
	cJSON *root;
	const cJSON *row;

	example_open(&e, 8);
	example_work(&e, example_container(&e, 10, "abc", "uid"));
	for (int counted = 0; counted < 2; counted++) {
		e.facts.has_counters = counted;
		root = parse(&e.snapshot);
		row = cJSON_GetArrayItem(get(root, "containers"), 0);
		cr_assert(eq(int, cJSON_IsNumber(get(row, "cycles")), counted));
		cr_assert(eq(int, cJSON_IsNull(get(row, "instructions")), !counted));
		cJSON_Delete(root);
	}
	example_close(&e);
}

Test(json, prints_joules_that_no_double_holds)
{
	_sbuf_ struct sbuf out = SBUF_INIT(1 << 20);
	struct example e;
	const nj_t year_nj = (nj_t)315360000000u * 1000000000u + 1; /* 10 kW for a year */

	example_open(&e, 9);
	e.snapshot.zones[0].nj = year_nj;
	cr_assert(eq(int, render_json(&e.snapshot, &out), 0));
	cr_assert(example_has(out.text, "\"joules\":315360000000.000000001,"),
		  "all digits are there");
	example_close(&e);
}

Test(json, says_when_it_does_not_fit)
{
	_sbuf_ struct sbuf out = SBUF_INIT(300);
	struct example e;

	example_open(&e, 10);
	cr_assert(eq(int, render_json(&e.snapshot, &out), -E2BIG));
	example_close(&e);
}
