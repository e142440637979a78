/* SPDX-License-Identifier: Apache-2.0 */
#include "account/ledger.h"

#include <errno.h>
#include <stdlib.h>

#include "account/book.h"
#include "platform/scope.h"

#define PREFETCH_AHEAD 8
#define MAX_GROUPS     1024 /* of each kind, unless the configuration says */

static struct owners owners_of(struct ledger *ledger)
{
	return (struct owners){ .table = ledger->accounts.table,
				.capacity = ledger->accounts.capacity,
				.folded = ledger->folded,
				.scratch = ledger->scratch };
}

static int open_zones(struct ledger *ledger, const struct energy *energy)
{
	struct owners owners = owners_of(ledger);
	int r;

	ledger->zones = calloc(energy->n_zones + 1, sizeof(*ledger->zones));
	ledger->books = calloc(energy->n_zones + 1, sizeof(*ledger->books));
	if (!ledger->zones || !ledger->books)
		return -ENOMEM;
	for (size_t i = 0; i < energy->n_zones; i++) {
		struct zone_total *total = &ledger->zones[i];

		total->zone = energy->zones[i];
		total->split = zone_is_split(energy, i);
		total->column = total->split ? column_of(total->zone.kind) : -1;
		baseline_init(&total->baseline, 0, 0);
		ledger->n_zones++;
		r = zone_book_init(&ledger->books[i], owners_entries(&owners));
		if (r < 0)
			return r;
	}
	return 0;
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	for (size_t i = 0; i < ledger->n_zones; i++)
		zone_book_free(&ledger->books[i]);
	free(ledger->zones);
	free(ledger->books);
	steps_free(&ledger->steps);
	free(ledger->scratch);
	accounts_free(&ledger->accounts);
	pods_free(&ledger->pods);
	free(ledger->guesses);
	groups_free(ledger->groups);
	idle_book_free(&ledger->idle);
	free(ledger);
}

static void ledger_freep(struct ledger **ledger)
{
	ledger_free(*ledger);
}

static int open_pods(struct ledger *ledger)
{
	const struct ledger_config *config = &ledger->config;
	int r = pods_init(&ledger->pods, config->max_accounts);

	if (r < 0)
		return r;
	ledger->guesses = calloc((size_t)config->max_accounts + 1, sizeof(*ledger->guesses));
	if (!ledger->guesses)
		return -ENOMEM;
	r = groups_new(config->max_groups ? config->max_groups : MAX_GROUPS, &ledger->groups);
	if (r < 0 || config->idle == IDLE_NOT_SHARED)
		return r;
	return idle_book_init(&ledger->idle, ledger->accounts.capacity);
}

int ledger_new(const struct ledger_config *config, const struct energy *energy, struct ledger **ret)
{
	_cleanup_(ledger_freep) struct ledger *ledger = calloc(1, sizeof(*ledger));
	struct owners owners;
	int r;

	if (!ledger)
		return -ENOMEM;
	ledger->config = *config;
	ledger->twice_ns = ledger->once_ns = UINT64_MAX;
	r = accounts_init(&ledger->accounts, config->max_accounts);
	if (r < 0)
		return r;
	r = open_pods(ledger);
	if (r < 0)
		return r;
	owners = owners_of(ledger);
	r = steps_init(&ledger->steps, config->max_rows, config->n_packages);
	if (r < 0)
		return r;
	ledger->scratch = calloc(owners_entries(&owners), sizeof(*ledger->scratch));
	if (!ledger->scratch)
		return -ENOMEM;
	r = open_zones(ledger, energy);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(ledger);
	return 0;
}

void ledger_set_static(struct ledger *ledger, size_t zone, double floor_w, double given_w)
{
	ledger->zones[zone].baseline.floor_w = floor_w;
	ledger->zones[zone].baseline.given_w = given_w;
}

