/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts come, are named, become somebody else, end and are folded. */
#include <string.h>

#include "account/book.h"
#include "platform/scope.h"

/* The row of an account, if it still is its row, or ACCOUNT_NONE. */
static uint32_t row_of(const struct ledger *ledger, uint32_t at)
{
	const struct account *account = &ledger->accounts.table[at];
	const struct seen_row *row;

	if (account->row == ACCOUNT_NONE)
		return ACCOUNT_NONE;
	row = &ledger->steps.table[account->row];
	return row->entry == at && row->cgroup_id == account->cgroup_id ? account->row
									: ACCOUNT_NONE;
}

static void leave_pod(struct ledger *ledger, uint32_t at)
{
	const struct account *account = &ledger->accounts.table[at];
	struct tally tally = tally_of(account);
	struct pod_entry *entry;

	if (account->pod == POD_NONE)
		return;
	entry = &ledger->pods.table[account->pod];
	tally_add(&entry->folded, &tally);
	if (ledger->accounts.links[at].overhead)
		tally_add(&entry->folded_overhead, &tally);
	pods_leave(&ledger->pods, account->pod);
}

/* What an account had is its bucket's from now on, and so is what its row still brings. */
void book_fold_account(struct ledger *ledger, uint32_t at)
{
	struct account *account = &ledger->accounts.table[at];
	uint32_t entry = ledger->accounts.capacity + account->bucket;
	struct folded *folded = &ledger->folded[account->bucket];
	struct tally tally = tally_of(account);
	uint32_t row = row_of(ledger, at);

	usage_add(&folded->usage, &account->usage);
	for (int i = 0; i < _COLUMN_MAX; i++)
		folded->nj[i] += account->nj[i];
	folded->n++;
	if (account->bucket == BUCKET_CONTAINERS)
		tally_add(&ledger->passed, &tally);
	leave_pod(ledger, at);
	for (size_t i = 0; i < ledger->n_zones; i++)
		zone_book_fold(&ledger->books[i], at, entry);
	if (row != ACCOUNT_NONE)
		ledger->steps.table[row].entry = entry;
	accounts_remove(&ledger->accounts, at);
}

void book_end_account(struct ledger *ledger, uint32_t at, uint64_t t_ns)
{
	const struct account *account = &ledger->accounts.table[at];

	if (account->ended_ns)
		return;
	accounts_end(&ledger->accounts, at, t_ns);
	if (account->pod != POD_NONE)
		pods_end(&ledger->pods, account->pod, account->ended_ns);
}

/* A full table gives up its oldest ended account, whatever its age: the maximum wins. */
static uint32_t add_account(struct ledger *ledger, uint64_t cgroup_id, uint64_t t_ns)
{
	uint32_t at = accounts_add(&ledger->accounts, cgroup_id, t_ns);

	if (at != ACCOUNT_NONE || ledger->accounts.oldest == ACCOUNT_NONE)
		return at;
	book_fold_account(ledger, ledger->accounts.oldest);
	return accounts_add(&ledger->accounts, cgroup_id, t_ns);
}

/* A cgroup that runs matters more than one that only has a name. */
uint32_t book_add_running(struct ledger *ledger, uint64_t cgroup_id, uint64_t t_ns)
{
	uint32_t at = add_account(ledger, cgroup_id, t_ns), unused, pod;

	if (at != ACCOUNT_NONE)
		return at;
	unused = accounts_unused(&ledger->accounts);
	if (unused == ACCOUNT_NONE)
		return ACCOUNT_NONE;
	pod = ledger->accounts.table[unused].pod;
	if (pod != POD_NONE) {
		pods_end(&ledger->pods, pod, t_ns);
		pods_leave(&ledger->pods, pod);
	}
	accounts_remove(&ledger->accounts, unused);
	return accounts_add(&ledger->accounts, cgroup_id, t_ns);
}

/* What a row brings from now on is another account's; what it brought so far stays counted. */
static void move_row(struct ledger *ledger, uint32_t row, uint32_t at)
{
	if (at == ACCOUNT_NONE || row == ACCOUNT_NONE)
		return;
	ledger->steps.table[row].entry = at;
	ledger->accounts.table[at].row = row;
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
	if (row != ACCOUNT_NONE && ledger->steps.table[row].cgroup_id != cgroup_id)
		row = ACCOUNT_NONE;
	accounts_hide(accounts, before);
	at = add_account(ledger, cgroup_id, t_ns);
	move_row(ledger, row, at);
	return at;
}

