/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>

#include "example_fill.h"
#include "no_leaks.h"
#include "oom.h"

TestSuite(snapshot, .fini = no_leaks);

#define SECOND 1000000000ull
#define ROWS   16u

/* A ledger of one package and two cgroups, driven by hand. */
struct bench {
	struct ledger *ledger;
	struct snapshot_pool *pool;
	struct node_facts facts;
	struct agent_stats stats;
	struct activity activity;
	struct activity_row rows[ROWS];
	uint64_t weight[ROWS];
	uint32_t active[ROWS];
	struct topology topology;
	uint64_t t_ns;
	uint64_t counter_uj;
};

static void bench_open(struct bench *b)
{
	static struct energy energy;

	memset(b, 0, sizeof(*b));
	memset(&energy, 0, sizeof(energy));
	energy.n_zones = 1;
	energy.zones[0] = (struct zone){ .kind = ZONE_PACKAGE,
					 .device = "0",
					 .source = "powercap",
					 .unit = ZONE_COUNTS_UJ,
					 .max_uw = 1000000000,
					 .period_ns = 1000000 };
	b->topology = (struct topology){
		.n_cpus = 2, .n_online = 2, .n_packages = 1, .n_cores = 2, .online = { true, true }
	};
	b->activity = (struct activity){ .rows = b->rows,
					 .capacity = ROWS,
					 .weight = b->weight,
					 .n_packages = 1,
					 .active = b->active,
					 .cpus = 2 };
	b->t_ns = b->facts.start_mono_ns = 100 * SECOND;
	cr_assert(eq(int,
		     ledger_new(&(struct ledger_config){ .max_accounts = 64,
							 .max_rows = ROWS,
							 .tombstones = 8,
							 .keep_min_ns = 60 * SECOND,
							 .keep_max_ns = 900 * SECOND,
							 .n_packages = 1,
							 .topology = &b->topology },
				&energy, &b->ledger),
		     0));
	cr_assert(eq(int, snapshot_pool_new(&b->pool), 0));
}

static void bench_close(struct bench *b)
{
	ledger_free(b->ledger);
	snapshot_pool_free(b->pool);
}

/* One second in which a row was busy; the zone is read unless error says why not. */
static void bench_tick(struct bench *b, uint32_t row, uint64_t cgroup_id, int error)
{
	struct reading reading = { .error = error };

	b->t_ns += SECOND;
	b->counter_uj += 5000000;
	b->rows[row].cgroup_id = cgroup_id;
	b->rows[row].usage.busy_ns += SECOND;
	b->weight[row] += SECOND;
	b->rows[OWNER_IDLE].usage.busy_ns += SECOND;
	b->weight[OWNER_IDLE] += SECOND;
	b->active[0] = row;
	b->active[1] = OWNER_IDLE;
	b->activity.n_active = 2;
	b->activity.t_ns = b->t_ns;
	reading.t_ns = b->t_ns;
	reading.value = b->counter_uj;
	ledger_tick(b->ledger, &b->activity, &reading);
}

static struct snapshot *bench_publish(struct bench *b)
{
	const struct snapshot_input input = { .ledger = b->ledger,
					      .facts = &b->facts,
					      .stats = &b->stats,
					      .t_ns = b->t_ns,
					      .wall_ns = b->t_ns + 1,
					      .cpus = 2 };

	cr_assert(eq(int, snapshot_publish(b->pool, &input), 0));
	return snapshot_current(b->pool);
}

Test(snapshot, there_is_none_before_the_first)
{
	struct bench b;

	bench_open(&b);
	cr_assert(snapshot_current(b.pool) == NULL);
	bench_close(&b);
}

Test(snapshot, holds_what_the_ledger_has)
{
	struct bench b;
	struct snapshot *s;
	struct name *name = name_new("/system.slice/a.service");
	nj_t buckets = 0;
	bool found = false;

	bench_open(&b);
	ledger_born(b.ledger, 42, name, b.t_ns);
	ledger_born(b.ledger, 43, NULL, b.t_ns); /* never runs: not shown */
	for (int i = 0; i < 5; i++)
		bench_tick(&b, 8, 42, 0);
	s = bench_publish(&b);
	cr_assert(eq(sz, s->n_zones, 1));
	cr_assert(s->has_column[COLUMN_PACKAGE] && !s->has_column[COLUMN_DRAM]);
	cr_assert(eq(u64, (uint64_t)s->zones[0].nj, 20 * SECOND));
	for (int i = 0; i < _BUCKET_ENERGY_MAX; i++)
		buckets += s->zones[0].bucket_nj[i];
	cr_assert(buckets == s->zones[0].nj);
	for (size_t i = 0; i < s->n_accounts; i++) {
		cr_assert(ne(u64, s->accounts[i].cgroup_id, 43));
		cr_assert(ne(int, s->accounts[i].owner, OWNER_IDLE));
		if (s->accounts[i].cgroup_id != 42)
			continue;
		found = true;
		cr_assert(eq(ptr, s->accounts[i].name, name));
		cr_assert(eq(u64, s->accounts[i].usage.busy_ns, 5 * SECOND));
	}
	cr_assert(found);
	snapshot_put(b.pool, s);
	bench_close(&b);
	cr_assert(eq(uint, atomic_load(&name->refs), 1), "every reference came back");
	name_unref(name);
}

