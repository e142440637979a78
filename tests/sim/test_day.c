/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A day in the life of a ledger: 86,400 ticks with counters that wrap, sensors that fail, vanish
 * and start again, cgroups that come and go, and names that come late.  After every tick the books
 * must balance to the nanojoule and the nanosecond.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/ledger.h"
#include "sim/book_laws.h"
#include "sim/fake_activity.h"
#include "sim/fake_zone.h"

#define SECOND 1000000000ull
#define HOUR   3600

enum { PACKAGE_0, PACKAGE_1, DRAM_0, DRAM_1, PSYS, N_ZONES };

#define N_PACKAGES    2
#define CPUS          8
#define MAX_LIVE      48
#define ROWS          (MAX_LIVE + _OWNER_FIXED + 8)
#define TOMBSTONES    60
#define RAPL_RANGE_UJ 262143328850ull

/* A cgroup of the day: what is true about it, whatever the ledger was told. */
struct guest {
	uint64_t id;
	uint32_t row; /* 0: none */
	uint64_t born_ns;
	uint64_t dies_at;   /* tick */
	uint64_t named_at;  /* tick; 0: named */
	uint64_t row_until; /* tick, once it has ended */
	bool ended;
	bool is_container;
	uint64_t busy_ns;
};

struct day {
	struct ledger *ledger;
	struct fake_activity fake;
	struct energy energy;
	struct fake_zone zones[N_ZONES];
	struct reading readings[N_ZONES];
	struct guest guests[MAX_LIVE];
	bool row_taken[ROWS];
	uint64_t now_ns, start_ns, tick, next_id, n_born;
	uint64_t container_ns; /* truth: CPU time of all containers */
	unsigned int seed;
};

static uint64_t draw(struct day *day, uint64_t below)
{
	return (uint64_t)(unsigned int)rand_r(&day->seed) % below;
}

static struct fake_zone zone_of(enum zone_kind kind, int package, double static_w, double busy_w)
{
	return (struct fake_zone){
		.zone = { .kind = kind,
			  .package = package,
			  .unit = ZONE_COUNTS_UJ,
			  .quality = QUALITY_MEASURED,
			  .source = "fake",
			  .wrap = kind == ZONE_PSYS ? 0 : RAPL_RANGE_UJ,
			  .max_uw = (uint64_t)((static_w + busy_w) * 2e6),
			  .period_ns = 1000000 },
		.static_w = static_w,
		.busy_w = busy_w,
		.offset_uj = 17,
	};
}

static struct day *day_new(unsigned int seed)
{
	struct day *day = calloc(1, sizeof(*day));
	struct ledger_config config = { .max_accounts = MAX_LIVE + TOMBSTONES + 8,
					.max_rows = ROWS,
					.tombstones = TOMBSTONES,
					.keep_min_ns = 60 * SECOND,
					.keep_max_ns = 900 * SECOND,
					.n_packages = N_PACKAGES,
					.topology = &day->fake.topology };

	day->seed = seed;
	day->next_id = 1000;
	day->start_ns = day->now_ns = 5 * SECOND;
	fake_activity_init(&day->fake, ROWS, N_PACKAGES, CPUS);
	day->zones[PACKAGE_0] = zone_of(ZONE_PACKAGE, 0, 25, 150);
	day->zones[PACKAGE_1] = zone_of(ZONE_PACKAGE, 1, 24, 140);
	day->zones[DRAM_0] = zone_of(ZONE_DRAM, 0, 2, 10);
	day->zones[DRAM_1] = zone_of(ZONE_DRAM, 1, 2, 10);
	day->zones[PSYS] = zone_of(ZONE_PSYS, -1, 80, 350);
	for (int i = 0; i < N_ZONES; i++)
		day->energy.zones[i] = day->zones[i].zone;
	day->energy.n_zones = N_ZONES;
	cr_assert(eq(int, ledger_new(&config, &day->energy, &day->ledger), 0));
	return day;
}

static void day_free(struct day *day)
{
	ledger_free(day->ledger);
	fake_activity_free(&day->fake);
	free(day);
}

static uint32_t take_row(struct day *day)
{
	uint32_t row = _OWNER_FIXED;

	while (row < ROWS - 1 && day->row_taken[row])
		row++;
	cr_assert(not(day->row_taken[row]), "more rows than guests");
	day->row_taken[row] = true;
	return row;
}

static void tell_name(struct day *day, struct guest *guest)
{
	char path[160];
	struct name *name;

	snprintf(path, sizeof(path),
		 guest->is_container ? "/kubepods/burstable/pod8a3c71de-9f0c-4b5e-8d2a-0011223344ff"
				       "/%064lx"
				     : "/system.slice/unit-%lu.service",
		 guest->id);
	name = name_new(path);
	ledger_born(day->ledger, guest->id, name, guest->born_ns);
	name_unref(name);
	guest->named_at = 0;
}

