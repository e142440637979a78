/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: every family once.  X(ID, level, name, type, unit, help), in the order of the page.
 *
 * level is what podjoule_agent_series counts a family's series under.  name is OpenMetrics' family
 * name: without `_total`, `_info` or `_bucket`, which the type implies (text format 0.0.4 wants
 * them in its HELP and TYPE lines).  unit is "" or the name's own end.
 */
#ifndef PODJOULE_METRICS_H
#define PODJOULE_METRICS_H

enum metric_type { METRIC_counter, METRIC_gauge, METRIC_info, METRIC_histogram };

/* clang-format off */
#define METRIC_LEVELS(X)                                                                           \
	X(node) X(bucket) X(namespace) X(workload) X(function) X(pod) X(container) X(vm) X(unit)   \
	X(process) X(agent)
/* clang-format on */

enum metric_level {
#define X(level) LEVEL_##level,
	METRIC_LEVELS(X)
#undef X
		_LEVEL_MAX
};

/* The node, its sources and its buckets: series with every zone. */
#define METRICS_OF_NODE(X)                                                                         \
	X(NODE, node, "podjoule_node", info, "", "The node and what podjoule knows about it.")     \
	X(NODE_JOULES, node, "podjoule_node_joules", counter, "joules",                            \
	  "Energy of each zone as its source measured or modelled it.")                            \
	X(NODE_WATTS, node, "podjoule_node_watts", gauge, "watts",                                 \
	  "Mean power of each zone over the last publish interval with a reading.")                \
	X(NODE_STDDEV, node, "podjoule_node_joules_stddev", gauge, "",                             \
	  "Standard deviation of the random part of the last publish interval's energy.")          \
	X(BUCKET_JOULES, bucket, "podjoule_bucket_joules", counter, "joules",                      \
	  "Energy by bucket: the buckets of a zone sum to the node's joules exactly.")             \
	X(BUCKET_CPU, bucket, "podjoule_bucket_cpu_seconds", counter, "seconds",                   \
	  "CPU time by bucket, idle and steal included: wall time times online CPUs.")             \
	X(ZONE_ERROR, node, "podjoule_zone_error_ratio", gauge, "ratio",                           \
	  "Systematic part of a zone's error, relative: it does not average out.")                 \
	X(ZONE_UNKNOWN, node, "podjoule_zone_unknown_seconds", counter, "seconds",                 \
	  "Time without a usable reading, of the zone's device that lacked most.")                 \
	X(SOURCE, node, "podjoule_source", info, "", "Where the energy of a zone comes from.")     \
	X(ACTIVITY, node, "podjoule_activity", info, "",                                           \
	  "Who says what was busy, and by what weight.")

/* Sums that live as long as the agent. */
#define METRICS_OF_GROUPS(X)                                                                       \
	X(NAMESPACE_JOULES, namespace, "podjoule_namespace_joules", counter, "joules",             \
	  "Dynamic energy of a namespace, with all that has ended.")                               \
	X(NAMESPACE_CPU, namespace, "podjoule_namespace_cpu_seconds", counter, "seconds",          \
	  "CPU time of a namespace, with all that has ended.")                                     \
	X(WORKLOAD_JOULES, workload, "podjoule_workload_joules", counter, "joules",                \
	  "Dynamic energy by the pods' owner, with all that has ended.")                           \
	X(WORKLOAD_CPU, workload, "podjoule_workload_cpu_seconds", counter, "seconds",             \
	  "CPU time by the pods' owner, with all that has ended.")                                 \
	X(FUNCTION_JOULES, function, "podjoule_function_joules", counter, "joules",                \
	  "Dynamic energy of a function, with all that has ended.")                                \
	X(FUNCTION_CPU, function, "podjoule_function_cpu_seconds", counter, "seconds",             \
	  "CPU time of a function, with all that has ended.")                                      \
	X(FUNCTION_PODS, function, "podjoule_function_pods", counter, "",                          \
	  "Pods that have run a function.")                                                        \
	X(FUNCTION_STARTS, function, "podjoule_function_cold_starts", counter, "",                 \
	  "Cold starts of a function: pods that were started for it.")                             \
	X(FUNCTION_START_JOULES, function, "podjoule_function_cold_start_joules", counter,         \
	  "joules", "Dynamic energy of cold starts, from the first CPU time to readiness.")        \
	X(FUNCTION_OVERHEAD, function, "podjoule_function_overhead_joules", counter, "joules",     \
	  "The part of a function's energy that its sandboxes and queue proxies used.")

