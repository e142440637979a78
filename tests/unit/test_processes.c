/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "account/processes.h"
#include "ledger_node.h"
#include "no_leaks.h"
#include "oom.h"
#include "platform/parse.h"

TestSuite(processes, .fini = no_leaks);

#define CREWS 6
#define LIVES 400
#define SLOTS 40 /* processes that run at the same time */

static uint64_t seed;

static uint64_t random_below(uint64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % n;
}

/* What runs, and the list of it. */
struct world {
	struct node *node;
	struct processes *processes;
	struct process_time all[SLOTS];
	struct process_list list;
	uint64_t t_ns;
	uint32_t lives;
	/* What is known from outside. */
	struct tally used[LIVES];       /* of each life, at the last take */
	nj_t given[CREWS][_COLUMN_MAX]; /* to processes that were in the cgroup then */
	nj_t begun[CREWS][_COLUMN_MAX]; /* what the cgroups had at the first take */
};

static void open_world(struct world *world, uint32_t top)
{
	*world = (struct world){ .t_ns = 2 * SECOND };
	world->node = node_started(CGROUPS, CGROUPS);
	cr_assert(eq(int, processes_new(top, &world->processes), 0));
	world->list.all = world->all;
	for (uint64_t i = 0; i < CREWS; i++)
		born(world->node, 100 + i, "/system.slice/x.service", SECOND);
}

static void close_world(struct world *world)
{
	processes_free(world->processes);
	node_free(world->node);
}

static struct process_time *start(struct world *world, int32_t pid, uint64_t cgroup_id)
{
	struct process_time *time = &world->all[world->list.n++];

	*time = (struct process_time){ .pid = pid,
				       .cgroup_id = cgroup_id,
				       .start_ticks = world->t_ns / 10000000 };
	snprintf(time->comm, sizeof(time->comm), "%u", world->lives++);
	return time;
}

static void run(struct world *world, struct process_time *time, uint64_t ns)
{
	time->cpu_ns += ns;
	fake_run(&world->node->fake, _OWNER_FIXED + (uint32_t)(time->cgroup_id - 100),
		 time->cgroup_id, 0, ns);
}

static void take(struct world *world, uint64_t uj)
{
	world->t_ns += SECOND;
	tick(world->node, world->t_ns, uj);
	processes_take(world->processes, &world->list, world->node->ledger, world->t_ns);
}

static const struct process_row *row_of(const struct world *world, const char *comm)
{
	size_t n;
	const struct process_row *rows = processes_rows(world->processes, &n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].comm, comm) == 0)
			return &rows[i];
	return NULL;
}

static uint64_t used_nj(const struct world *world, const char *comm)
{
	const struct process_row *row = row_of(world, comm);

	return row ? (uint64_t)row->used.nj[COLUMN_PACKAGE] : 0;
}

/* All accounts that a cgroup ever had: none is folded in these tests. */
static nj_t energy_of(const struct world *world, uint64_t cgroup_id, int column)
{
	size_t n;
	const struct account *accounts = ledger_accounts(world->node->ledger, &n);
	nj_t sum = 0;

	for (size_t i = _OWNER_FIXED; i < n; i++)
		sum += accounts[i].cgroup_id == cgroup_id ? accounts[i].nj[column] : 0;
	return sum;
}

static uint64_t package_energy(const struct world *world, uint64_t cgroup_id)
{
	return (uint64_t)energy_of(world, cgroup_id, COLUMN_PACKAGE);
}

Test(processes, gets_all_of_its_cgroup_when_it_did_all_the_work)
{
	struct world world;

	open_world(&world, 10);
	start(&world, 1, 100);
	take(&world, 0);
	for (int i = 0; i < 50; i++) {
		run(&world, &world.all[0], 1 + random_below(SECOND));
		take(&world, 1 + random_below(1000000));
	}
	for (int column = 0; column < _COLUMN_MAX; column++)
		cr_assert(row_of(&world, "0")->used.nj[column] == energy_of(&world, 100, column));
	cr_assert(eq(u64, row_of(&world, "0")->used.busy_ns, world.all[0].cpu_ns));
	cr_assert(used_nj(&world, "0") > 0);
	close_world(&world);
}