/* Most live for minutes, many for a tick, a few all day. */
static void bear(struct day *day, struct guest *guest)
{
	static const uint64_t lives[] = { 1, 1, 2, 30, 300, 3000 };
	uint64_t kind = draw(day, 100);

	*guest = (struct guest){
		.id = day->next_id++,
		.row = take_row(day),
		.born_ns = day->now_ns,
		.dies_at = day->tick + 1 + draw(day, kind ? lives[kind % 6] + 1 : 90000),
		.named_at = kind < 70 ? 0 : day->tick + draw(day, 6),
		.is_container = kind % 3 != 0,
	};
	day->n_born++;
	if (!guest->named_at)
		tell_name(day, guest);
}

static void live(struct day *day, struct guest *guest)
{
	if (!guest->id) {
		if (draw(day, 100) == 0)
			bear(day, guest);
		return;
	}
	if (guest->named_at && day->tick >= guest->named_at)
		tell_name(day, guest);
	if (!guest->ended && day->tick >= guest->dies_at) {
		/* An end is told only of what was seen before. */
		if (!guest->busy_ns && guest->named_at)
			tell_name(day, guest);
		ledger_gone(day->ledger, guest->id, day->now_ns);
		guest->ended = true;
		guest->row_until = day->tick + draw(day, 4);
	}
	/* The kernel's last words come after the end; then its row is another's. */
	if (guest->ended && day->tick >= guest->row_until && !guest->named_at) {
		day->row_taken[guest->row] = false;
		guest->id = 0;
	}
}

/* Every nanosecond of a package's CPUs is somebody's; at night package 1 has nothing to do. */
static double run_package(struct day *day, unsigned int package, uint64_t dt_ns)
{
	uint64_t left_ns = dt_ns * (CPUS / N_PACKAGES), all_ns = left_ns;
	bool asleep = package == 1 && day->tick % (24 * HOUR) < 5 * HOUR;
	uint64_t rest_ns;

	for (int i = 0; i < MAX_LIVE && !asleep; i++) {
		struct guest *guest = &day->guests[i];
		uint64_t ns;

		if (!guest->id || draw(day, 3))
			continue;
		ns = draw(day, left_ns / 4 + 1);
		fake_run(&day->fake, guest->row, guest->id, package, ns);
		guest->busy_ns += ns;
		day->container_ns += guest->is_container ? ns : 0;
		left_ns -= ns;
	}
	if (!asleep) {
		rest_ns = left_ns / 50;
		fake_run(&day->fake, OWNER_KERNEL, 0, package, rest_ns);
		fake_run(&day->fake, OWNER_IRQ, 0, package, rest_ns / 2);
		left_ns -= rest_ns + rest_ns / 2;
	}
	rest_ns = left_ns;
	fake_run(&day->fake, OWNER_STEAL, 0, package, rest_ns / 100);
	fake_run(&day->fake, OWNER_IDLE, 0, package, rest_ns - rest_ns / 100);
	return (double)(all_ns - rest_ns) / (double)all_ns;
}

/* What goes wrong today, and when. */
static void break_sensors(struct day *day)
{
	uint64_t second = day->tick;

	for (int i = 0; i < N_ZONES; i++)
		day->readings[i].error = 0;
	/* An hour without answers: two zones could not have gone round unseen, one could. */
	if (second >= 6 * HOUR && second < 7 * HOUR)
		day->readings[PSYS].error = day->readings[DRAM_0].error =
			day->readings[PACKAGE_1].error = -EIO;
	if (second >= 18 * HOUR)
		day->readings[DRAM_1].error = -ENODEV;
	if (second == 12 * HOUR)
		fake_zone_reset(&day->zones[PSYS]);
}

static void check_day(struct day *day)
{
	uint64_t cpu_ns[_BUCKET_MAX], sum_ns = 0;
	size_t n, ended = 0;
	const struct zone_total *zones = ledger_zones(day->ledger, &n);
	const struct account *accounts;

	check_book(day->ledger);
	for (size_t i = 0; i < n; i++)
		fake_zone_check(&day->zones[i], &zones[i]);
	ledger_cpu_ns(day->ledger, cpu_ns);
	for (int b = 0; b < _BUCKET_MAX; b++)
		sum_ns += cpu_ns[b];
	cr_assert(eq(u64, sum_ns, (day->now_ns - day->start_ns) * CPUS));
	accounts = ledger_accounts(day->ledger, &n);
	for (size_t i = _OWNER_FIXED; i < n; i++)
		ended += accounts[i].cgroup_id && accounts[i].ended_ns;
	cr_assert(le(sz, ended, TOMBSTONES));
	cr_assert(eq(u64, ledger_dropped(day->ledger), 0));
}

