/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: every family once.  X(ID, name, type, unit, help), in the order of the page.
 *
 * name is OpenMetrics' family name: without `_total`, `_info` or `_bucket`, which the type implies
 * (text format 0.0.4 wants them in its HELP and TYPE lines).  unit is "" or the name's own end.
 */
#ifndef PODJOULE_METRICS_H
#define PODJOULE_METRICS_H

enum metric_type { METRIC_counter, METRIC_gauge, METRIC_info, METRIC_histogram };

/* The node, its sources and its buckets: series with every zone. */
#define METRICS_OF_NODE(X)                                                                         \
	X(NODE, "podjoule_node", info, "", "The node and what podjoule knows about it.")           \
	X(NODE_JOULES, "podjoule_node_joules", counter, "joules",                                  \
	  "Energy of each zone as its source measured or modelled it.")                            \
	X(NODE_WATTS, "podjoule_node_watts", gauge, "watts",                                       \
	  "Mean power of each zone over the last publish interval with a reading.")                \
	X(NODE_STDDEV, "podjoule_node_joules_stddev", gauge, "",                                   \
	  "Standard deviation of the random part of the last publish interval's energy.")          \
	X(BUCKET_JOULES, "podjoule_bucket_joules", counter, "joules",                              \
	  "Energy by bucket: the buckets of a zone sum to the node's joules exactly.")             \
	X(BUCKET_CPU, "podjoule_bucket_cpu_seconds", counter, "seconds",                           \
	  "CPU time by bucket, idle and steal included: wall time times online CPUs.")             \
	X(ZONE_ERROR, "podjoule_zone_error_ratio", gauge, "ratio",                                 \
	  "Systematic part of a zone's error, relative: it does not average out.")                 \
	X(ZONE_UNKNOWN, "podjoule_zone_unknown_seconds", counter, "seconds",                       \
	  "Time without a usable reading, of the zone's device that lacked most.")                 \
	X(SOURCE, "podjoule_source", info, "", "Where the energy of a zone comes from.")           \
	X(ACTIVITY, "podjoule_activity", info, "", "Who says what was busy, and by what weight.")

/* Workloads: zones that do not overlap, so that a sum over zone is always right. */
#define METRICS_OF_WORKLOADS(X)                                                                    \
	X(POD_JOULES, "podjoule_pod_joules", counter, "joules",                                    \
	  "Dynamic energy of a pod: its containers and its own overhead.")                         \
	X(CONTAINER_JOULES, "podjoule_container_joules", counter, "joules",                        \
	  "Dynamic energy of a container.")                                                        \
	X(CONTAINER_CPU, "podjoule_container_cpu_seconds", counter, "seconds",                     \
	  "CPU time of a container.")                                                              \
	X(CONTAINER_CYCLES, "podjoule_container_cpu_cycles", counter, "",                          \
	  "CPU cycles of a container as the PMU counted them.")                                    \
	X(CONTAINER_INSTRUCTIONS, "podjoule_container_cpu_instructions", counter, "",              \
	  "Instructions that a container retired as the PMU counted them.")                        \
	X(CONTAINER_SWITCHES, "podjoule_container_context_switches", counter, "",                  \
	  "Context switches away from a container's tasks.")                                       \
	X(VM_JOULES, "podjoule_vm_joules", counter, "joules",                                      \
	  "Dynamic energy of a virtual machine that this node hosts.")                             \
	X(UNIT_JOULES, "podjoule_unit_joules", counter, "joules",                                  \
	  "Dynamic energy of a systemd unit or another cgroup that is no container.")

/* The agent on itself.  AGENT_SERIES is last: it counts what stands above it. */
#define METRICS_OF_AGENT(X)                                                                        \
	X(AGENT_SAMPLES, "podjoule_agent_samples", counter, "", "Ticks of the sampler.")           \
	X(AGENT_LATE, "podjoule_agent_sample_late_seconds", histogram, "seconds",                  \
	  "How much later than planned the ticks began.")                                          \
	X(AGENT_LOST, "podjoule_agent_lost_events", counter, "",                                   \
	  "Cgroup lifecycle events that did not fit into their buffer.")                           \
	X(AGENT_OVERFLOW, "podjoule_agent_overflow_switches", counter, "",                         \
	  "Context switches booked as unattributed because the cgroup table was full.")            \
	X(AGENT_DROPPED, "podjoule_agent_dropped_cgroups", counter, "",                            \
	  "Cgroups that found no account because the ledger was full.")                            \
	X(AGENT_PMU_ERRORS, "podjoule_agent_pmu_errors", counter, "",                              \
	  "Reads of hardware counters that failed.")                                               \
	X(AGENT_TORN, "podjoule_agent_torn_reads", counter, "",                                    \
	  "CPUs that a tick left to the next one because they were being written.")                \
	X(AGENT_FOLDED, "podjoule_agent_folded", counter, "",                                      \
	  "Ended cgroups whose series were folded into their bucket.")                             \
	X(AGENT_CPU, "podjoule_agent_cpu_seconds", counter, "seconds",                             \
	  "CPU time of the agent's own process.")                                                  \
	X(AGENT_BPF, "podjoule_agent_bpf_seconds", counter, "seconds",                             \
	  "Run time of the agent's BPF programs, while kernel.bpf_stats_enabled is set.")          \
	X(AGENT_RESIDENT, "podjoule_agent_resident_bytes", gauge, "bytes",                         \
	  "Resident memory of the agent.")                                                         \
	X(BUILD, "podjoule_build", info, "", "The agent's version.")                               \
	X(AGENT_SERIES, "podjoule_agent_series", gauge, "", "Series on this page.")

#define METRIC_FAMILIES(X) METRICS_OF_NODE(X) METRICS_OF_WORKLOADS(X) METRICS_OF_AGENT(X)

enum family {
#define X(id, name, type, unit, help) FAMILY_##id,
	METRIC_FAMILIES(X)
#undef X
		_FAMILY_MAX
};

#endif
