/* SPDX-License-Identifier: Apache-2.0 */
/* Containers find their names in the facts of their pods, and sandboxes by having none. */
#include <string.h>

#include "account/book.h"
#include "platform/scope.h"

static bool is_container(const struct account *account)
{
	return account->name && account->name->is.class == PATH_CONTAINER;
}

static const struct pod_container *look_up(const struct pod_entry *entry, const char *id)
{
	const struct pod_container *found = NULL;

	for (int i = 0; i < _POD_SOURCE_MAX && !found && id[0]; i++)
		found = pod_container(entry->facts[i], id);
	return found;
}

static bool is_overhead(const struct pod_entry *entry, const struct pod_container *container)
{
	return container->role == CONTAINER_SANDBOX ||
	       (pod_entry_facts(entry)->function.platform == FUNCTION_KNATIVE &&
		!strcmp(container->name, "queue-proxy"));
}

/* Facts may forget a container that has started too often; what it was, it stays.  True: its pod
 * may tell who it is. */
static bool resolve(struct ledger *ledger, uint32_t at)
{
	struct account *account = &ledger->accounts.table[at];
	struct account_link *link = &ledger->accounts.links[at];
	const struct pod_entry *entry = &ledger->pods.table[account->pod];
	const struct pod *api = entry->facts[POD_FROM_API];
	const struct name *name = account->name;

	account->pod_generation = entry->generation;
	account->container = look_up(entry, name->is.container_id);
	if (!account->container) {
		/* A container within a container of the pod is part of that one. */
		account->container = look_up(entry, name->is.node_container);
		link->inner |= account->container != NULL;
	}
	if (account->container) {
		account->sandbox = account->container->role == CONTAINER_SANDBOX;
		link->named = !account->sandbox;
		link->overhead = is_overhead(entry, account->container);
		return false;
	}
	if (!entry->is_pod || !api || !api->all_started || !is_container(account) ||
	    account->sandbox || link->named || link->inner)
		return false;
	ledger->guesses[account->pod].open = true;
	return true;
}

/* What one account says about who the pause container of its pod is. */
static void weigh(struct ledger *ledger, uint32_t at)
{
	const struct account *account = &ledger->accounts.table[at];
	const struct account_link *link = &ledger->accounts.links[at];
	struct guess *guess;
	uint64_t born_ns = MAX(account->born_ns, 1u);

	if (account->pod == POD_NONE || !is_container(account) || link->inner)
		return;
	guess = &ledger->guesses[account->pod];
	if (!guess->open)
		return;
	if (account->sandbox) {
		guess->taken |= !account->ended_ns;
	} else if (link->named) {
		if (!guess->named_ns || born_ns < guess->named_ns)
			guess->named_ns = born_ns;
	} else if (!guess->born_ns || born_ns < guess->born_ns) {
		guess->born_ns = born_ns;
		guess->at = at;
		guess->tie = false;
	} else if (born_ns == guess->born_ns) {
		guess->tie = true;
	}
}

/* Every container of the spec has an id, and the oldest of the pod is none of them: it is the one
 * that holds the others' namespaces. */
static void decide(struct ledger *ledger, uint32_t pod)
{
	struct guess guess = ledger->guesses[pod];

	ledger->guesses[pod] = (struct guess){ 0 };
	if (!guess.open || guess.taken || guess.tie || !guess.born_ns || !guess.named_ns ||
	    guess.born_ns > guess.named_ns || guess.born_ns > ledger->pods.table[pod].api_ns)
		return;
	ledger->accounts.table[guess.at].sandbox = true;
	ledger->accounts.links[guess.at].overhead = true;
}

/* Somebody else may know it; each is asked for once. */
static void count_unnamed(struct ledger *ledger, uint32_t at)
{
	const struct account *account = &ledger->accounts.table[at];
	struct account_link *link = &ledger->accounts.links[at];

	if (account->pod == POD_NONE || link->met || !is_container(account))
		return;
	link->met = true;
	ledger->unnamed += !account->container && !account->sandbox;
}

void book_resolve(struct ledger *ledger)
{
	const struct accounts *accounts = &ledger->accounts;
	const struct account *table = accounts->table;
	bool guessing = false;

	ledger->unnamed = 0;
	if (!ledger->names_moved)
		return;
	ledger->names_moved = false;
	ledger->summed = false;
	for (uint32_t i = _OWNER_FIXED; i < accounts->n_seen; i++)
		if (table[i].pod != POD_NONE &&
		    table[i].pod_generation != ledger->pods.table[table[i].pod].generation)
			guessing |= resolve(ledger, i);
	for (uint32_t i = _OWNER_FIXED; guessing && i < accounts->n_seen; i++)
		weigh(ledger, i);
	for (uint32_t i = 0; guessing && i < ledger->pods.n_seen; i++)
		decide(ledger, i);
	for (uint32_t i = _OWNER_FIXED; i < accounts->n_seen; i++)
		count_unnamed(ledger, i);
}