/* One tick after dt_ns; lazily: only the zones that the ledger wants are read. */
static void day_tick(struct day *day, uint64_t dt_ns, bool lazily)
{
	double busy[N_PACKAGES], all_busy = 0;

	day->tick++;
	day->now_ns += dt_ns;
	fake_begin(&day->fake, day->now_ns);
	for (int i = 0; i < MAX_LIVE; i++)
		live(day, &day->guests[i]);
	for (unsigned int i = 0; i < N_PACKAGES; i++) {
		busy[i] = run_package(day, i, dt_ns);
		all_busy += busy[i] / N_PACKAGES;
	}
	for (int i = 0; i < N_ZONES; i++) {
		struct fake_zone *zone = &day->zones[i];

		fake_zone_emit(zone, dt_ns,
			       zone->zone.package < 0 ? all_busy : busy[zone->zone.package]);
	}
	break_sensors(day);
	for (int i = 0; i < N_ZONES; i++) {
		day->readings[i].t_ns = day->now_ns;
		day->readings[i].value = fake_zone_value(&day->zones[i]);
		if (lazily && !ledger_wants(day->ledger, (size_t)i, &day->fake.activity, 0))
			day->readings[i].error = -EAGAIN;
	}
	ledger_tick(day->ledger, &day->fake.activity, day->readings);
	ledger_fold(day->ledger, day->now_ns);
	check_day(day);
}

/* Once every name has come, the bucket holds the CPU time of all containers of the day. */
static void check_containers(struct day *day)
{
	uint64_t cpu_ns[_BUCKET_MAX];

	for (int i = 0; i < MAX_LIVE; i++)
		if (day->guests[i].id && day->guests[i].named_at)
			tell_name(day, &day->guests[i]);
	check_book(day->ledger);
	ledger_cpu_ns(day->ledger, cpu_ns);
	cr_assert(eq(u64, cpu_ns[BUCKET_CONTAINERS], day->container_ns));
}

static const struct zone_total *zone_at(const struct day *day, size_t i)
{
	size_t n;

	return &ledger_zones(day->ledger, &n)[i];
}

Test(day, balances_after_every_one_of_86400_ticks)
{
	struct day *day = day_new(1);

	while (day->tick < 24 * HOUR)
		day_tick(day, SECOND, false);
	check_containers(day);

	/* The day was what it was meant to be. */
	cr_assert(gt(u64, day->n_born, 2000));
	cr_assert(gt(u64, ledger_folded(day->ledger)[BUCKET_CONTAINERS].n, 1000));
	cr_assert(gt(u64, zone_at(day, PACKAGE_0)->meter.wraps, 10));
	cr_assert(eq(u64, zone_at(day, PSYS)->meter.resets, 1));
	/* Nothing is unknown but what cannot be known: the hour that could have wrapped… */
	cr_assert(eq(u64, zone_at(day, PACKAGE_0)->meter.unknown_ns, 0));
	cr_assert(eq(u64, zone_at(day, DRAM_0)->meter.unknown_ns, 0));
	cr_assert(eq(u64, zone_at(day, PACKAGE_1)->meter.unknown_ns, (HOUR + 1) * SECOND));
	/* …and the second of the reset, although that sensor too was silent for an hour. */
	cr_assert(eq(u64, zone_at(day, PSYS)->meter.unknown_ns, SECOND));
	day_free(day);
}

Test(day, balances_when_only_wanted_zones_are_read)
{
	struct day *day = day_new(2);

	while (day->tick < 6 * HOUR)
		day_tick(day, SECOND, true);
	check_containers(day);
	cr_assert(eq(u64, zone_at(day, PACKAGE_1)->meter.unknown_ns, 0));
	day_free(day);
}

Test(day, balances_with_ticks_of_any_length)
{
	static const uint64_t most_ns[] = { 1000, SECOND / 1000, SECOND / 20, SECOND, 30 * SECOND };
	struct day *day = day_new(3);

	while (day->tick < 20000)
		day_tick(day, 1000 + draw(day, most_ns[draw(day, 5)]), true);
	check_containers(day);
	day_free(day);
}

Test(day, goes_on_after_a_laptop_has_slept)
{
	struct day *day = day_new(4);

	for (int nap = 0; nap < 5; nap++) {
		for (int i = 0; i < 100; i++)
			day_tick(day, SECOND, false);
		day_tick(day, (uint64_t)(1 + nap) * HOUR * SECOND, false);
	}
	check_containers(day);
	/* A package can go round in an hour; what has 64 bits cannot. */
	cr_assert(eq(u64, zone_at(day, PACKAGE_0)->meter.unknown_ns, 15 * HOUR * SECOND));
	cr_assert(eq(u64, zone_at(day, PSYS)->meter.unknown_ns, 0));
	day_free(day);
}