/* Workloads: zones that do not overlap, so that a sum over zone is always right. */
#define METRICS_OF_WORKLOADS(X)                                                                    \
	X(POD_JOULES, pod, "podjoule_pod_joules", counter, "joules",                               \
	  "Dynamic energy of a pod: its containers and its own overhead.")                         \
	X(CONTAINER_JOULES, container, "podjoule_container_joules", counter, "joules",             \
	  "Dynamic energy of a container.")                                                        \
	X(CONTAINER_IDLE, container, "podjoule_container_idle_joules", counter, "joules",          \
	  "Static energy that is shared out to a container; not part of its dynamic energy.")      \
	X(CONTAINER_CPU, container, "podjoule_container_cpu_seconds", counter, "seconds",          \
	  "CPU time of a container.")                                                              \
	X(CONTAINER_CYCLES, container, "podjoule_container_cpu_cycles", counter, "",               \
	  "CPU cycles of a container as the PMU counted them.")                                    \
	X(CONTAINER_INSTRUCTIONS, container, "podjoule_container_cpu_instructions", counter, "",   \
	  "Instructions that a container retired as the PMU counted them.")                        \
	X(CONTAINER_SWITCHES, container, "podjoule_container_context_switches", counter, "",       \
	  "Context switches away from a container's tasks.")                                       \
	X(VM_JOULES, vm, "podjoule_vm_joules", counter, "joules",                                  \
	  "Dynamic energy of a virtual machine that this node hosts.")                             \
	X(UNIT_JOULES, unit, "podjoule_unit_joules", counter, "joules",                            \
	  "Dynamic energy of a systemd unit or another cgroup that is no container.")              \
	X(PROCESS_JOULES, process, "podjoule_process_joules", counter, "joules",                   \
	  "Dynamic energy of a process: its part of its cgroup's.")

/* The agent on itself.  AGENT_SERIES is last: it counts what stands above it. */
#define METRICS_OF_AGENT(X)                                                                        \
	X(AGENT_SAMPLES, agent, "podjoule_agent_samples", counter, "", "Ticks of the sampler.")    \
	X(AGENT_LATE, agent, "podjoule_agent_sample_late_seconds", histogram, "seconds",           \
	  "How much later than planned the ticks began.")                                          \
	X(AGENT_LOST, agent, "podjoule_agent_lost_events", counter, "",                            \
	  "Cgroup lifecycle events that did not fit into their buffer.")                           \
	X(AGENT_OVERFLOW, agent, "podjoule_agent_overflow_switches", counter, "",                  \
	  "Context switches booked as unattributed because the cgroup table was full.")            \
	X(AGENT_DROPPED, agent, "podjoule_agent_dropped_cgroups", counter, "",                     \
	  "Cgroups that found no account because the ledger was full.")                            \
	X(AGENT_PMU_ERRORS, agent, "podjoule_agent_pmu_errors", counter, "",                       \
	  "Reads of hardware counters that failed.")                                               \
	X(AGENT_TORN, agent, "podjoule_agent_torn_reads", counter, "",                             \
	  "CPUs that a tick left to the next one because they were being written.")                \
	X(AGENT_FOLDED, agent, "podjoule_agent_folded", counter, "",                               \
	  "What made room in a table: ended cgroups and pods, groups that rested longest.")        \
	X(AGENT_API, agent, "podjoule_agent_api_connected", gauge, "",                             \
	  "1 while pods are watched at the API server, 0 while they are not.")                     \
	X(AGENT_API_EVENTS, agent, "podjoule_agent_api_events", counter, "",                       \
	  "Changes of pods that the API server told of.")                                          \
	X(AGENT_API_RELISTS, agent, "podjoule_agent_api_relists", counter, "",                     \
	  "Times that all pods were listed again.")                                                \
	X(AGENT_API_DROPPED, agent, "podjoule_agent_api_dropped", counter, "",                     \
	  "Pods that found no room, and objects that were no pods.")                               \
	X(AGENT_CPU, agent, "podjoule_agent_cpu_seconds", counter, "seconds",                      \
	  "CPU time of the agent's own process.")                                                  \
	X(AGENT_BPF, agent, "podjoule_agent_bpf_seconds", counter, "seconds",                      \
	  "Run time of the agent's BPF programs, while kernel.bpf_stats_enabled is set.")          \
	X(AGENT_RESIDENT, agent, "podjoule_agent_resident_bytes", gauge, "bytes",                  \
	  "Resident memory of the agent.")                                                         \
	X(BUILD, agent, "podjoule_build", info, "", "The agent's version.")                        \
	X(AGENT_SERIES, agent, "podjoule_agent_series", gauge, "",                                 \
	  "Series on this page, by what they are of; the sum is all of them.")

#define METRIC_FAMILIES(X)                                                                         \
	METRICS_OF_NODE(X) METRICS_OF_GROUPS(X) METRICS_OF_WORKLOADS(X) METRICS_OF_AGENT(X)

enum family {
#define X(id, level, name, type, unit, help) FAMILY_##id,
	METRIC_FAMILIES(X)
#undef X
		_FAMILY_MAX
};

#endif
