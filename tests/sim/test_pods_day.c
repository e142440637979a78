/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A day of pods: named by the node, by the API server, late, after their end; an API server that is
 * away for ten minutes and lists everything again every hour; functions of two platforms with cold
 * starts.  Every minute the books balance, and in the evening everybody has what was theirs.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/ledger.h"
#include "sim/book_laws.h"
#include "sim/fake_activity.h"

#define SECOND     1000000000ull
#define WALL       (1700000000 * SECOND)
#define HOUR       3600
#define MAX_PODS   14
#define PARTS      4 /* the pod's own cgroup, pause, main, a sidecar */
#define ROWS       (MAX_PODS * PARTS + _OWNER_FIXED)
#define TOMBSTONES 40
#define SPACES     3
#define FUNCTIONS  4

enum { PACKAGE, DRAM, N_ZONES };

/* A pod of the day: what is true of it.  Times are ticks. */
struct guest {
	unsigned int number; /* 0: none */
	enum function_platform platform;
	unsigned int space, function;
	uint64_t born, listed, ready, dies, forgotten;
	bool local, told, told_ready, ended;
	uint64_t ids[PARTS], busy_ns;
};

struct day {
	struct ledger *ledger;
	struct fake_activity fake;
	struct energy energy;
	struct reading readings[N_ZONES];
	struct guest guests[MAX_PODS];
	uint64_t tick, next_id;
	unsigned int seed, n_pods;
	bool open; /* pods still come */
	/* What is true. */
	uint64_t space_ns[SPACES], function_ns[FUNCTIONS], cold_ns[FUNCTIONS], all_ns;
	uint64_t pods[FUNCTIONS], starts[FUNCTIONS];
};

static unsigned int draw(struct day *day, unsigned int below)
{
	return (unsigned int)rand_r(&day->seed) % below;
}

static uint64_t now_ns(const struct day *day)
{
	return (day->tick + 10) * SECOND;
}

static const char *numbered(const char *prefix, unsigned int number)
{
	static char text[8][48];
	static unsigned int turn;
	char *to = text[turn++ % 8];

	snprintf(to, 48, "%s%012x", prefix, number);
	return to;
}

static const char *key_of(const struct guest *guest)
{
	return numbered("8a3c71de-9f0c-4b5e-8d2a-", guest->number);
}

static struct day *day_new(unsigned int seed)
{
	struct day *day = calloc(1, sizeof(*day));
	struct ledger_config config = { .max_accounts = MAX_PODS * PARTS + TOMBSTONES + 200,
					.max_rows = ROWS,
					.tombstones = TOMBSTONES,
					.idle = IDLE_EQUALLY,
					.keep_min_ns = 60 * SECOND,
					.keep_max_ns = 900 * SECOND,
					.n_packages = 1,
					.topology = &day->fake.topology };

