/* SPDX-License-Identifier: Apache-2.0 */
/* Once per publish: pods get what their accounts have, and groups what came since. */
#include "account/book.h"
#include "platform/scope.h"

/* Nobody is waited for longer: a server that has gone must not hold up what it will never read. */
#define HOLD_NS (150 * 1000000000ull)

void book_sum(struct ledger *ledger)
{
	struct pods *pods = &ledger->pods;
	const struct accounts *accounts = &ledger->accounts;

	if (ledger->summed)
		return;
	ledger->summed = true;
	for (uint32_t i = 0; i < pods->n_seen; i++) {
		struct pod_entry *entry = &pods->table[i];

		if (!entry->born_ns)
			continue;
		entry->total = entry->folded;
		entry->overhead = entry->folded_overhead;
	}
	for (uint32_t i = _OWNER_FIXED; i < accounts->n_seen; i++) {
		const struct account *account = &accounts->table[i];
		struct tally tally;

		if (account->pod == POD_NONE)
			continue;
		tally = tally_of(account);
		tally_add(&pods->table[account->pod].total, &tally);
		if (accounts->links[i].overhead)
			tally_add(&pods->table[account->pod].overhead, &tally);
	}
}

/* Part of what a group has, and never more than that: an owner that changed took its past along. */
static void add_part(struct tally *part, const struct tally *whole, const struct tally *more)
{
	struct tally sum = *part;

	tally_add(&sum, more);
	for (int i = 0; i < _COLUMN_MAX; i++)
		part->nj[i] = MIN(sum.nj[i], whole->nj[i]);
	part->busy_ns = MIN(sum.busy_ns, whole->busy_ns);
}

/* Its strings are only looked up when the facts have changed. */
static struct group *group_of(struct ledger *ledger, struct pod_entry *entry,
			      const struct group_key *to, uint64_t t_ns)
{
	struct group *group = groups_again(ledger->groups, entry->ticket[to->kind], t_ns);

	if (group)
		return group;
	group = groups_get(ledger->groups, to, t_ns);
	entry->ticket[to->kind] = groups_ticket(ledger->groups, group);
	return group;
}

/*
 * A series that is born with a value has not increased, for those who read it again and again: a
 * new group shows 0 until all of them have seen that.
 */
static bool is_held(const struct ledger *ledger, const struct group *group, uint64_t t_ns)
{
	return ledger->once_ns != UINT64_MAX && group->born_ns > ledger->once_ns &&
	       t_ns - MIN(t_ns, group->born_ns) < HOLD_NS;
}

static bool has_group(const struct pod_entry *entry, enum group_kind kind)
{
	return entry->ticket[kind].at >= _GROUP_KIND_MAX;
}

/* What was given to a group once stays there, whoever the owner is now. */
static void give(struct ledger *ledger, struct pod_entry *entry, const struct group_key *to,
		 bool final, uint64_t t_ns)
{
	struct tally *given = &entry->in_group[to->kind];
	struct tally more = tally_less(&entry->total, given);
	struct group *group;

	if (tally_is_zero(&more) && has_group(entry, to->kind))
		return;
	group = group_of(ledger, entry, to, t_ns);
	if (!final && is_held(ledger, group, t_ns))
		return;
	tally_add(given, &more);
	tally_add(&group->total, &more);
}

static void give_namespace(struct ledger *ledger, struct pod_entry *entry, bool final,
			   uint64_t t_ns)
{
	const struct pod *facts = entry->is_pod ? pod_entry_facts(entry) : NULL;
	struct group_key to = { .kind = GROUP_NAMESPACE, .namespace = "" };

	if (facts)
		to.namespace = facts->namespace;
	else if (entry->is_pod && ledger->any && !final)
		return;
	give(ledger, entry, &to, final, t_ns);
}

/* Only the API server knows an owner; what a pod's name says is the next best. */
static void give_workload(struct ledger *ledger, struct pod_entry *entry, bool final, uint64_t t_ns)
{
	const struct pod *facts = pod_entry_facts(entry);
	bool told = entry->facts[POD_FROM_API] != NULL;
	struct group_key to = { .kind = GROUP_WORKLOAD };

	if (!entry->is_pod || (!told && !final && (!facts || ledger->api)))
		return;
	if (facts) {
		to.derived = facts->workload.derived;
		to.namespace = facts->namespace;
		to.owner = facts->workload.kind;
		to.name = facts->workload.name;
	}
	give(ledger, entry, &to, final, t_ns);
}

static void give_function(struct ledger *ledger, struct pod_entry *entry, bool final, uint64_t t_ns)
{
	const struct pod *facts = pod_entry_facts(entry);
	struct tally more = tally_less(&entry->total, &entry->in_group[GROUP_FUNCTION]);
	struct tally over = tally_less(&entry->overhead, &entry->overhead_in_function);
	struct group_key to = { .kind = GROUP_FUNCTION };
	struct group *group;

	if (!facts || facts->function.platform == FUNCTION_NONE)
		return;
	if (has_group(entry, GROUP_FUNCTION) && entry->counted && !entry->cold_due &&
	    tally_is_zero(&more) && tally_is_zero(&over))
		return;
	to.platform = facts->function.platform;
	to.namespace = facts->function.namespace;
	to.name = facts->function.name;
	to.revision = facts->function.revision;
	group = group_of(ledger, entry, &to, t_ns);
	if (!entry->born_ns || (!final && is_held(ledger, group, t_ns)))
		return;

	tally_add(&group->total, &more);
	tally_add(&entry->in_group[GROUP_FUNCTION], &more);
	add_part(&group->overhead, &group->total, &over);
	tally_add(&entry->overhead_in_function, &over);
	group->pods += !entry->counted;
	entry->counted = true;
	if (!entry->cold_due)
		return;
	add_part(&group->cold, &group->total, &entry->cold);
	group->cold_starts++;
	entry->cold_due = false;
}

void book_settle(struct ledger *ledger, struct pod_entry *entry, bool final, uint64_t t_ns)
{
	/* Nothing came yet: what has a name shows its 0.  Without one there is nothing to show. */
	if (!entry->born_ns && !pod_entry_facts(entry))
		return;
	give_namespace(ledger, entry, final, t_ns);
	give_workload(ledger, entry, final, t_ns);
	give_function(ledger, entry, final, t_ns);
}

/* A row that moved after its account was folded: the pod may be gone, its containers' bucket has
 * it, so the namespaces get it as well. */
static void give_late(struct ledger *ledger, uint64_t t_ns)
{
	const struct group_key to = { .kind = GROUP_NAMESPACE };
	const struct folded *folded = &ledger->folded[BUCKET_CONTAINERS];
	struct tally late = { .busy_ns = folded->usage.busy_ns }, more;

	for (int i = 0; i < _COLUMN_MAX; i++)
		late.nj[i] = folded->nj[i];
	late = tally_less(&late, &ledger->passed);
	more = tally_less(&late, &ledger->late);
	if (tally_is_zero(&more))
		return;
	tally_add(&ledger->late, &more);
	tally_add(&groups_get(ledger->groups, &to, t_ns)->total, &more);
}

void ledger_roll(struct ledger *ledger, bool any, bool api, uint64_t t_ns)
{
	ledger->any = any;
	ledger->api = api;
	book_resolve(ledger);
	book_sum(ledger);
	for (uint32_t i = 0; i < ledger->pods.n_seen; i++)
		book_settle(ledger, &ledger->pods.table[i], false, t_ns);
	give_late(ledger, t_ns);
	book_share_idle(ledger);
}
