/* SPDX-License-Identifier: Apache-2.0 */
/* Who used the joules: containers, pods, groups, units, VMs and processes. */
#include <errno.h>

#include "expose/consumers.h"
#include "expose/json.h"
#include "expose/sums.h"

static void write_text_or_null(struct json *json, const char *name, const char *text)
{
	if (*text)
		json_text(json, name, text);
	else
		json_null(json, name);
}

static void write_function(struct json *json, const struct function *function)
{
	if (!function) {
		json_null(json, "function");
		return;
	}
	json_key(json, "function");
	json_open(json, '{');
	json_text(json, "platform", function_platform_name(function->platform));
	json_text(json, "namespace", function->namespace);
	json_text(json, "function", function->name);
	json_text(json, "revision", function->revision);
	json_close(json, '}');
}

static void write_switches(struct json *json, const struct usage *usage)
{
	json_key(json, "switches");
	json_open(json, '{');
	json_u64(json, "voluntary", usage->voluntary);
	json_u64(json, "involuntary", usage->involuntary);
	json_close(json, '}');
}

static void write_counts(struct json *json, const struct usage *usage)
{
	if (json->snapshot->facts->has_counters) {
		json_u64(json, "cycles", usage->cycles);
		json_u64(json, "instructions", usage->instructions);
	} else {
		json_null(json, "cycles");
		json_null(json, "instructions");
	}
	write_switches(json, usage);
}

static void write_pod_names(struct json *json, const struct consumer *consumer)
{
	json_text(json, "namespace", consumer_namespace(consumer));
	json_text(json, "pod", consumer_pod_name(consumer));
	json_text(json, "pod_uid", consumer_pod_uid(consumer));
}

static void write_container(struct json *json, const struct consumer *consumer)
{
	char id[CONSUMER_ID_SIZE];

	write_pod_names(json, consumer);
	json_text(json, "container", consumer_container_name(consumer));
	write_text_or_null(json, "role", consumer_role(consumer));
	json_text(json, "container_id", consumer_id(consumer, id));
	json_text(json, "runtime", consumer_runtime(consumer));
	json_text(json, "cgroup", consumer_path(consumer));
	write_function(json, consumer_function(consumer));
	json_joules(json, "joules", consumer->nj);
	if (json->snapshot->shares_idle)
		json_joules(json, "idle_joules", consumer->idle_nj);
	json_stddev(json, "stddev", consumer->variance_nj2);
	json_nano(json, "cpu_seconds", consumer->usage.busy_ns);
	write_counts(json, &consumer->usage);
	json_moment(json, "ended", consumer->ended_ns);
}

static void write_pod(struct json *json, const struct consumer *consumer)
{
	write_pod_names(json, consumer);
	write_function(json, consumer_function(consumer));
	json_joules(json, "overhead", consumer->nj);
	json_joules(json, "joules", consumer->with_containers.nj);
	json_nano(json, "cpu_seconds", consumer->with_containers.busy_ns);
	json_moment(json, "ended", consumer->ended_ns);
}

static void write_unit(struct json *json, const struct consumer *consumer)
{
	char id[CONSUMER_ID_SIZE];

	json_text(json, "unit", consumer_id(consumer, id));
	json_text(json, "cgroup", consumer_path(consumer));
	json_joules(json, "joules", consumer->nj);
	json_nano(json, "cpu_seconds", consumer->usage.busy_ns);
	write_switches(json, &consumer->usage);
}

static void write_vm(struct json *json, const struct consumer *consumer)
{
	char id[CONSUMER_ID_SIZE];

	json_text(json, "vm", consumer_id(consumer, id));
	json_text(json, "uuid", consumer_vm_uuid(consumer));
	json_text(json, "hypervisor", consumer_runtime(consumer));
	write_pod_names(json, consumer);
	json_text(json, "cgroup", consumer_path(consumer));
	json_joules(json, "joules", consumer->nj);
	json_nano(json, "cpu_seconds", consumer->usage.busy_ns);
}

static void write_consumers(struct json *json, const struct consumers *consumers, const char *name,
			    enum consumer_kind kind,
			    void (*write)(struct json *json, const struct consumer *consumer))
{
	json_key(json, name);
	json_open(json, '[');
	for (size_t i = 0; i < consumers->n; i++) {
		if (consumers->all[i].kind != kind)
			continue;
		json_item(json);
		json_open(json, '{');
		write(json, &consumers->all[i]);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void write_total(struct json *json, const struct sum *sum)
{
	json_joules(json, "joules", sum->total.nj);
	json_nano(json, "cpu_seconds", sum->total.busy_ns);
}

static void write_namespace(struct json *json, const struct sum *sum)
{
	json_text(json, "namespace", sum->key->namespace);
	write_total(json, sum);
}

static void write_workload(struct json *json, const struct sum *sum)
{
	json_text(json, "namespace", sum->key->namespace);
	json_text(json, "kind", sum->key->owner);
	json_text(json, "workload", sum->key->name);
	json_bool(json, "derived", sum->key->derived);
	write_total(json, sum);
}

static void write_function_sum(struct json *json, const struct sum *sum)
{
	json_text(json, "platform", function_platform_name(sum->key->platform));
	json_text(json, "namespace", sum->key->namespace);
	json_text(json, "function", sum->key->name);
	json_text(json, "revision", sum->key->revision);
	json_u64(json, "pods", sum->pods);
	json_u64(json, "cold_starts", sum->cold_starts);
	json_joules(json, "cold_start_joules", sum->cold.nj);
	json_joules(json, "overhead", sum->overhead.nj);
	write_total(json, sum);
}

static void write_process(struct json *json, const struct sum *sum)
{
	json_u64(json, "pid", (uint64_t)MAX(sum->process->pid, 0));
	json_text(json, "comm", sum->process->comm);
	json_text(json, "container_id", sum->container_id);
	write_total(json, sum);
}

static void write_sums(struct json *json, const struct sums *sums, const char *name,
		       enum sum_kind kind, void (*write)(struct json *json, const struct sum *sum))
{
	json_key(json, name);
	json_open(json, '[');
	for (size_t i = 0; i < sums->n; i++) {
		if (sums->all[i].kind != kind)
			continue;
		json_item(json);
		json_open(json, '{');
		write(json, &sums->all[i]);
		json_close(json, '}');
	}
	json_close(json, ']');
}

int json_workloads(struct json *json)
{
	_consumers_ struct consumers consumers = { 0 };
	_sums_ struct sums sums = { 0 };
	int r;

	r = consumers_collect(json->snapshot, &consumers);
	if (r == 0)
		r = sums_collect(json->snapshot, &sums);
	if (r < 0)
		return r;
	write_consumers(json, &consumers, "containers", CONSUMER_CONTAINER, write_container);
	write_consumers(json, &consumers, "pods", CONSUMER_POD, write_pod);
	write_sums(json, &sums, "namespaces", SUM_NAMESPACE, write_namespace);
	write_sums(json, &sums, "workloads", SUM_WORKLOAD, write_workload);
	write_sums(json, &sums, "functions", SUM_FUNCTION, write_function_sum);
	write_consumers(json, &consumers, "units", CONSUMER_UNIT, write_unit);
	write_consumers(json, &consumers, "vms", CONSUMER_VM, write_vm);
	write_sums(json, &sums, "processes", SUM_PROCESS, write_process);
	return 0;
}
