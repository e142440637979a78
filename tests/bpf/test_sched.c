/* SPDX-License-Identifier: Apache-2.0 */
/* Law 2 on this kernel: every nanosecond of every CPU is booked, in every single tick. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/scope.h"
#include "rig.h"

#define MS             1000000ull
#define TICK_TOLERANCE 10000 /* ns a CPU */

/* Ticks for a while; the law in each tick and over all. */
static void law_holds(struct rig *rig, const char *label, unsigned int ticks, uint64_t every_ns)
{
	const struct activity *activity = &rig->source->activity;
	uint64_t t0, sum0, t_before, sum_before;
	int64_t error, worst = 0;
	unsigned int i;

	rig_collect(rig);
	t0 = t_before = activity->t_ns;
	sum0 = sum_before = rig_sum_ns(rig);
	for (i = 0; i < ticks; i++) {
		uint64_t sum;

		rig_sleep_ns(every_ns);
		rig_collect(rig);
		sum = rig_sum_ns(rig);
		error = (int64_t)(sum - sum_before) -
			(int64_t)((activity->t_ns - t_before) * activity->cpus);
		if (llabs(error) > llabs(worst))
			worst = error;
		sum_before = sum;
		t_before = activity->t_ns;
	}
	error = (int64_t)(sum_before - sum0) - (int64_t)((t_before - t0) * activity->cpus);
	printf("law 2, %s: %u ticks, worst tick %+lld ns, whole %+lld ns of %llu ms, torn %llu\n",
	       label, ticks, (long long)worst, (long long)error,
	       (unsigned long long)((t_before - t0) / MS),
	       (unsigned long long)activity->torn_reads);
	cr_expect(llabs(worst) <= (long long)(TICK_TOLERANCE * activity->cpus),
		  "%s: a tick is off by %lld ns", label, (long long)worst);
	cr_expect(llabs(error) <= (long long)((t_before - t0) * activity->cpus / 100000),
		  "%s: off by %lld ns in all", label, (long long)error);
}

Test(sched, books_every_nanosecond_of_an_idle_node)
{
	struct rig rig;

	rig_open(&rig, NULL);
	law_holds(&rig, "idle", 30, 100 * MS);
	law_holds(&rig, "idle, 1000 Hz", 500, 1 * MS);
	rig_close(&rig);
}

Test(sched, books_every_nanosecond_under_storms, .timeout = 120)
{
	struct rig rig;
	pid_t load;

	if (!rig_have("stress-ng"))
		cr_skip_test("skipped: stress-ng");
	rig_open(&rig, NULL);
	load = rig_load("exec stress-ng --fork 8 --switch 4 --cpu 2 --pipe 2 --timeout 60s "
			">/dev/null 2>&1");
	rig_sleep_ns(1000 * MS);
	law_holds(&rig, "fork 8, switch 4, cpu 2, pipe 2", 100, 100 * MS);
	law_holds(&rig, "the same at 1000 Hz", 1000, 1 * MS);
	rig_kill(load);
	rig_close(&rig);
}

Test(sched, books_the_same_with_raw_tracepoints, .timeout = 60)
{
	const struct rig_options options = { .raw_tracepoint = true };
	struct rig rig;
	pid_t load;

	if (!rig_have("stress-ng"))
		cr_skip_test("skipped: stress-ng");
	rig_open(&rig, &options);
	load = rig_load("exec stress-ng --fork 2 --switch 2 --cpu 1 --timeout 60s >/dev/null 2>&1");
	rig_sleep_ns(500 * MS);
	law_holds(&rig, "raw_tp: fork 2, switch 2, cpu 1", 50, 100 * MS);
	rig_kill(load);
	rig_close(&rig);
}

Test(sched, bills_a_full_table_to_overflow_and_loses_nothing, .timeout = 60)
{
	const struct rig_options options = { .max_cgroups = 16 };
	struct rig rig;
	pid_t pids[40];
	char name[64];
	int i;

	rig_open(&rig, &options);
	rig_mkdir(&rig, "podjoule-full");
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "podjoule-full/%d", i);
		rig_mkdir(&rig, name);
		pids[i] = rig_worker(&rig, name, 30 * MS, 2 * MS);
	}
	law_holds(&rig, "40 cgroups, 16 slots", 10, 50 * MS);
	for (i = 0; i < 40; i++)
		rig_join(pids[i], NULL);
	rig_collect(&rig);
	cr_expect(rig.source->activity.overflow_switches > 0, "what did not fit is counted");
	cr_expect(rig.source->activity.rows[OWNER_OVERFLOW].usage.busy_ns > 100 * MS,
		  "and billed to nobody in particular");
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "podjoule-full/%d", i);
		rig_rmdir(&rig, name);
	}
	rig_rmdir(&rig, "podjoule-full");
	rig_close(&rig);
}

Test(sched, reuses_the_slots_of_cgroups_that_went, .timeout = 60)
{
	const struct rig_options options = { .max_cgroups = 32 };
	struct rig rig;
	char name[64];
	int i;

	rig_open(&rig, &options);
	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "podjoule-reuse-%d", i);
		rig_mkdir(&rig, name);
		rig_join(rig_worker(&rig, name, 1 * MS, 0), NULL);
		rig_rmdir(&rig, name);
		if (i % 10 == 9) {
			rig_collect(&rig);
			rig_sleep_ns(1100 * MS);
			rig_collect(&rig);
		}
	}
	cr_expect(eq(u64, rig.source->activity.overflow_switches, 0), "60 in turn fit into 32");
	rig_close(&rig);
}
