/* SPDX-License-Identifier: Apache-2.0 */
/* Names on the page, in JSON, CSV and the table: pods, containers, groups and processes. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>

#include "example_fill.h"
#include "expose/consumers.h"
#include "expose/render.h"
#include "expose/sums.h"
#include "no_leaks.h"
#include "oom.h"
#include "page_text.h"

TestSuite(named, .fini = no_leaks);

#define WEB_ID "00000000000000000000000000000000000000000000000000000000000000aa"

/* A pod of a Knative service with its container, an init container and its sandbox. */
static uint32_t add_web(struct example *e)
{
	static const struct pod_container containers[] = {
		{ .id = WEB_ID, .name = "user-container", .role = CONTAINER_MAIN },
		{ .id = "init0", .name = "wait", .role = CONTAINER_INIT },
		{ .id = "pause", .name = "", .role = CONTAINER_SANDBOX },
	};
	const struct pod facts = { .key = "uid-1",
				   .namespace = "shop",
				   .name = "web-1",
				   .function = { .platform = FUNCTION_KNATIVE,
						 .namespace = "shop",
						 .name = "web",
						 .revision = "web-00002" },
				   .labels = ",label_app=\"web\"",
				   .n_containers = ARRAY_SIZE(containers),
				   .containers = containers };
	uint32_t pod = example_known_pod(e, "uid-1", true, &facts, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(containers); i++) {
		struct snapshot_account *account =
			example_container(e, 10 + i, containers[i].id, "uid-1");

		example_join(e, account, pod);
		example_work(e, account);
	}
	return pod;
}

static void open_quietly(struct example *e)
{
	example_open(e, 1);
	e->snapshot.shares_idle = false;
}

static void render_page(const struct example *e, struct sbuf *out)
{
	cr_assert(eq(int, render_metrics(&e->snapshot, EXPOSITION_TEXT, out), 0));
}

Test(named, labels_stand_in_their_order)
{
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	struct example e;

	open_quietly(&e);
	add_web(&e);
	render_page(&e, &out);
	cr_assert(example_has(out.text, "\npodjoule_container_joules_total{namespace=\"shop\","
					"pod=\"web-1\",container=\"user-container\","
					"container_id=\"" WEB_ID "\",label_app=\"web\","
					"zone=\"package\"} "));
	cr_assert(example_has(out.text, "\npodjoule_container_cpu_seconds_total{namespace=\"shop\","
					"pod=\"web-1\",container=\"wait\",container_id=\"init0\","
					"label_app=\"web\"} "));
	cr_assert(example_has(out.text, "\npodjoule_pod_joules_total{namespace=\"shop\","
					"pod=\"web-1\",pod_uid=\"uid-1\",label_app=\"web\","
					"zone=\"dram\"} "));
	cr_assert(not(example_has(out.text, "pause")), "a sandbox is overhead of its pod");
	example_close(&e);
}