Test(snapshot, stays_as_it_is_while_somebody_reads)
{
	struct bench b;
	struct snapshot *held, *other;

	bench_open(&b);
	bench_tick(&b, 8, 42, 0);
	held = bench_publish(&b);
	for (int i = 0; i < 10; i++) {
		bench_tick(&b, 8, 42, 0);
		other = bench_publish(&b);
		cr_assert(ne(ptr, other, held));
		snapshot_put(b.pool, other);
		cr_assert(eq(u64, held->sequence, 1));
		cr_assert(eq(u64, held->t_ns, 101 * SECOND));
	}
	snapshot_put(b.pool, held);
	bench_close(&b);
}

Test(snapshot, memory_is_used_again)
{
	struct snapshot *seen[3] = { NULL };
	struct bench b;
	size_t n = 0;

	bench_open(&b);
	for (int i = 0; i < 50; i++) {
		struct snapshot *s;
		size_t k = 0;

		bench_tick(&b, 8, 42, 0);
		s = bench_publish(&b);
		while (k < n && seen[k] != s)
			k++;
		cr_assert(lt(sz, k, ARRAY_SIZE(seen)), "two or three are enough for ever");
		if (k == n)
			seen[n++] = s;
		snapshot_put(b.pool, s);
	}
	bench_close(&b);
}

static double watts(struct bench *b)
{
	struct snapshot *s = bench_publish(b);
	double w = s->zones[0].interval_ns
			   ? (double)s->zones[0].interval_nj / (double)s->zones[0].interval_ns
			   : -1;

	snapshot_put(b->pool, s);
	return w;
}

Test(snapshot, watts_are_of_the_last_interval_or_of_the_sleep_before_it)
{
	struct bench b;

	bench_open(&b);
	bench_tick(&b, 8, 42, 0);
	cr_assert(lt(dbl, watts(&b), 0), "one reading is no power");
	bench_tick(&b, 8, 42, 0);
	cr_assert(epsilon_eq(dbl, watts(&b), 5, 1e-9));
	for (int i = 0; i < 20; i++) { /* left asleep: the last known power */
		bench_tick(&b, 8, 42, -EAGAIN);
		cr_assert(epsilon_eq(dbl, watts(&b), 5, 1e-9));
	}
	b.counter_uj += 210000000; /* 10 W more over these 21 seconds */
	bench_tick(&b, 8, 42, 0);
	cr_assert(epsilon_eq(dbl, watts(&b), 15, 1e-9));
	for (int i = 0; i < 59; i++)
		bench_tick(&b, 8, 42, -EIO);
	cr_assert(gt(dbl, watts(&b), 0));
	bench_tick(&b, 8, 42, -EIO);
	cr_assert(lt(dbl, watts(&b), 0), "a minute without a reading: unknown, not 0");
	bench_close(&b);
}

/* What every snapshot owes: buckets sum to zones, accounts and folded to buckets. */
static void check_laws(const struct snapshot *s)
{
	for (size_t z = 0; z < s->n_zones; z++) {
		nj_t sum = 0;

		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
			sum += s->zones[z].bucket_nj[b];
		cr_assert(sum == s->zones[z].nj, "the buckets of zone %zu", z);
	}
	for (int b = BUCKET_KERNEL; b < _BUCKET_ENERGY_MAX; b++) {
		uint64_t busy_ns = s->folded[b].usage.busy_ns;

		for (int c = COLUMN_PACKAGE; c <= COLUMN_DRAM; c++) {
			nj_t bucket = 0, accounts = s->folded[b].nj[c];

			for (size_t z = 0; z < s->n_zones; z++)
				bucket += s->zones[z].column == c ? s->zones[z].bucket_nj[b] : 0;
			for (size_t i = 0; i < s->n_accounts; i++)
				accounts +=
					(int)s->accounts[i].bucket == b ? s->accounts[i].nj[c] : 0;
			cr_assert(bucket == accounts, "%s of column %d", bucket_name(b), c);
		}
		for (size_t i = 0; i < s->n_accounts; i++)
			busy_ns +=
				(int)s->accounts[i].bucket == b ? s->accounts[i].usage.busy_ns : 0;
		cr_assert(eq(u64, busy_ns, s->cpu_ns[b]), "CPU time of %s", bucket_name(b));
	}
}