static uint32_t entry_of_cgroup(struct ledger *ledger, uint32_t row, uint64_t cgroup_id,
				uint64_t t_ns, bool first)
{
	uint32_t at;

	/* Work of nobody: a driver that cannot tell. */
	if (!cgroup_id)
		return OWNER_OVERFLOW;
	at = accounts_find(&ledger->accounts, cgroup_id);
	if (at == ACCOUNT_NONE)
		at = book_add_running(ledger, cgroup_id, t_ns);
	if (at == ACCOUNT_NONE) {
		ledger->dropped += first;
		return OWNER_OVERFLOW;
	}
	ledger->accounts.table[at].row = row;
	return at;
}

/* The last words of an account that was folded are its bucket's, unless the cgroup has another. */
static bool is_owner(const struct ledger *ledger, uint32_t entry, uint64_t cgroup_id)
{
	if (entry >= ledger->accounts.capacity)
		return accounts_find(&ledger->accounts, cgroup_id) == ACCOUNT_NONE;
	return ledger->accounts.table[entry].cgroup_id == cgroup_id;
}

/* Who owns a row now; a row that was given to another cgroup starts from 0. */
static uint32_t entry_of_row(struct ledger *ledger, const struct activity *activity, uint32_t at)
{
	uint64_t cgroup_id = activity->rows[at].cgroup_id;
	struct seen_row *row = &ledger->steps.table[at];
	bool first = row->cgroup_id != cgroup_id;

	if (at < _OWNER_FIXED)
		return at;
	if (first)
		steps_restart(&ledger->steps, at, cgroup_id, OWNER_OVERFLOW);
	else if (is_owner(ledger, row->entry, cgroup_id))
		return row->entry;
	row->entry = entry_of_cgroup(ledger, at, cgroup_id, activity->t_ns, first);
	return row->entry;
}

static void take_row(struct ledger *ledger, const struct activity *activity, uint32_t at)
{
	uint32_t capacity = ledger->accounts.capacity;
	uint32_t entry = entry_of_row(ledger, activity, at);
	struct step step;

	steps_take(&ledger->steps, activity, at, &step);
	if (entry >= capacity) {
		usage_add(&ledger->folded[entry - capacity].usage, &step.usage);
	} else {
		usage_add(&ledger->accounts.table[entry].usage, &step.usage);
		accounts_touch(&ledger->accounts, entry, activity->t_ns);
	}
	/* Neither heats this machine: the one is its rest, the other runs somewhere else. */
	if (at == OWNER_IDLE || at == OWNER_STEAL)
		return;
	for (size_t i = 0; i < ledger->n_zones; i++) {
		unsigned int package = (unsigned int)ledger->zones[i].zone.package; /* -1: all */

		zone_book_add(&ledger->books[i], entry,
			      package < ledger->steps.n_packages ? step.weight[package]
								 : step.all_weight);
	}
}

static void read_zones(struct ledger *ledger, const struct activity *activity,
		       const struct reading *readings)
{
	struct owners owners = owners_of(ledger);

	for (size_t i = 0; i < ledger->n_zones; i++) {
		struct zone_load load =
			zone_load_of(&ledger->cpus, ledger->zones[i].zone.package, activity);

		if (readings[i].error == -EAGAIN)
			continue;
		/* Nobody says who ran: energy that found no owner. */
		if (!activity->rows)
			zone_book_add(&ledger->books[i], OWNER_OVERFLOW, 1);
		zone_book_read(&ledger->books[i], &ledger->zones[i], &owners, &readings[i], &load,
			       activity->t_ns);
	}
}

/* Between two ticks every line has gone cold: ask for those of the rows ahead. */
static void prefetch_row(const struct ledger *ledger, const struct activity *activity, uint32_t i)
{
	const struct seen_row *seen;

	if (i >= activity->n_active || activity->active[i] >= ledger->config.max_rows)
		return;
	seen = &ledger->steps.table[activity->active[i]];
	__builtin_prefetch(seen);
	__builtin_prefetch(seen + 1); /* a row is longer than a line */
	__builtin_prefetch(
		&ledger->steps.weight[(size_t)activity->active[i] * ledger->steps.n_packages]);
}