Test(processes, is_paid_by_its_part_of_the_time_and_what_nobody_listed_stays_with_the_cgroup)
{
	struct world world;
	uint64_t nj;

	open_world(&world, 10);
	start(&world, 1, 100);
	start(&world, 2, 100);
	take(&world, 0);
	run(&world, &world.all[0], SECOND / 8);
	run(&world, &world.all[1], SECOND / 8 * 3);
	/* Half of the time was of processes that came and went. */
	fake_run(&world.node->fake, _OWNER_FIXED, 100, 0, SECOND / 2);
	take(&world, 8000);
	nj = package_energy(&world, 100);
	cr_assert(nj > 1000000);
	cr_assert(used_nj(&world, "0") - nj / 8 <= 1);
	cr_assert(used_nj(&world, "1") - nj * 3 / 8 <= 1);
	close_world(&world);
}

Test(processes, never_gives_more_than_there_is_when_clocks_disagree)
{
	struct world world;

	open_world(&world, 10);
	start(&world, 1, 100);
	start(&world, 2, 100);
	take(&world, 0);
	run(&world, &world.all[0], SECOND / 4);
	world.all[0].cpu_ns += 2 * SECOND;
	world.all[1].cpu_ns += UINT64_MAX / 2;
	take(&world, 7001);
	cr_assert(package_energy(&world, 100) > 0);
	cr_assert(
		eq(u64, used_nj(&world, "0") + used_nj(&world, "1"), package_energy(&world, 100)));
	close_world(&world);
}

Test(processes, begins_with_the_first_take)
{
	struct world world;
	uint64_t before;

	open_world(&world, 10);
	start(&world, 1, 100)->cpu_ns = 1000 * SECOND;
	run(&world, &world.all[0], SECOND);
	take(&world, 5000);
	cr_assert(eq(u64, used_nj(&world, "0"), 0));
	/* One that was not listed before, but is older than that: what it used is not new. */
	world.t_ns += 100 * SECOND;
	start(&world, 3, 101);
	take(&world, 0);
	start(&world, 2, 100)->cpu_ns = 5000 * SECOND;
	world.all[2].start_ticks = 7;
	before = package_energy(&world, 100);
	run(&world, &world.all[0], SECOND);
	take(&world, 5000);
	cr_assert(package_energy(&world, 100) > before);
	cr_assert(eq(u64, used_nj(&world, "0"), package_energy(&world, 100) - before));
	cr_assert(eq(u64, used_nj(&world, "2"), 0));
	/* One that is new brings all of its time. */
	start(&world, 4, 102);
	run(&world, &world.all[3], SECOND);
	take(&world, 3000);
	cr_assert(package_energy(&world, 102) > 0);
	cr_assert(eq(u64, used_nj(&world, "3"), package_energy(&world, 102)));
	close_world(&world);
}

Test(processes, keeps_rows_of_the_ended_for_a_minute)
{
	struct world world;
	uint64_t nj;

	open_world(&world, 10);
	take(&world, 0);
	start(&world, 1, 100);
	run(&world, &world.all[0], SECOND);
	take(&world, 1000000);
	nj = used_nj(&world, "0");
	cr_assert(eq(u64, row_of(&world, "0")->ended_ns, 0));
	world.list.n = 0;
	take(&world, 1000000);
	cr_assert(eq(u64, row_of(&world, "0")->ended_ns, world.t_ns));
	for (int i = 0; i < 60; i++) {
		cr_assert(eq(u64, used_nj(&world, "0"), nj));
		take(&world, 1000000);
	}
	cr_assert(eq(u64, used_nj(&world, "0"), nj));
	take(&world, 1000000);
	cr_assert(eq(ptr, (void *)row_of(&world, "0"), NULL));
	close_world(&world);
}

Test(processes, is_the_same_one_when_a_list_has_missed_it_and_another_when_its_pid_is)
{
	struct world world;
	struct process_time missed;
	uint64_t nj, before;

	open_world(&world, 10);
	take(&world, 0);
	start(&world, 1, 100);
	run(&world, &world.all[0], SECOND);
	take(&world, 1000000);
	nj = used_nj(&world, "0");
	cr_assert(nj > 0);
	missed = world.all[0];
	world.list.n = 0;
	take(&world, 1000000);
	cr_assert(row_of(&world, "0")->ended_ns > 0);
	before = package_energy(&world, 100);
	world.all[0] = missed;
	world.list.n = 1;
	run(&world, &world.all[0], SECOND);
	take(&world, 5000000);
	nj += package_energy(&world, 100) - before;
	cr_assert(eq(u64, used_nj(&world, "0"), nj));
	cr_assert(eq(u64, row_of(&world, "0")->ended_ns, 0));

	before = package_energy(&world, 100);
	world.list.n = 0;
	start(&world, 1, 100);
	run(&world, &world.all[0], SECOND);
	take(&world, 9000000);
	cr_assert(eq(u64, used_nj(&world, "0"), nj));
	cr_assert(eq(u64, row_of(&world, "0")->ended_ns, world.t_ns));
	cr_assert(package_energy(&world, 100) > before);
	cr_assert(eq(u64, used_nj(&world, "1"), package_energy(&world, 100) - before));
	close_world(&world);
}