/* A cgroup gets its name: what it had moves to the bucket of the name. */
static void rename_account(struct example *e, struct snapshot_account *account, enum bucket to)
{
	nj_t left[_COLUMN_MAX];

	memcpy(left, account->nj, sizeof(left));
	for (size_t z = 0; z < EXAMPLE_CORE; z++) {
		struct snapshot_zone *zone = &e->snapshot.zones[z];
		nj_t nj = MIN(left[zone->column], zone->bucket_nj[account->bucket]);

		zone->bucket_nj[account->bucket] -= nj;
		zone->bucket_nj[to] += nj;
		left[zone->column] -= nj;
	}
	e->snapshot.cpu_ns[account->bucket] -= account->usage.busy_ns;
	e->snapshot.cpu_ns[to] += account->usage.busy_ns;
	account->bucket = to;
}

/* end grows out of base: work, births, deaths that are folded, names that arrive. */
static void live_on(struct example *e)
{
	struct snapshot *s = &e->snapshot;

	for (size_t i = 3; i < s->n_accounts; i++) {
		if (example_below(e, 2))
			example_work(e, &s->accounts[i]);
	}
	for (size_t i = 3; i < s->n_accounts; i++) {
		if (!s->accounts[i].name && example_below(e, 2))
			rename_account(e, &s->accounts[i], BUCKET_CONTAINERS);
	}
	for (size_t i = s->n_accounts; i-- > 3;) {
		if (s->accounts[i].name && !example_below(e, 5))
			example_fold(e, i);
	}
	for (unsigned int i = 0; i < 5; i++)
		example_work(e, example_unit(e, 10000 + i, "new.service"));
	for (size_t i = 0; i < s->n_groups; i++)
		s->groups[i].total.nj[COLUMN_DRAM] += example_below(e, 3) * 1000;
	for (size_t i = 0; i < s->n_processes; i++)
		s->processes[i].used.busy_ns += example_below(e, 3) * 1000;
	s->t_ns += 3 * SECOND;
}

static const struct snapshot_pod *find_pod(const struct snapshot *s, const char *key)
{
	for (size_t i = 0; i < s->n_pods; i++) {
		if (!strcmp(s->pods[i].key, key))
			return &s->pods[i];
	}
	return NULL;
}

/* Pods have what they gained; each account is still in its own; nobody else is there. */
static void check_pods(const struct snapshot *since, const struct snapshot *base,
		       const struct snapshot *end)
{
	for (size_t i = 0; i < end->n_pods; i++) {
		const struct snapshot_pod *before = find_pod(base, end->pods[i].key);
		const struct snapshot_pod *now = find_pod(since, end->pods[i].key);
		nj_t gain = end->pods[i].total.nj[COLUMN_PACKAGE] -
			    (before ? before->total.nj[COLUMN_PACKAGE] : 0);

		cr_assert(gain == (now ? now->total.nj[COLUMN_PACKAGE] : 0));
	}
	for (size_t i = 0; i < since->n_accounts; i++) {
		const struct snapshot_account *account = &since->accounts[i];

		for (size_t k = 0; k < end->n_accounts; k++) {
			const struct snapshot_account *was = &end->accounts[k];

			if (was->cgroup_id != account->cgroup_id || was->pod == POD_NONE)
				continue;
			cr_assert(lt(sz, account->pod, since->n_pods));
			cr_assert(eq(str, (char *)since->pods[account->pod].key,
				     (char *)end->pods[was->pod].key));
		}
	}
}