Test(named, groups_and_processes_have_the_labels_of_the_contract)
{
	static const char *const lines[] = {
		"podjoule_namespace_joules_total{namespace=\"shop\",zone=\"package\"} ",
		"podjoule_namespace_cpu_seconds_total{namespace=\"shop\"} ",
		"podjoule_workload_joules_total{namespace=\"shop\",kind=\"deployment\","
		"workload=\"web\",zone=\"dram\"} ",
		"podjoule_workload_cpu_seconds_total{namespace=\"shop\",kind=\"job\","
		"workload=\"tidy\",derived=\"true\"} ",
		"podjoule_function_joules_total{platform=\"knative\",namespace=\"shop\","
		"function=\"web\",revision=\"web-00002\",zone=\"package\"} ",
		"podjoule_function_pods_total{platform=\"knative\",namespace=\"shop\","
		"function=\"web\",revision=\"web-00002\"} ",
		"podjoule_function_cold_starts_total{platform=\"knative\",",
		"podjoule_function_cold_start_joules_total{platform=\"knative\",",
		"podjoule_function_overhead_joules_total{platform=\"knative\",",
		"podjoule_process_joules_total{pid=\"7\",comm=\"nginx\",container_id=\"" WEB_ID
		"\",zone=\"package\"} ",
		"podjoule_process_joules_total{pid=\"8\",comm=\"sshd\",container_id=\"\","
		"zone=\"package\"} ",
	};
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	struct example e;

	open_quietly(&e);
	add_web(&e);
	example_group(&e, &(struct group_key){ .kind = GROUP_NAMESPACE,
					       .namespace = "shop",
					       .owner = "",
					       .name = "",
					       .revision = "" });
	example_group(&e, &(struct group_key){ .kind = GROUP_WORKLOAD,
					       .namespace = "shop",
					       .owner = "deployment",
					       .name = "web",
					       .revision = "" });
	example_group(&e, &(struct group_key){ .kind = GROUP_WORKLOAD,
					       .namespace = "shop",
					       .owner = "job",
					       .name = "tidy",
					       .revision = "",
					       .derived = true });
	example_group(&e, &(struct group_key){ .kind = GROUP_FUNCTION,
					       .platform = FUNCTION_KNATIVE,
					       .namespace = "shop",
					       .owner = "",
					       .name = "web",
					       .revision = "web-00002" });
	example_process(&e, 7, "nginx", 10);
	example_process(&e, 8, "sshd", 4711);
	render_page(&e, &out);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		cr_expect(example_has(out.text, lines[i]), "%s", lines[i]);
	example_close(&e);
}

struct zone_sum {
	const char *family, *zone;
	uint64_t nano;
};

static void add_sample(const struct page_sample *sample, void *ctx)
{
	struct zone_sum *sum = ctx;
	const char *zone = page_label(sample, "zone");

	if (!strcmp(sample->name, sum->family) && zone && !strcmp(zone, sum->zone))
		sum->nano += sample->nano;
}

static uint64_t page_sum(const char *text, const char *family, const char *zone)
{
	struct zone_sum sum = { .family = family, .zone = zone };

	page_each(text, add_sample, &sum);
	return sum.nano;
}

/* However names collide, nothing is lost and nothing is counted twice. */
Test(named, what_prints_the_same_is_added_up)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
		uint64_t want[_GROUP_KIND_MAX] = { 0 }, processes = 0;
		struct example e;

		example_open(&e, seed);
		example_fill(&e, 200);
		render_page(&e, &out);
		for (size_t i = 0; i < e.snapshot.n_groups; i++)
			want[e.snapshot.groups[i].key->kind] +=
				(uint64_t)e.snapshot.groups[i].total.nj[COLUMN_DRAM];
		for (size_t i = 0; i < e.snapshot.n_processes; i++)
			processes += (uint64_t)e.snapshot.processes[i].used.nj[COLUMN_PACKAGE];
		cr_assert(eq(u64, page_sum(out.text, "podjoule_namespace_joules_total", "dram"),
			     want[GROUP_NAMESPACE]));
		cr_assert(eq(u64, page_sum(out.text, "podjoule_workload_joules_total", "dram"),
			     want[GROUP_WORKLOAD]));
		cr_assert(eq(u64, page_sum(out.text, "podjoule_function_joules_total", "dram"),
			     want[GROUP_FUNCTION]));
		cr_assert(eq(u64, page_sum(out.text, "podjoule_process_joules_total", "package"),
			     processes));
		example_close(&e);
	}
}

static void check_zone(const struct page_sample *sample, void *ctx)
{
	const char *zone = page_label(sample, "zone");
	bool of_node = !strncmp(sample->name, "podjoule_node_", 14) ||
		       !strncmp(sample->name, "podjoule_bucket_", 16) ||
		       !strncmp(sample->name, "podjoule_zone_", 14) ||
		       !strncmp(sample->name, "podjoule_source_", 16);

	(void)ctx;
	if (zone && !of_node)
		cr_assert(strcmp(zone, "package") == 0 || !strcmp(zone, "dram"), "%s has zone %s",
			  sample->name, zone);
}

Test(named, workloads_carry_only_zones_that_this_node_has)
{
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	struct example e;

	example_open(&e, 4);
	example_fill(&e, 200);
	render_page(&e, &out);
	page_each(out.text, check_zone, NULL);
	example_close(&e);
}

