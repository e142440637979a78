/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>

#include "example_snapshot.h"
#include "no_leaks.h"

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
	cr_assert(eq(
		int,
		snapshot_publish(b->pool, b->ledger, &b->facts, &b->stats, b->t_ns, b->t_ns + 1, 2),
		0));
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
	s->t_ns += 3 * SECOND;
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
		check_laws(&end.snapshot);
		live_on(&end);
		check_laws(&end.snapshot);
		cr_assert(eq(int, snapshot_since(&base.snapshot, &end.snapshot, &since), 0));
		check_laws(since);
		for (int z = 0; z < EXAMPLE_ZONES; z++)
			cr_assert(since->zones[z].nj ==
				  end.snapshot.zones[z].nj - base.snapshot.zones[z].nj);
		cr_assert(eq(u64, since->start_t_ns, base.snapshot.t_ns));
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
	for (int z = 0; z < EXAMPLE_ZONES; z++)
		cr_assert(since->zones[z].nj == 0);
	snapshot_free(since);
	example_close(&e);
}
