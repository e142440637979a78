/* SPDX-License-Identifier: Apache-2.0 */
#include "account/ledger.h"

#include <errno.h>
#include <stdlib.h>

#include "account/accounts.h"
#include "account/steps.h"
#include "account/zone_book.h"
#include "platform/scope.h"

#define PREFETCH_AHEAD 8

struct ledger {
	struct ledger_config config;
	struct accounts accounts;
	struct folded folded[_BUCKET_ENERGY_MAX];
	struct zone_total *zones;
	struct zone_book *books;
	size_t n_zones;
	struct steps steps;
	struct cpu_count cpus;
	uint64_t *scratch;
	uint64_t dropped;
};

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
	free(ledger);
}

static void ledger_freep(struct ledger **ledger)
{
	ledger_free(*ledger);
}

int ledger_new(const struct ledger_config *config, const struct energy *energy, struct ledger **ret)
{
	_cleanup_(ledger_freep) struct ledger *ledger = calloc(1, sizeof(*ledger));
	struct owners owners;
	int r;

	if (!ledger)
		return -ENOMEM;
	ledger->config = *config;
	r = accounts_init(&ledger->accounts, config->max_accounts);
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

/* The row of a folded account, if it still is its row, brings its work to another entry. */
static void give_row(struct ledger *ledger, const struct account *account, uint32_t entry)
{
	struct seen_row *row;

	if (account->row == ACCOUNT_NONE)
		return;
	row = &ledger->steps.table[account->row];
	if (row->entry == account - ledger->accounts.table && row->cgroup_id == account->cgroup_id)
		row->entry = entry;
}

/* What an account had is its bucket's from now on, and so is what its row still brings. */
static void fold_account(struct ledger *ledger, uint32_t at)
{
	struct account *account = &ledger->accounts.table[at];
	uint32_t entry = ledger->accounts.capacity + account->bucket;
	struct folded *folded = &ledger->folded[account->bucket];

	usage_add(&folded->usage, &account->usage);
	for (int i = 0; i < _COLUMN_MAX; i++)
		folded->nj[i] += account->nj[i];
	folded->n++;
	for (size_t i = 0; i < ledger->n_zones; i++)
		zone_book_fold(&ledger->books[i], at, entry);
	give_row(ledger, account, entry);
	accounts_remove(&ledger->accounts, at);
}

/* A full table gives up its oldest ended account, whatever its age: the maximum wins. */
static uint32_t add_account(struct ledger *ledger, uint64_t cgroup_id, uint64_t t_ns)
{
	uint32_t at = accounts_add(&ledger->accounts, cgroup_id, t_ns);

	if (at != ACCOUNT_NONE || ledger->accounts.oldest == ACCOUNT_NONE)
		return at;
	fold_account(ledger, ledger->accounts.oldest);
	return accounts_add(&ledger->accounts, cgroup_id, t_ns);
}

/* A cgroup that runs matters more than one that only has a name. */
static uint32_t add_running(struct ledger *ledger, uint64_t cgroup_id, uint64_t t_ns)
{
	uint32_t at = add_account(ledger, cgroup_id, t_ns), unused;

	if (at != ACCOUNT_NONE)
		return at;
	unused = accounts_unused(&ledger->accounts);
	if (unused == ACCOUNT_NONE)
		return ACCOUNT_NONE;
	accounts_remove(&ledger->accounts, unused);
	return accounts_add(&ledger->accounts, cgroup_id, t_ns);
}

/* An account for a cgroup that is born; ACCOUNT_NONE when there is no room. */
static uint32_t add_born(struct ledger *ledger, uint64_t cgroup_id, uint64_t t_ns)
{
	struct accounts *accounts = &ledger->accounts;
	uint32_t before = accounts_find(accounts, cgroup_id), at, row;

	if (before == ACCOUNT_NONE)
		return add_account(ledger, cgroup_id, t_ns);
	if (!accounts->table[before].ended_ns || t_ns <= accounts->table[before].ended_ns)
		return before;
	/* The id is in use again: another cgroup, with an account of its own and maybe a row. */
	row = accounts->table[before].row;
	accounts_hide(accounts, before);
	at = add_account(ledger, cgroup_id, t_ns);
	if (at != ACCOUNT_NONE && row != ACCOUNT_NONE &&
	    ledger->steps.table[row].cgroup_id == cgroup_id) {
		ledger->steps.table[row].entry = at;
		accounts->table[at].row = row;
	}
	return at;
}

void ledger_born(struct ledger *ledger, uint64_t cgroup_id, struct name *name, uint64_t t_ns)
{
	uint32_t at = add_born(ledger, cgroup_id, t_ns);
	enum bucket from, to;

	if (at == ACCOUNT_NONE)
		ledger->dropped++;
	if (at == ACCOUNT_NONE || !name)
		return;
	from = ledger->accounts.table[at].bucket;
	accounts_name(&ledger->accounts, at, name);
	to = ledger->accounts.table[at].bucket;
	for (size_t i = 0; i < ledger->n_zones && from != to; i++)
		zone_book_rename(&ledger->books[i], &ledger->zones[i], at, from, to);
}

void ledger_gone(struct ledger *ledger, uint64_t cgroup_id, uint64_t t_ns)
{
	uint32_t at = accounts_find(&ledger->accounts, cgroup_id);

	if (at != ACCOUNT_NONE)
		accounts_end(&ledger->accounts, at, t_ns);
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
		at = add_running(ledger, cgroup_id, t_ns);
	if (at == ACCOUNT_NONE) {
		ledger->dropped += first;
		return OWNER_OVERFLOW;
	}
	ledger->accounts.table[at].row = row;
	return at;
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
	else if (row->entry >= ledger->accounts.capacity ||
		 ledger->accounts.table[row->entry].cgroup_id == cgroup_id)
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

/* Cgroups whose end, or whole life, was missed: nobody will ever name or end them. */
static void end_nameless(struct ledger *ledger, uint64_t t_ns)
{
	struct accounts *accounts = &ledger->accounts;

	for (uint32_t i = _OWNER_FIXED; accounts->n_unnamed && i < accounts->n_seen; i++) {
		const struct account *account = &accounts->table[i];
		uint64_t last_ns;

		if (!account->cgroup_id || account->name || account->ended_ns)
			continue;
		last_ns = MAX(accounts->links[i].active_ns, account->born_ns);
		if (t_ns > last_ns && t_ns - last_ns > ledger->config.keep_max_ns)
			accounts_end(accounts, i, t_ns);
	}
}

void ledger_fold(struct ledger *ledger, uint64_t t_ns)
{
	const struct ledger_config *config = &ledger->config;
	struct accounts *accounts = &ledger->accounts;

	end_nameless(ledger, t_ns);
	while (accounts->oldest != ACCOUNT_NONE) {
		uint64_t ended_ns = accounts->table[accounts->oldest].ended_ns;
		uint64_t age_ns = t_ns > ended_ns ? t_ns - ended_ns : 0;
		/* Between its least and its longest time an account stays while there is room. */
		bool crowded = accounts->n_free < accounts->capacity / 8;

		if (accounts->n_ended <= config->tombstones && age_ns < config->keep_max_ns &&
		    !(crowded && age_ns >= config->keep_min_ns))
			break;
		fold_account(ledger, accounts->oldest);
	}
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

bool ledger_wants(const struct ledger *ledger, size_t zone, const struct activity *activity,
		  int running_package)
{
	const struct zone_total *total = &ledger->zones[zone];
	struct zone_load load = zone_load_of(&ledger->cpus, total->zone.package, activity);

	return zone_book_wants(&ledger->books[zone], total, &load, activity->t_ns, running_package);
}