/* Whose it is: a pod's uid, else the id of a container that is in none; "": nobody's. */
static const char *key_of(const struct name *name)
{
	return name->is.pod_uid[0] ? name->is.pod_uid : name->is.container_id;
}

static bool is_inner(const struct name *name)
{
	const char *last = strrchr(name->path, '/'), *id = name->is.container_id;

	return id[0] && last && !strstr(last, id) && strstr(name->path, id);
}

static void join_pod(struct ledger *ledger, uint32_t at, uint64_t t_ns)
{
	struct account *account = &ledger->accounts.table[at];
	struct account_link *link = &ledger->accounts.links[at];
	const struct name *name = account->name;

	link->overhead = name->is.class == PATH_POD;
	link->inner = is_inner(name);
	ledger->names_moved = true;
	ledger->summed = false;
	if (account->pod != POD_NONE || !key_of(name)[0])
		return;
	account->pod = book_pod(ledger, key_of(name), name->is.pod_uid[0] != 0, true, t_ns);
	if (account->pod != POD_NONE)
		pods_join(&ledger->pods, account->pod, account->born_ns, account->ended_ns);
}

static void name_account(struct ledger *ledger, uint32_t at, struct name *name, uint64_t t_ns)
{
	enum bucket from = ledger->accounts.table[at].bucket, to;

	accounts_name(&ledger->accounts, at, name);
	to = ledger->accounts.table[at].bucket;
	for (size_t i = 0; i < ledger->n_zones && from != to; i++)
		zone_book_rename(&ledger->books[i], &ledger->zones[i], at, from, to);
	ledger->accounts.table[at].pod_generation = 0;
	join_pod(ledger, at, t_ns);
}

/* The same cgroup is somebody else from now on. */
static void replace(struct ledger *ledger, uint32_t old, struct name *name, uint64_t t_ns)
{
	struct accounts *accounts = &ledger->accounts;
	uint64_t cgroup_id = accounts->table[old].cgroup_id;
	uint64_t active_ns = accounts->links[old].active_ns;
	uint32_t row = row_of(ledger, old), at;

	t_ns = MAX(MAX(t_ns, active_ns), accounts->table[old].born_ns);
	accounts_hide(accounts, old);
	book_end_account(ledger, old, t_ns);
	/* There is room: if need be, that of the old one. */
	at = add_account(ledger, cgroup_id, t_ns);
	if (at == ACCOUNT_NONE) {
		ledger->dropped++;
		return;
	}
	move_row(ledger, row, at);
	if (active_ns)
		accounts_touch(accounts, at, active_ns);
	name_account(ledger, at, name, t_ns);
}

void ledger_born(struct ledger *ledger, uint64_t cgroup_id, struct name *name, uint64_t t_ns)
{
	uint32_t at = add_born(ledger, cgroup_id, t_ns);
	const struct account *account;

	if (at == ACCOUNT_NONE)
		ledger->dropped++;
	if (at == ACCOUNT_NONE || !name)
		return;
	account = &ledger->accounts.table[at];
	/* Told again: it may be known better by now than its path says. */
	if (account->name && !strcmp(account->name->path, name->path))
		return;
	if (account->pod == POD_NONE ||
	    !strcmp(ledger->pods.table[account->pod].key, key_of(name))) {
		name_account(ledger, at, name, t_ns);
	} else if (!account->ended_ns) {
		/* A pod does not lose what it had. */
		replace(ledger, at, name, t_ns);
	}
}

void ledger_rename(struct ledger *ledger, uint64_t cgroup_id, struct name *name, uint64_t t_ns)
{
	uint32_t at = accounts_find(&ledger->accounts, cgroup_id);
	const struct account *account;

	if (at == ACCOUNT_NONE || !name)
		return;
	account = &ledger->accounts.table[at];
	if (account->ended_ns || (account->name && account->bucket == name->bucket &&
				  account->name->is.class == name->is.class))
		return;
	replace(ledger, at, name, t_ns);
}

void ledger_gone(struct ledger *ledger, uint64_t cgroup_id, uint64_t t_ns)
{
	uint32_t at = accounts_find(&ledger->accounts, cgroup_id);

	if (at != ACCOUNT_NONE)
		book_end_account(ledger, at, t_ns);
}