/* The rows of a table of all are the law; a smaller table shows the first of them. */
static void check_top(const struct process_row *all, size_t n_all, const struct process_row *few,
		      size_t n_few, size_t top)
{
	cr_assert(eq(sz, n_few, MIN(n_all, top)));
	for (size_t i = 0; i < n_few; i++) {
		cr_assert(eq(str, (char *)few[i].comm, (char *)all[i].comm));
		cr_assert(few[i].used.nj[0] == all[i].used.nj[0]);
	}
	for (size_t i = 1; i < n_all; i++)
		cr_assert(all[i - 1].used.nj[0] + all[i - 1].used.nj[1] >=
			  all[i].used.nj[0] + all[i].used.nj[1]);
}

static void check_take(struct world *world, const struct process_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct tally *used, step;
		uint64_t life = LIVES;

		cr_assert(eq(int, parse_u64(rows[i].comm, &life), 0));
		used = &world->used[life];
		step = tally_less(&rows[i].used, used);
		for (int column = 0; column < _COLUMN_MAX; column++) {
			cr_assert(rows[i].used.nj[column] >= used->nj[column], "used fell");
			world->given[rows[i].cgroup_id - 100][column] += step.nj[column];
		}
		cr_assert(rows[i].used.busy_ns >= used->busy_ns, "used fell");
		*used = rows[i].used;
		cr_assert(rows[i].ended_ns == 0 || world->t_ns - rows[i].ended_ns <= 60 * SECOND);
	}
	for (int i = 0; i < CREWS; i++)
		for (int column = 0; column < _COLUMN_MAX; column++)
			cr_assert(world->given[i][column] + world->begun[i][column] <=
				  energy_of(world, 100 + (uint64_t)i, column));
}

/* Something happens to a process: it runs, ends, moves, is missed, or its pid is somebody else's.
 */
static void happen(struct world *world, size_t at)
{
	struct process_time *time = &world->all[at];
	uint64_t skew;

	switch (random_below(16)) {
	case 0:
		if (world->lives == LIVES)
			return;
		*time = (struct process_time){ .pid = time->pid,
					       .cgroup_id = 100 + random_below(CREWS),
					       .start_ticks = world->t_ns / 10000000 };
		snprintf(time->comm, sizeof(time->comm), "%u", world->lives++);
		return;
	case 1:
		time->cgroup_id = 100 + random_below(CREWS);
		return;
	case 2: /* the two clocks were not read at the same moment */
		skew = random_below(20000000);
		time->cpu_ns += skew;
		return;
	case 3: /* a short-lived child */
		fake_run(&world->node->fake, _OWNER_FIXED + (uint32_t)(time->cgroup_id - 100),
			 time->cgroup_id, 0, 1 + random_below(SECOND));
		return;
	default:
		run(world, time, random_below(2) * random_below(SECOND / 4));
	}
}

static void a_random_history(uint64_t number)
{
	static struct world world;
	struct processes *few = NULL;
	const struct process_row *rows, *few_rows;
	size_t n, n_few, top = number % 12;

	seed = number;
	open_world(&world, PROCESS_MAX);
	cr_assert(eq(int, processes_new((uint32_t)top, &few), 0));
	for (int32_t pid = 1; pid <= SLOTS; pid++)
		start(&world, pid, 100 + random_below(CREWS));
	for (int i = 0; i < 120; i++) {
		struct process_list seen = { .all = world.all, .n = world.list.n };

		for (size_t at = 0; at < world.list.n; at++)
			happen(&world, at);
		if (random_below(10) == 0)
			seen.n = random_below(SLOTS); /* the list was cut */
		if (random_below(20) == 0)
			world.t_ns += 50 * SECOND;
		world.t_ns += SECOND;
		tick(world.node, world.t_ns, random_below(50000000));
		if (i == 0)
			for (int crew = 0; crew < CREWS; crew++)
				for (int column = 0; column < _COLUMN_MAX; column++)
					world.begun[crew][column] =
						energy_of(&world, 100 + (uint64_t)crew, column);
		processes_take(world.processes, &seen, world.node->ledger, world.t_ns);
		processes_take(few, &seen, world.node->ledger, world.t_ns);
		rows = processes_rows(world.processes, &n);
		few_rows = processes_rows(few, &n_few);
		check_take(&world, rows, n);
		check_top(rows, n, few_rows, n_few, top);
	}
	cr_assert(world.given[0][COLUMN_PACKAGE] > 0 && world.given[0][COLUMN_DRAM] > 0);
	processes_free(few);
	close_world(&world);
}

