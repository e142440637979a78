/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "account/ledger.h"
#include "ledger_node.h"
#include "no_leaks.h"
#include "oom.h"

TestSuite(ledger, .fini = no_leaks);

Test(ledger, bills_everyone_its_share)
{
	struct node *node = node_started(8, 8);

	born(node, 100, "/docker/" H, SECOND);
	born(node, 200, "/system.slice/sshd.service", SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	fake_run(&node->fake, 6, 200, 0, SECOND / 2);
	fake_run(&node->fake, OWNER_KERNEL, 0, 0, SECOND / 2);
	fake_run(&node->fake, OWNER_IDLE, 0, 1, 2 * SECOND);
	fake_run(&node->fake, OWNER_STEAL, 0, 0, SECOND);
	tick(node, 2 * SECOND, 40000);

	cr_assert(eq(u64, package_nj(account_of(node, 100)), 20000000));
	cr_assert(eq(u64, package_nj(account_of(node, 200)), 10000000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_CONTAINERS), 20000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_SYSTEM), 10000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_KERNEL), 10000));
	/* Nobody ran on package 1: its energy is static. */
	cr_assert(eq(u64, bucket_uj(node, ZONE_1, BUCKET_IDLE), 40000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_P, BUCKET_CONTAINERS), 20000));
	cr_assert(eq(u64, (uint64_t)account_of(node, 100)->nj[COLUMN_DRAM], 20000000));
	cr_assert(eq(u64, account_of(node, 100)->usage.cycles, 3 * SECOND));
	node_free(node);
}

Test(ledger, splits_a_package_by_its_own_cpus_only)
{
	struct node *node = node_started(8, 8);

	fake_run(&node->fake, 5, 100, 0, SECOND);
	fake_run(&node->fake, 6, 200, 1, SECOND / 10);
	tick(node, 2 * SECOND, 50000);
	cr_assert(eq(u64, package_nj(account_of(node, 100)), 50000000));
	cr_assert(eq(u64, package_nj(account_of(node, 200)), 50000000));
	cr_assert(eq(u64, (uint64_t)account_of(node, 200)->nj[COLUMN_DRAM], 0));
	node_free(node);
}

Test(ledger, remembers_who_ran_while_a_zone_could_not_be_read)
{
	struct node *node = node_started(8, 8);

	for (int i = 0; i < N_ZONES; i++)
		node->readings[i].error = -EIO;
	for (uint64_t t = 2; t < 12; t++) {
		fake_run(&node->fake, 5, 100 + t % 2 * 100, 0, SECOND);
		tick(node, t * SECOND, 1000);
	}
	cr_assert(eq(u64, (uint64_t)zone_at(node, ZONE_0)->nj, 0));
	for (int i = 0; i < N_ZONES; i++)
		node->readings[i].error = 0;
	tick(node, 12 * SECOND, 1000);
	cr_assert(eq(u64, (uint64_t)zone_at(node, ZONE_0)->nj, 11000000));
	cr_assert(eq(u64, package_nj(account_of(node, 100)), 5500000));
	cr_assert(eq(u64, package_nj(account_of(node, 200)), 5500000));
	node_free(node);
}

Test(ledger, does_not_count_a_reading_that_was_not_wanted)
{
	struct node *node = node_new(8, 8);

	for (int i = 0; i < N_ZONES; i++)
		node->readings[i].error = -EAGAIN;
	tick(node, SECOND, 0);
	tick(node, 9 * SECOND, 0);
	for (int i = 0; i < N_ZONES; i++)
		node->readings[i].error = 0;
	tick(node, 10 * SECOND, 0);
	cr_assert(eq(u64, zone_at(node, ZONE_0)->meter.unknown_ns, 0));
	node_free(node);
}

Test(ledger, bills_nobody_for_what_was_before_the_first_reading)
{
	struct node *node = node_new(8, 8);

	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, SECOND, 5000);
	fake_run(&node->fake, 6, 200, 0, SECOND);
	tick(node, 2 * SECOND, 5000);
	cr_assert(eq(u64, package_nj(account_of(node, 100)), 0));
	cr_assert(eq(u64, package_nj(account_of(node, 200)), 5000000));
	node_free(node);
}