/* base and end were made from one seed: their groups and processes stand in the same order. */
static void check_sums(const struct snapshot *since, const struct snapshot *base,
		       const struct snapshot *end)
{
	nj_t gained = 0, shown = 0;
	uint64_t gained_ns = 0, shown_ns = 0;

	for (size_t i = 0; i < end->n_groups; i++)
		gained += end->groups[i].total.nj[COLUMN_DRAM] -
			  base->groups[i].total.nj[COLUMN_DRAM];
	for (size_t i = 0; i < since->n_groups; i++) {
		shown += since->groups[i].total.nj[COLUMN_DRAM];
		cr_assert(not(tally_is_zero(&since->groups[i].total)));
	}
	cr_assert(gained == shown);
	for (size_t i = 0; i < end->n_processes; i++)
		gained_ns += end->processes[i].used.busy_ns - base->processes[i].used.busy_ns;
	for (size_t i = 0; i < since->n_processes; i++)
		shown_ns += since->processes[i].used.busy_ns;
	cr_assert(eq(u64, gained_ns, shown_ns));
}

/* Groups are told apart by their keys, processes by their pids: the ledger has each once. */
static void keep_one_each(struct snapshot *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_processes; i++)
		s->processes[i].pid = (int32_t)i + 1;
	for (size_t i = 0; i < s->n_groups; i++) {
		bool known = false;

		for (size_t k = 0; k < n && !known; k++)
			known = s->groups[k].key == s->groups[i].key;
		if (known)
			group_key_unref(s->groups[i].key);
		else
			s->groups[n++] = s->groups[i];
	}
	s->n_groups = n;
}

Test(snapshot, since_keeps_every_law)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct example base, end;
		struct snapshot *since;

		example_open(&base, seed);
		example_fill(&base, 60);
		example_open(&end, seed);
		example_fill(&end, 60);
		keep_one_each(&base.snapshot);
		keep_one_each(&end.snapshot);
		check_laws(&end.snapshot);
		live_on(&end);
		check_laws(&end.snapshot);
		cr_assert(eq(int, snapshot_since(&base.snapshot, &end.snapshot, &since), 0));
		check_laws(since);
		for (int z = 0; z < EXAMPLE_ZONES; z++)
			cr_assert(since->zones[z].nj ==
				  end.snapshot.zones[z].nj - base.snapshot.zones[z].nj);
		cr_assert(eq(u64, since->start_t_ns, base.snapshot.t_ns));
		check_pods(since, &base.snapshot, &end.snapshot);
		check_sums(since, &base.snapshot, &end.snapshot);
		snapshot_free(since);
		example_close(&base);
		example_close(&end);
	}
}

Test(snapshot, since_leaves_out_who_did_nothing)
{
	struct example e;
	struct snapshot *since;

	example_open(&e, 1);
	example_fill(&e, 30);
	cr_assert(eq(int, snapshot_since(&e.snapshot, &e.snapshot, &since), 0));
	cr_assert(eq(sz, since->n_accounts, 0));
	cr_assert(eq(sz, since->n_pods, 0));
	cr_assert(eq(sz, since->n_groups, 0));
	cr_assert(eq(sz, since->n_processes, 0));
	for (int z = 0; z < EXAMPLE_ZONES; z++)
		cr_assert(since->zones[z].nj == 0);
	snapshot_free(since);
	example_close(&e);
}

Test(snapshot, two_lives_of_a_pid_share_no_past)
{
	struct example base, end;
	struct snapshot *since;

	example_open(&base, 2);
	example_open(&end, 2);
	example_process(&base, 7, "old", 100)->used.busy_ns = 5000;
	example_process(&end, 7, "new", 100)->used.busy_ns = 900000;
	*example_process(&end, 7, "old", 100) = base.snapshot.processes[0];
	end.snapshot.processes[1].ended_ns = 3 * SECOND;
	end.snapshot.processes[1].used.busy_ns = 6000;
	cr_assert(eq(int, snapshot_since(&base.snapshot, &end.snapshot, &since), 0));
	cr_assert(eq(sz, since->n_processes, 2));
	for (size_t i = 0; i < 2; i++)
		cr_assert(eq(u64, since->processes[i].used.busy_ns,
			     since->processes[i].ended_ns ? 1000u : 900000u));
	snapshot_free(since);
	example_close(&base);
	example_close(&end);
}

Test(snapshot, since_survives_any_failing_allocation)
{
	struct example base, end;

	example_open(&base, 3);
	example_fill(&base, 40);
	example_open(&end, 3);
	example_fill(&end, 40);
	live_on(&end);
	OOM_SWEEP(n)
	{
		struct snapshot *since = NULL;
		int r = snapshot_since(&base.snapshot, &end.snapshot, &since);

		cr_assert(eq(int, oom_stop() ? -ENOMEM : 0, r));
		cr_assert(eq(int, since != NULL, r == 0));
		snapshot_free(since);
	}
	example_close(&base);
	example_close(&end);
}