/* The second step: the row is here by now, and says whose it is. */
static void prefetch_owner(const struct ledger *ledger, const struct activity *activity, uint32_t i)
{
	uint32_t entry;

	if (i >= activity->n_active || activity->active[i] >= ledger->config.max_rows)
		return;
	entry = ledger->steps.table[activity->active[i]].entry;
	if (entry >= ledger->accounts.capacity)
		return;
	__builtin_prefetch(&ledger->accounts.table[entry]);
	__builtin_prefetch(&ledger->accounts.table[entry].usage);
	__builtin_prefetch(&ledger->accounts.links[entry]);
}

void ledger_tick(struct ledger *ledger, const struct activity *activity,
		 const struct reading *readings)
{
	uint32_t i;

	if (!ledger->started)
		ledger->start_ns = activity->t_ns;
	ledger->started = true;
	ledger->summed = false;
	cpu_count_update(&ledger->cpus, ledger->config.topology, activity);
	for (i = 0; i < PREFETCH_AHEAD; i++)
		prefetch_row(ledger, activity, i);
	for (i = 0; i < activity->n_active; i++) {
		prefetch_row(ledger, activity, i + PREFETCH_AHEAD);
		prefetch_owner(ledger, activity, i + PREFETCH_AHEAD / 2);
		if (activity->active[i] < ledger->config.max_rows)
			take_row(ledger, activity, activity->active[i]);
	}
	if (readings)
		read_zones(ledger, activity, readings);
}

const struct zone_total *ledger_zones(const struct ledger *ledger, size_t *ret_n)
{
	*ret_n = ledger->n_zones;
	return ledger->zones;
}

const struct account *ledger_accounts(const struct ledger *ledger, size_t *ret_n)
{
	*ret_n = ledger->accounts.n_seen;
	return ledger->accounts.table;
}

const struct folded *ledger_folded(const struct ledger *ledger)
{
	return ledger->folded;
}

void ledger_cpu_ns(const struct ledger *ledger, uint64_t ret_ns[_BUCKET_MAX])
{
	for (int i = 0; i < _BUCKET_MAX; i++)
		ret_ns[i] = i < _BUCKET_ENERGY_MAX ? ledger->folded[i].usage.busy_ns : 0;
	for (uint32_t i = 0; i < ledger->accounts.n_seen; i++)
		ret_ns[ledger->accounts.table[i].bucket] += ledger->accounts.table[i].usage.busy_ns;
}

uint64_t ledger_dropped(const struct ledger *ledger)
{
	return ledger->dropped;
}

const struct pod_entry *ledger_pods(const struct ledger *ledger, size_t *ret_n)
{
	*ret_n = ledger->pods.n_seen;
	return ledger->pods.table;
}

const struct group *ledger_groups(const struct ledger *ledger, size_t *ret_n)
{
	return groups_all(ledger->groups, ret_n);
}

uint64_t ledger_folded_groups(const struct ledger *ledger, enum group_kind kind)
{
	return groups_folded(ledger->groups, kind);
}

uint64_t ledger_folded_pods(const struct ledger *ledger)
{
	return ledger->folded_pods;
}

uint64_t ledger_dropped_pods(const struct ledger *ledger)
{
	return ledger->dropped_pods;
}

uint32_t ledger_unnamed(const struct ledger *ledger)
{
	return ledger->unnamed;
}

bool ledger_wants(const struct ledger *ledger, size_t zone, const struct activity *activity,
		  int running_package)
{
	const struct zone_total *total = &ledger->zones[zone];
	struct zone_load load = zone_load_of(&ledger->cpus, total->zone.package, activity);

	return zone_book_wants(&ledger->books[zone], total, &load, activity->t_ns, running_package);
}