Test(ledger, moves_everything_when_a_name_comes_late)
{
	struct node *node = node_started(8, 8);
	uint64_t cpu_ns[_BUCKET_MAX];

	fake_run(&node->fake, 5, 100, 0, SECOND);
	fake_run(&node->fake, 6, 200, 0, SECOND);
	tick(node, 2 * SECOND, 50000);
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_SYSTEM), 50000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_P, BUCKET_SYSTEM), 50000));

	born(node, 100, "/docker/" H, 3 * SECOND);
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_CONTAINERS), 25000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_P, BUCKET_CONTAINERS), 25000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_SYSTEM), 25000));
	ledger_cpu_ns(node->ledger, cpu_ns);
	cr_assert(eq(u64, cpu_ns[BUCKET_CONTAINERS], SECOND));
	cr_assert(eq(u64, cpu_ns[BUCKET_SYSTEM], SECOND));
	node_free(node);
}

Test(ledger, takes_a_total_that_fell_as_a_new_start)
{
	struct node *node = node_started(8, 8);

	fake_run(&node->fake, 5, 100, 0, 5 * SECOND);
	tick(node, 2 * SECOND, 1000);
	node->fake.activity.rows[5].usage = (struct usage){ .busy_ns = SECOND, .cycles = 2 };
	node->fake.activity.weight[10] = SECOND;
	node->fake.activity.package_busy_ns[0] += SECOND;
	fake_move(&node->fake, 5);
	tick(node, 3 * SECOND, 1000);
	cr_assert(eq(u64, account_of(node, 100)->usage.busy_ns, 6 * SECOND));
	cr_assert(eq(u64, account_of(node, 100)->usage.cycles, 15 * SECOND + 2));
	cr_assert(eq(u64, package_nj(account_of(node, 100)), 2000000));
	node_free(node);
}

Test(ledger, says_unattributed_where_nobody_knows_who_ran)
{
	struct node *node = node_started(8, 8);
	struct activity nobody = { .t_ns = 2 * SECOND, .cpus = 4 };

	for (int i = 0; i < N_ZONES; i++) {
		node->readings[i].value += 3000;
		node->readings[i].t_ns = 2 * SECOND;
	}
	ledger_tick(node->ledger, &nobody, node->readings);
	check_book(node->ledger);
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_UNATTRIBUTED), 3000));
	node_free(node);
}

Test(ledger, keeps_static_power_out_of_the_shares)
{
	struct node *node = node_started(8, 8);

	ledger_set_static(node->ledger, ZONE_0, 0, 2.0);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, 5000000);
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_IDLE), 2000000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_SYSTEM), 3000000));
	/* Never more than there was. */
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 3 * SECOND, 1000);
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_IDLE), 2001000));
	node_free(node);
}

Test(ledger, doubts_one_period_of_the_source_once_per_interval)
{
	struct node *node = node_started(8, 8);
	double edge_nj = 1e9 * 1e-3; /* 1 W for a period of 1 ms */

	for (uint64_t t = 2; t < 102; t++) {
		fake_run(&node->fake, 5, 100, 0, SECOND);
		tick(node, t * SECOND, 1000000);
	}
	cr_assert(epsilon_eq(dbl, sqrt(zone_at(node, ZONE_0)->variance_nj2), edge_nj / sqrt(6),
			     1e-3));
	/* A workload's windows are each taken as an interval of its own. */
	cr_assert(epsilon_eq(dbl, sqrt(account_of(node, 100)->variance_nj2[COLUMN_DRAM]),
			     10 * edge_nj / sqrt(6), edge_nj));
	node_free(node);
}