Test(named, a_pod_without_cgroups_keeps_what_was_folded_into_it)
{
	_sbuf_ struct sbuf out = SBUF_INIT(64 << 20);
	struct example e;
	uint32_t pod;

	open_quietly(&e);
	pod = add_web(&e);
	e.snapshot.pods[pod].total.nj[COLUMN_DRAM] = 7000000001;
	e.snapshot.pods[pod].ended_ns = 3000000000;
	while (e.snapshot.n_accounts > 3)
		example_fold(&e, 3);
	render_page(&e, &out);
	cr_assert(example_has(out.text, "pod_uid=\"uid-1\",label_app=\"web\",zone=\"dram\"} "
					"7.000000001\n"));
	cr_assert(not(example_has(out.text, "podjoule_container_joules_total")));
	example_close(&e);
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

static int64_t nano(const cJSON *object, const char *key)
{
	return llround(get(object, key)->valuedouble * 1e9);
}

static void expect_text(const cJSON *object, const char *key, const char *want)
{
	cr_assert(cJSON_IsString(get(object, key)), "%s is a text", key);
	cr_assert(eq(str, get(object, key)->valuestring, (char *)want), "%s", key);
}

/* What the pod used besides its containers is its overhead, to the nanojoule. */
Test(named, json_tells_containers_from_overhead)
{
	struct example e;
	const cJSON *pod, *row;
	int64_t sum;
	cJSON *root;

	open_quietly(&e);
	add_web(&e);
	root = parse(&e.snapshot);
	cr_assert(eq(int, cJSON_GetArraySize(get(root, "containers")), 2));
	cr_assert(eq(int, cJSON_GetArraySize(get(root, "pods")), 1));
	pod = cJSON_GetArrayItem(get(root, "pods"), 0);
	expect_text(pod, "namespace", "shop");
	expect_text(pod, "pod", "web-1");
	expect_text(pod, "pod_uid", "uid-1");
	cr_assert(cJSON_IsNull(get(pod, "ended")));
	sum = nano(get(pod, "overhead"), "package");
	cr_assert(gt(i64, sum, 0));
	cJSON_ArrayForEach(row, get(root, "containers"))
	{
		sum += nano(get(row, "joules"), "package");
		expect_text(row, "pod_uid", "uid-1");
		expect_text(get(row, "function"), "platform", "knative");
		expect_text(get(row, "function"), "function", "web");
		expect_text(get(row, "function"), "revision", "web-00002");
		cr_assert(cJSON_GetObjectItemCaseSensitive(row, "idle_joules") == NULL);
	}
	cr_assert(eq(i64, sum, nano(get(pod, "joules"), "package")));
	row = cJSON_GetArrayItem(get(root, "containers"), 0);
	expect_text(row, "container", "user-container");
	expect_text(row, "role", "main");
	expect_text(cJSON_GetArrayItem(get(root, "containers"), 1), "role", "init");
	cJSON_Delete(root);

	e.snapshot.shares_idle = true;
	root = parse(&e.snapshot);
	row = cJSON_GetArrayItem(get(root, "containers"), 0);
	cr_assert(ge(i64, nano(get(row, "idle_joules"), "package"), 0));
	cJSON_Delete(root);
	example_close(&e);
}

Test(named, json_lists_groups_processes_and_uuids)
{
	struct example e;
	struct snapshot_account *vm;
	cJSON *root;
	const cJSON *row;

	example_open(&e, 3);
	example_fill(&e, 60);
	vm = example_vm(&e, 9000, "guest");
	snprintf(vm->name->is.vm_uuid, sizeof(vm->name->is.vm_uuid), "4dea22b3-1d52");
	example_work(&e, vm);
	root = parse(&e.snapshot);
	cJSON_ArrayForEach(row, get(root, "namespaces")) get(row, "cpu_seconds");
	cJSON_ArrayForEach(row, get(root, "workloads"))
	{
		expect_text(row, "kind", "deployment");
		cr_assert(cJSON_IsBool(get(row, "derived")));
		nano(get(row, "joules"), "dram");
	}
	cJSON_ArrayForEach(row, get(root, "functions"))
	{
		expect_text(row, "platform", "knative");
		cr_assert(ge(i64, nano(get(row, "joules"), "package"),
			     nano(get(row, "overhead"), "package")));
		get(get(row, "cold_start_joules"), "dram");
		get(row, "cold_starts");
		get(row, "pods");
	}
	cJSON_ArrayForEach(row, get(root, "processes"))
	{
		get(row, "pid");
		get(row, "comm");
		get(row, "container_id");
		get(row, "cpu_seconds");
	}
	cr_assert(gt(int, cJSON_GetArraySize(get(root, "functions")), 0));
	cr_assert(gt(int, cJSON_GetArraySize(get(root, "processes")), 0));
	row = cJSON_GetArrayItem(get(root, "vms"), cJSON_GetArraySize(get(root, "vms")) - 1);
	expect_text(row, "uuid", "4dea22b3-1d52");
	cJSON_Delete(root);
	example_close(&e);
}

Test(named, csv_fills_its_columns)
{
	_sbuf_ struct sbuf out = SBUF_INIT(1 << 20);
	struct example e;

	open_quietly(&e);
	add_web(&e);
	cr_assert(eq(int, render_csv(&e.snapshot, &out), 0));
	cr_assert(example_has(out.text,
			      ",container,shop,web-1,uid-1,user-container," WEB_ID ",,package,,"));
	cr_assert(example_has(out.text, ",pod,shop,web-1,uid-1,,,,dram,,"));
	example_close(&e);
}

Test(named, the_table_shows_ids_only_where_names_are_missing)
{
	_sbuf_ struct sbuf out = SBUF_INIT(1 << 20);
	struct example e;

	open_quietly(&e);
	add_web(&e);
	example_work(&e, example_container(&e, 90, "bb" WEB_ID, "uid-2"));
	cr_assert(
		eq(int, render_table(&e.snapshot, &(struct table_style){ .width = 120 }, &out), 0));
	cr_assert(example_has(out.text, "shop/web-1/user-container "));
	cr_assert(example_has(out.text, "shop/web-1/wait (init) "));
	cr_assert(example_has(out.text, "shop/web-1 overhead "));
	cr_assert(example_has(out.text, "bb0000000000 pod uid-2 containerd "));
	cr_assert(not(example_has(out.text, "00aa")), "%s", out.text);
	example_close(&e);
}

Test(named, the_table_has_functions_where_there_are_any)
{
	_sbuf_ struct sbuf none = SBUF_INIT(1 << 20), some = SBUF_INIT(1 << 20);
	struct example e;

	open_quietly(&e);
	cr_assert(
		eq(int, render_table(&e.snapshot, &(struct table_style){ .width = 80 }, &none), 0));
	cr_assert(not(example_has(none.text, "FUNCTION")));
	for (unsigned int i = 0; i < 8; i++)
		example_group(&e,
			      &(struct group_key){ .kind = GROUP_FUNCTION,
						   .platform = FUNCTION_KNATIVE,
						   .namespace = "shop",
						   .owner = "",
						   .name = "web",
						   .revision = (char[]){ (char)('a' + i), 0 } });
	cr_assert(eq(
		int,
		render_table(&e.snapshot, &(struct table_style){ .width = 80, .rows = 20 }, &some),
		0));
	cr_assert(example_has(some.text, "\nFUNCTION "));
	cr_assert(example_has(some.text, "\n3 more functions\n"), "%s", some.text);
	example_close(&e);
}

/* Whatever allocation fails, the answer is an error or whole, and nothing leaks. */
Test(named, survives_any_failing_allocation)
{
	struct example e;

	example_open(&e, 11);
	example_fill(&e, 40);
	OOM_SWEEP(n)
	{
		_sbuf_ struct sbuf page = SBUF_INIT(64 << 20), json = SBUF_INIT(64 << 20);
		_sbuf_ struct sbuf table = SBUF_INIT(64 << 20);
		int r = render_metrics(&e.snapshot, EXPOSITION_TEXT, &page);

		r = r ? r : render_json(&e.snapshot, &json);
		r = r ? r : render_table(&e.snapshot, &(struct table_style){ .width = 80 }, &table);
		cr_assert(eq(int, oom_stop() ? -ENOMEM : 0, r));
	}
	example_close(&e);
}
