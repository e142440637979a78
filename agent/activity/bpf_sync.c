/* SPDX-License-Identifier: Apache-2.0 */
/* Sync in the BPF activity source: CPUs that do not switch by themselves are visited or asked. */
#include "activity/bpf_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <time.h>

#include "bpf/sched.skel.h"

int bpf_sync(struct bpf_source *source, unsigned int cpu)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .cpu = cpu, .flags = BPF_F_TEST_RUN_ON_CPU);

	return bpf_prog_test_run_opts(bpf_program__fd(source->sched->progs.sync_cpu), &opts);
}

/* Let every CPU switch once. */
static void visit_cpus(struct bpf_source *source)
{
	const struct timespec moment = { .tv_nsec = 1000 };
	cpu_set_t *before = CPU_ALLOC(HOST_MAX_CPUS), *one = CPU_ALLOC(HOST_MAX_CPUS);
	size_t size = CPU_ALLOC_SIZE(HOST_MAX_CPUS);
	bool known = before && one && sched_getaffinity(0, size, before) == 0;
	unsigned int cpu;

	for (cpu = 0; known && cpu < source->n_cpus; cpu++) {
		CPU_ZERO_S(size, one);
		CPU_SET_S(cpu, size, one);
		if (source->seen_cpu[cpu].online && sched_setaffinity(0, size, one) == 0)
			nanosleep(&moment, NULL);
	}
	if (known)
		sched_setaffinity(0, size, before);
	CPU_FREE(before);
	CPU_FREE(one);
}

/*
 * A CPU opens its first stint at its first switch, and an idle one may not switch for long: visit
 * each, several times, so that its clock is known to the microsecond from the first tick on.  Where
 * affinity forbids it, sync_cpu() opens the stint from outside.
 */
void bpf_open_stints(struct bpf_source *source)
{
	unsigned int round, rounds = source->n_cpus <= 64 ? 8 : 2, cpu;

	for (round = 0; round < rounds; round++) {
		source->control->epoch++;
		visit_cpus(source);
		for (cpu = 0; cpu < source->n_cpus; cpu++)
			bpf_take_calibration(&source->seen_cpu[cpu],
					     bpf_cpu(source, cpu)->cal_clock,
					     bpf_cpu(source, cpu)->cal_mono);
	}
	for (cpu = 0; cpu < source->n_cpus; cpu++) {
		if (source->seen_cpu[cpu].offset_ns)
			source->control->offset = source->seen_cpu[cpu].offset;
	}
	for (cpu = 0; cpu < source->n_cpus; cpu++) {
		if (source->seen_cpu[cpu].online && !bpf_cpu(source, cpu)->t0)
			bpf_sync(source, cpu);
	}
}