Test(ledger, lets_an_idle_package_sleep)
{
	struct node *node = node_new(8, 8);
	struct activity *activity = &node->fake.activity;

	activity->t_ns = SECOND;
	cr_assert(ledger_wants(node->ledger, ZONE_0, activity, 1), "never read");
	tick(node, SECOND, 0);
	activity->t_ns = 2 * SECOND;
	activity->package_busy_ns[1] += SECOND;
	cr_assert(not(ledger_wants(node->ledger, ZONE_0, activity, 1)), "idle");
	cr_assert(ledger_wants(node->ledger, ZONE_0, activity, 0), "we run there: it is awake");
	cr_assert(ledger_wants(node->ledger, ZONE_1, activity, 0), "busy");
	cr_assert(ledger_wants(node->ledger, ZONE_P, activity, 0), "the whole machine");
	activity->t_ns = 31 * SECOND - 1;
	cr_assert(not(ledger_wants(node->ledger, ZONE_D, activity, 1)), "idle for long");
	activity->t_ns = 31 * SECOND;
	cr_assert(ledger_wants(node->ledger, ZONE_D, activity, 1), "idle for too long");

	/* Two CPUs for 2 s: 39 ms is below 1 %, 40 ms is not. */
	activity->t_ns = 3 * SECOND;
	activity->package_busy_ns[0] += 39000000;
	cr_assert(not(ledger_wants(node->ledger, ZONE_0, activity, 1)), "below 1 %%");
	activity->package_busy_ns[0] += 1000000;
	cr_assert(ledger_wants(node->ledger, ZONE_0, activity, 1), "1 %% busy");
	node_free(node);
}

Test(ledger, can_run_out_of_memory_when_it_opens_only)
{
	struct node *node = node_started(8, 8);
	struct ledger_config config = config_of(node, 8, 8);

	config.idle = IDLE_EQUALLY;
	OOM_SWEEP(n)
	{
		struct ledger *ledger = NULL;
		int r = ledger_new(&config, &node->energy, &ledger);
		bool failed = oom_stop();

		cr_assert(eq(int, r, failed ? -ENOMEM : 0));
		cr_assert(failed == (ledger == NULL));
		ledger_free(ledger);
	}

	for (uint64_t t = 2; t < 20; t++) {
		fake_run(&node->fake, 5 + t % CGROUPS, 100 + t, t % 2, SECOND);
		node->fake.activity.t_ns = t * SECOND;
		for (int i = 0; i < N_ZONES; i++) {
			node->readings[i].value += 1000;
			node->readings[i].t_ns = t * SECOND;
		}
		oom_after(0);
		ledger_tick(node->ledger, &node->fake.activity, node->readings);
		ledger_gone(node->ledger, 100 + t, t * SECOND);
		ledger_fold(node->ledger, t * SECOND);
		cr_assert(not(oom_stop()), "a tick allocates nothing");
		fake_begin(&node->fake, t * SECOND);
	}
	node_free(node);
}

static void turn_into_vm(struct node *node, uint64_t cgroup_id, uint64_t t_ns)
{
	struct name *vm = name_new_vm("/a/b.scope", "qemu", "vm", "");

	ledger_rename(node->ledger, cgroup_id, vm, t_ns);
	name_unref(vm);
	check_book(node->ledger);
}

Test(ledger, lets_no_counter_fall_when_somebody_is_somebody_else)
{
	struct node *node = node_started(8, 8);
	uint64_t cpu_ns[_BUCKET_MAX];

	born(node, 100, "/a/b.scope", SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, 1000);
	/* Ran, but not paid for yet: that is the old one's as well. */
	node->readings[ZONE_0].error = -EAGAIN;
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 3 * SECOND, 1000);
	node->readings[ZONE_0].error = 0;
	turn_into_vm(node, 100, 3 * SECOND);
	turn_into_vm(node, 100, 3 * SECOND);
	turn_into_vm(node, 999, 3 * SECOND);
	born(node, 100, "/a/b.scope", SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 4 * SECOND, 1000);

	cr_assert(eq(int, account_of(node, 100)->bucket, BUCKET_VMS));
	cr_assert(eq(u64, account_of(node, 100)->born_ns, 3 * SECOND));
	cr_assert(eq(u64, account_of(node, 100)->usage.busy_ns, SECOND));
	ledger_cpu_ns(node->ledger, cpu_ns);
	cr_assert(eq(u64, cpu_ns[BUCKET_VMS], SECOND));
	cr_assert(eq(u64, cpu_ns[BUCKET_SYSTEM], 2 * SECOND));
	/* Two windows' energy by three seconds' work: one is the new one's. */
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_SYSTEM), 2000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_VMS), 1000));
	cr_assert(eq(u64, bucket_uj(node, ZONE_1, BUCKET_IDLE), 3000));
	ledger_gone(node->ledger, 100, 5 * SECOND);
	ledger_fold(node->ledger, 905 * SECOND);
	check_book(node->ledger);
	cr_assert(eq(ptr, (void *)account_of(node, 100), NULL));
	cr_assert(eq(u64, ledger_folded(node->ledger)[BUCKET_SYSTEM].n, 1));
	cr_assert(eq(u64, ledger_folded(node->ledger)[BUCKET_VMS].n, 1));
	node_free(node);
}