	day->seed = seed;
	day->next_id = 1000;
	day->open = true;
	fake_activity_init(&day->fake, ROWS, 1, 4);
	for (int i = 0; i < N_ZONES; i++)
		day->energy.zones[i] = (struct zone){ .kind = i ? ZONE_DRAM : ZONE_PACKAGE,
						      .unit = ZONE_COUNTS_UJ,
						      .quality = QUALITY_MEASURED,
						      .source = "fake",
						      .period_ns = 1000000 };
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

/* ---- what is told -----------------------------------------------------------------------------
 */

static bool is_away(const struct day *day)
{
	return day->tick % (6 * HOUR) < 600;
}

/* The ledger has to see a start when it hears of it within 5 s, or saw the pod empty before. */
static void expect_start(struct day *day, struct guest *guest)
{
	uint64_t late = day->tick - guest->ready, age = day->tick - guest->born;

	if (guest->told_ready)
		return;
	guest->told_ready = true;
	if (guest->platform == FUNCTION_KNATIVE ? late > 5 : !guest->told && age > 5)
		return;
	day->starts[guest->function]++;
	day->cold_ns[guest->function] += guest->busy_ns;
}

static void tell(struct day *day, struct guest *guest, enum pod_source source)
{
	struct pod like = { .source = source,
			    .key = key_of(guest),
			    .namespace = numbered("space-", guest->space),
			    .name = numbered("pod-", guest->number),
			    .workload = { "deployment", numbered("space-", guest->space),
					  source != POD_FROM_API },
			    .ended = guest->ended };
	bool ready = day->tick >= guest->ready;
	struct pod *pod;

	if (source == POD_FROM_API &&
	    (guest->platform == FUNCTION_KNATIVE || (guest->platform && ready))) {
		like.function = (struct function){ guest->platform, "f",
						   numbered("f-", guest->function), "1" };
		like.ready_wall_ns = ready ? WALL + guest->ready * SECOND : 0;
		if (ready)
			expect_start(day, guest);
	}
	guest->told |= source == POD_FROM_API;
	pod = pod_new(&like);
	ledger_pod(day->ledger, pod, now_ns(day), WALL + day->tick * SECOND);
	pod_unref(pod);
}

/* The API server's view of a pod: added, ready, over, gone; and again with every list. */
static void watch(struct day *day, struct guest *guest)
{
	if (is_away(day) || day->tick < guest->listed)
		return;
	if (!guest->told || day->tick % HOUR == 1000 ||
	    (!guest->told_ready && guest->platform && day->tick >= guest->ready))
		tell(day, guest, POD_FROM_API);
	if (guest->ended && day->tick >= guest->forgotten) {
		tell(day, guest, POD_FROM_API);
		ledger_pod_gone(day->ledger, POD_FROM_API, key_of(guest), now_ns(day));
		ledger_pod_gone(day->ledger, POD_FROM_LOCAL, key_of(guest), now_ns(day));
		guest->number = 0;
	}
}

/* ---- what happens -----------------------------------------------------------------------------
 */

static void bear(struct day *day, struct guest *guest)
{
	*guest = (struct guest){ .number = ++day->n_pods,
				 .platform = (enum function_platform)draw(day, 3),
				 .space = draw(day, SPACES),
				 .function = draw(day, FUNCTIONS),
				 .born = day->tick,
				 .listed = day->tick + draw(day, draw(day, 10) ? 4 : 200),
				 .ready = day->tick + 1 + draw(day, draw(day, 4) ? 6 : 60),
				 .local = draw(day, 2) };
	guest->dies = guest->ready + 1 + draw(day, draw(day, 20) ? 100 : 4000);
	if (guest->platform == FUNCTION_NONE)
		guest->dies = day->tick + 1 + draw(day, 100);
	guest->forgotten = guest->dies + draw(day, 30);
	for (unsigned int i = 0; i < PARTS; i++) {
		char path[160];
		struct name *name;
		int n = snprintf(path, sizeof(path), "/kubepods/pod%s", key_of(guest));

		guest->ids[i] = day->next_id++;
		if (i)
			snprintf(path + n, sizeof(path) - (size_t)n, "/%064lx", guest->ids[i]);
		name = name_new(path);
		ledger_born(day->ledger, guest->ids[i], name, now_ns(day));
		name_unref(name);
	}
	if (guest->local)
		tell(day, guest, POD_FROM_LOCAL);
	if (guest->platform)
		day->pods[guest->function]++;
}

static void live(struct day *day, unsigned int at)
{
	struct guest *guest = &day->guests[at];

	if (!guest->number) {
		if (day->open && draw(day, 40) == 0)
			bear(day, guest);
		return;
	}
	if (!guest->ended && day->tick >= guest->dies) {
		for (unsigned int i = 0; i < PARTS; i++)
			ledger_gone(day->ledger, guest->ids[i], now_ns(day));
		guest->ended = true;
	}
	watch(day, guest);
	for (unsigned int i = 0; i < PARTS && guest->number && !guest->ended; i++) {
		uint64_t ns = draw(day, 20000000);

		if (draw(day, 2))
			continue;
		fake_run(&day->fake, _OWNER_FIXED + at * PARTS + i, guest->ids[i], 0, ns);
		guest->busy_ns += ns;
		day->all_ns += ns;
		day->space_ns[guest->space] += ns;
		if (guest->platform)
			day->function_ns[guest->function] += ns;
	}
}

static void day_tick(struct day *day)
{
	day->tick++;
	fake_begin(&day->fake, now_ns(day));
	for (unsigned int i = 0; i < MAX_PODS; i++)
		live(day, i);
	fake_run(&day->fake, OWNER_IDLE, 0, 0, SECOND);
	for (int i = 0; i < N_ZONES; i++) {
		day->readings[i].value += 1000000 + draw(day, 90000000);
		day->readings[i].t_ns = now_ns(day);
	}
	ledger_tick(day->ledger, &day->fake.activity, day->readings);
	if (day->tick % 600 == 0)
		ledger_scraped(day->ledger, draw(day, 2) ? now_ns(day) - 30 * SECOND : UINT64_MAX,
			       draw(day, 2) ? now_ns(day) - 15 * SECOND : UINT64_MAX);
	ledger_roll(day->ledger, true, true, now_ns(day));
	ledger_fold(day->ledger, now_ns(day));
	if (day->tick % 60 == 0) {
		check_book(day->ledger);
		check_names(day->ledger);
	}
}

static const struct group *group_of(const struct day *day, enum group_kind kind, const char *name)
{
	size_t n;
	const struct group *groups = ledger_groups(day->ledger, &n);

	for (size_t i = 0; i < n; i++)
		if (groups[i].key && groups[i].key->kind == kind &&
		    !strcmp(kind == GROUP_NAMESPACE ? groups[i].key->namespace
						    : groups[i].key->name,
			    name))
			return &groups[i];
	cr_assert(false, "no group %s", name);
	return NULL;
}

static void check_evening(const struct day *day)
{
	for (unsigned int i = 0; i < SPACES; i++) {
		const char *space = numbered("space-", i);
		const struct group *named = group_of(day, GROUP_NAMESPACE, space);
		const struct group *owned = group_of(day, GROUP_WORKLOAD, space);

		cr_assert(eq(u64, named->total.busy_ns, day->space_ns[i]));
		cr_assert(eq(u64, owned->total.busy_ns, day->space_ns[i]));
		cr_assert(tally_same(&named->total, &owned->total));
		cr_assert(not(owned->key->derived));
	}
	for (unsigned int i = 0; i < FUNCTIONS; i++) {
		uint64_t pods = 0, starts = 0, busy_ns = 0, cold_ns = 0;
		size_t n;
		const struct group *groups = ledger_groups(day->ledger, &n);

		/* One name on two platforms is two functions. */
		for (size_t k = 0; k < n; k++) {
			if (!groups[k].key || groups[k].key->kind != GROUP_FUNCTION ||
			    strcmp(groups[k].key->name, numbered("f-", i)) != 0)
				continue;
			pods += groups[k].pods;
			starts += groups[k].cold_starts;
			busy_ns += groups[k].total.busy_ns;
			cold_ns += groups[k].cold.busy_ns;
		}
		cr_assert(eq(u64, busy_ns, day->function_ns[i]));
		cr_assert(eq(u64, pods, day->pods[i]));
		cr_assert(eq(u64, starts, day->starts[i]));
		cr_assert(eq(u64, cold_ns, day->cold_ns[i]));
		cr_assert(gt(u64, starts, 100));
		cr_assert(lt(u64, starts, pods));
	}
}

Test(pods_day, gives_everybody_what_was_theirs)
{
	struct day *day = day_new(5);
	size_t n, left = 0;
	const struct pod_entry *pods;

	while (day->tick < 24 * HOUR)
		day_tick(day);
	day->open = false;
	while (day->tick < 27 * HOUR)
		day_tick(day);
	check_evening(day);

	pods = ledger_pods(day->ledger, &n);
	for (size_t i = 0; i < n; i++)
		left += pods[i].key[0] != '\0';
	cr_assert(eq(sz, left, 0), "nothing is kept for ever");
	cr_assert(eq(u64, ledger_folded_pods(day->ledger), day->n_pods));
	cr_assert(gt(u32, day->n_pods, 5000));
	cr_assert(eq(u64, ledger_dropped(day->ledger) + ledger_dropped_pods(day->ledger), 0));
	cr_assert(eq(u64, group_of(day, GROUP_NAMESPACE, "")->total.busy_ns, 0));
	day_free(day);
}
