/* SPDX-License-Identifier: Apache-2.0 */
/* What has ended makes room: accounts for their pod and bucket, pods for their groups. */
#include <string.h>

#include "account/book.h"
#include "platform/scope.h"

/* ---- pods -------------------------------------------------------------------------------------
 */

static const struct pod_entry *entry_at(const struct ledger *ledger, uint32_t at)
{
	return &ledger->pods.table[at];
}

/* Facts are only of what was: the pod has ended, or its source does not have it any more. */
static bool is_past(const struct pod_entry *entry, int source)
{
	return !entry->facts[source] || entry->gone[source] || entry->facts[source]->ended;
}

/* All that an entry without accounts has goes to its groups.  What is known of a pod that has not
 * ended waits for its next cgroup, unless its place is needed. */
static void drop_pod(struct ledger *ledger, uint32_t at, bool keep_facts, uint64_t t_ns)
{
	struct pods *pods = &ledger->pods;
	struct pod_entry *entry = &pods->table[at];

	entry->total = entry->folded;
	entry->overhead = entry->folded_overhead;
	book_settle(ledger, entry, true, t_ns);
	ledger->folded_pods += entry->is_pod;
	for (int i = 0; i < _POD_SOURCE_MAX; i++) {
		if (!is_past(entry, i) && !keep_facts)
			ledger->dropped_pods++;
		if (is_past(entry, i) || !keep_facts)
			pods_set_facts(pods, at, (enum pod_source)i, NULL);
	}
	if (pod_entry_facts(entry))
		pods_reset(pods, at);
	else
		pods_remove(pods, at);
}

/* The oldest that ended goes first, then one that is only known by name. */
static bool make_room(struct ledger *ledger, bool for_cgroup, uint64_t t_ns)
{
	struct pods *pods = &ledger->pods;
	uint32_t at = pods->oldest;

	while (at != POD_NONE && entry_at(ledger, at)->n_accounts)
		at = entry_at(ledger, at)->after;
	if (at != POD_NONE) {
		drop_pod(ledger, at, false, t_ns);
		return true;
	}
	at = for_cgroup ? pods_waiting(pods) : POD_NONE;
	if (at == POD_NONE)
		return false;
	ledger->dropped_pods++;
	pods_remove(pods, at);
	return true;
}

uint32_t book_pod(struct ledger *ledger, const char *key, bool is_pod, bool for_cgroup,
		  uint64_t t_ns)
{
	uint32_t at = pods_find(&ledger->pods, key);

	if (at == POD_NONE) {
		at = pods_add(&ledger->pods, key, is_pod);
		if (at == POD_NONE && make_room(ledger, for_cgroup, t_ns))
			at = pods_add(&ledger->pods, key, is_pod);
	}
	/* A path knows what a key is. */
	if (at != POD_NONE && for_cgroup && !entry_at(ledger, at)->born_ns)
		ledger->pods.table[at].is_pod = is_pod;
	return at;
}

/* ---- the rules --------------------------------------------------------------------------------
 */

static uint64_t age_of(uint64_t ended_ns, uint64_t t_ns)
{
	return t_ns > ended_ns ? t_ns - ended_ns : 0;
}

/* Between its least and its longest time something stays until every scraper has seen its end;
 * where nobody scrapes, while there is room. */
static bool may_go(const struct ledger *ledger, uint64_t ended_ns, uint64_t named_ns, uint64_t t_ns,
		   bool crowded)
{
	/* A name that came after the end begins other series: they have their time as well. */
	uint64_t shown_ns = MAX(ended_ns, named_ns);
	bool seen = ledger->twice_ns != UINT64_MAX && shown_ns < ledger->twice_ns;

	return age_of(ended_ns, t_ns) >= ledger->config.keep_max_ns ||
	       (age_of(shown_ns, t_ns) >= ledger->config.keep_min_ns && (seen || crowded));
}

/* Its name is still to come, or its owner and function, which the node's files do not know. */
static bool may_be_named(const struct ledger *ledger, const struct pod_entry *entry)
{
	if (!ledger->any || !entry->is_pod)
		return false;
	return !pod_entry_facts(entry) || (ledger->api && !entry->facts[POD_FROM_API]);
}

/* An ended pod that waits for a name does so whoever has seen it, but not for ever. */
static void fold_pod(struct ledger *ledger, uint32_t at, uint64_t t_ns)
{
	struct pods *pods = &ledger->pods;
	const struct pod_entry *entry = entry_at(ledger, at);
	bool beyond = pods->n_ended - pods->n_hidden > ledger->config.tombstones;
	bool crowded = pods->capacity - pods->n_used < pods->capacity / 8;
	bool waits = may_be_named(ledger, entry) &&
		     age_of(entry->ended_ns, t_ns) < ledger->config.keep_max_ns;

	if (!entry->hidden && !beyond &&
	    !may_go(ledger, entry->ended_ns, entry->api_ns, t_ns, crowded))
		return;
	if (waits)
		pods_hide(pods, at);
	else
		drop_pod(ledger, at, true, t_ns);
}

static void fold_pods(struct ledger *ledger, uint64_t t_ns)
{
	uint32_t next;

	for (uint32_t at = ledger->pods.oldest; at != POD_NONE; at = next) {
		next = entry_at(ledger, at)->after;
		if (!entry_at(ledger, at)->n_accounts)
			fold_pod(ledger, at, t_ns);
	}
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
			book_end_account(ledger, i, t_ns);
	}
}

/* One without a name waits for it: its series should bear it for a while, too. */
static bool account_may_go(const struct ledger *ledger, const struct account *account,
			   uint64_t t_ns)
{
	bool crowded = ledger->accounts.n_free < ledger->accounts.capacity / 8;
	const struct pod_entry *entry;

	if (account->pod == POD_NONE)
		return may_go(ledger, account->ended_ns, 0, t_ns, crowded);
	entry = &ledger->pods.table[account->pod];
	if (!crowded && may_be_named(ledger, entry) &&
	    age_of(account->ended_ns, t_ns) < ledger->config.keep_max_ns)
		return false;
	return may_go(ledger, account->ended_ns, entry->api_ns, t_ns, crowded);
}

void ledger_fold(struct ledger *ledger, uint64_t t_ns)
{
	struct accounts *accounts = &ledger->accounts;

	end_nameless(ledger, t_ns);
	while (accounts->oldest != ACCOUNT_NONE) {
		const struct account *oldest = &accounts->table[accounts->oldest];

		if (accounts->n_ended <= ledger->config.tombstones &&
		    !account_may_go(ledger, oldest, t_ns))
			break;
		book_fold_account(ledger, accounts->oldest);
	}
	fold_pods(ledger, t_ns);
}

void ledger_scraped(struct ledger *ledger, uint64_t twice_ns, uint64_t once_ns)
{
	ledger->twice_ns = twice_ns;
	ledger->once_ns = once_ns;
}