Test(processes, of_a_cgroup_never_get_more_than_it_has_and_never_fall, .timeout = 120)
{
	for (uint64_t i = 1; i <= 100; i++)
		a_random_history(i);
}

/* A cgroup's id is used again, and its old account folded: nothing is given twice. */
Test(processes, count_the_accounts_of_a_cgroup_that_come_and_go)
{
	struct world world;
	uint64_t nj;

	open_world(&world, 10);
	start(&world, 1, 100);
	take(&world, 0);
	run(&world, &world.all[0], SECOND);
	take(&world, 1000000);
	ledger_gone(world.node->ledger, 100, world.t_ns);
	world.t_ns += SECOND;
	born(world.node, 100, "/system.slice/y.service", world.t_ns);
	run(&world, &world.all[0], SECOND);
	take(&world, 2000000);
	nj = package_energy(&world, 100);
	cr_assert(nj > 0);
	cr_assert(eq(u64, used_nj(&world, "0"), nj));
	/* The old one is folded, and what comes next takes its place in the table. */
	nj -= package_nj(account_of(world.node, 100));
	world.t_ns += 1000 * SECOND;
	ledger_fold(world.node->ledger, world.t_ns);
	take(&world, 0);
	born(world.node, 107, "/docker/" H, world.t_ns);
	run(&world, &world.all[0], SECOND);
	take(&world, 4000000);
	cr_assert(eq(u64, used_nj(&world, "0"), nj + package_energy(&world, 100)));
	close_world(&world);
}

Test(processes, holds_no_more_than_its_maximum_whatever_comes, .timeout = 60)
{
	struct process_list list = { .n = PROCESS_MAX + 1000 };
	struct world world;
	size_t n;

	open_world(&world, PROCESS_MAX);
	take(&world, 0);
	list.all = calloc(list.n, sizeof(*list.all));
	cr_assert(list.all != NULL);
	for (uint64_t round = 0; round < 5; round++) {
		for (size_t i = 0; i < list.n; i++)
			list.all[i] = (struct process_time){ .pid = (int32_t)(i + round * 7000),
							     .start_ticks = 1000 + round,
							     .cgroup_id = i,
							     .cpu_ns = 1 + i };
		processes_take(world.processes, &list, world.node->ledger, world.t_ns += SECOND);
		processes_rows(world.processes, &n);
		cr_assert(eq(sz, n, PROCESS_MAX));
	}
	/* What there is no room for is nobody's, and the others go on. */
	processes_take(world.processes, &(struct process_list){ 0 }, world.node->ledger,
		       world.t_ns += 100 * SECOND);
	processes_take(world.processes, &(struct process_list){ 0 }, world.node->ledger,
		       world.t_ns += 100 * SECOND);
	processes_rows(world.processes, &n);
	cr_assert(eq(sz, n, 0));
	free(list.all);
	close_world(&world);
}

Test(processes, of_none_are_none)
{
	size_t n = 7;

	cr_assert(eq(ptr, (void *)processes_rows(NULL, &n), NULL));
	cr_assert(eq(sz, n, 0));
	processes_free(NULL);
}

Test(processes, survive_without_memory)
{
	struct processes *processes = NULL;
	struct world world;

	OOM_SWEEP(i)
	{
		int r = processes_new(5, &processes);

		if (oom_stop())
			cr_assert(eq(int, r, -ENOMEM));
		processes_free(r == 0 ? processes : NULL);
	}
	/* A take without memory gives less, never more. */
	OOM_SWEEP(j)
	{
		oom_stop();
		open_world(&world, 5);
		oom_after(j);
		for (int32_t pid = 1; pid <= 4; pid++)
			start(&world, pid, 100 + (uint64_t)pid % 2);
		for (int round = 0; round < 4; round++) {
			for (size_t at = 0; at < world.list.n; at++)
				run(&world, &world.all[at], SECOND / 10);
			world.t_ns += SECOND;
			tick(world.node, world.t_ns, 1000);
			processes_take(world.processes, &world.list, world.node->ledger,
				       world.t_ns);
		}
		oom_stop();
		cr_assert(used_nj(&world, "0") + used_nj(&world, "2") <=
			  (uint64_t)energy_of(&world, 101, COLUMN_PACKAGE));
		close_world(&world);
	}
}