Test(ledger, renames_in_a_full_table)
{
	struct node *node = node_started(1, 8);

	born(node, 100, "/a/b.scope", SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 2 * SECOND, 1000);
	turn_into_vm(node, 100, 2 * SECOND);
	fake_run(&node->fake, 5, 100, 0, SECOND);
	tick(node, 3 * SECOND, 1000);
	cr_assert(eq(u64, bucket_uj(node, ZONE_0, BUCKET_SYSTEM), 1000));
	cr_assert(eq(u64, package_nj(account_of(node, 100)), 1000000));
	cr_assert(eq(u64, ledger_dropped(node->ledger), 0));
	node_free(node);
}

/* Values that no machine gives, in every order: nothing is lost, negative, or out of bounds. */
Test(ledger, keeps_its_laws_on_hostile_input)
{
	struct node *node = node_new(6, 2);
	unsigned int seed = 42;
	uint64_t t_ns = SECOND;
	static const uint64_t odd[] = { 0, 1, UINT64_MAX, UINT64_MAX / 2, 1ull << 32, SECOND };

	for (int round = 0; round < 20000; round++) {
		uint64_t id = 100 + (uint64_t)rand_r(&seed) % 12;
		struct activity *activity = &node->fake.activity;

		t_ns += odd[rand_r(&seed) % 2] * (uint64_t)rand_r(&seed);
		fake_begin(&node->fake, t_ns);
		for (int i = rand_r(&seed) % 6; i > 0; i--)
			fake_run(&node->fake, (uint32_t)rand_r(&seed) % ROWS, id + i,
				 rand_r(&seed) % 2, odd[rand_r(&seed) % 6]);
		if (rand_r(&seed) % 8 == 0)
			activity->weight[rand_r(&seed) % (2 * ROWS)] = odd[rand_r(&seed) % 6];
		for (int i = 0; i < N_ZONES; i++) {
			node->readings[i].value += odd[rand_r(&seed) % 6];
			node->readings[i].t_ns = t_ns;
			node->readings[i].error = rand_r(&seed) % 4 ? 0 : -EIO;
		}
		ledger_tick(node->ledger, activity, rand_r(&seed) % 8 ? node->readings : NULL);
		check_book(node->ledger);
		if (rand_r(&seed) % 4 == 0)
			born(node, id, rand_r(&seed) % 2 ? "/docker/" H : NULL, t_ns);
		if (rand_r(&seed) % 4 == 0)
			ledger_gone(node->ledger, id, odd[rand_r(&seed) % 6]);
		if (rand_r(&seed) % 8 == 0)
			turn_into_vm(node, id, odd[rand_r(&seed) % 6]);
		if (rand_r(&seed) % 4 == 0)
			ledger_roll(node->ledger, true, true, t_ns);
		if (rand_r(&seed) % 4 == 0)
			ledger_fold(node->ledger, t_ns);
		check_book(node->ledger);
	}
	node_free(node);
}

Test(ledger, has_a_column_for_zones_that_do_not_overlap)
{
	cr_assert(eq(int, column_of(ZONE_PACKAGE), COLUMN_PACKAGE));
	cr_assert(eq(int, column_of(ZONE_DRAM), COLUMN_DRAM));
	cr_assert(eq(int, column_of(ZONE_GPU), COLUMN_GPU));
	cr_assert(eq(int, column_of(ZONE_PLATFORM), COLUMN_PLATFORM));
	cr_assert(eq(int, column_of(ZONE_CORE), -1));
	cr_assert(eq(int, column_of(ZONE_UNCORE), -1));
	cr_assert(eq(int, column_of(ZONE_PSYS), -1));
	for (int i = 0; i < _COLUMN_MAX; i++)
		cr_assert(ne(str, (char *)column_name((enum column)i), "?"));
}
