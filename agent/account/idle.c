/* SPDX-License-Identifier: Apache-2.0 */
/* Static energy, shared out to the containers of running pods in an account of its own. */
#include <errno.h>
#include <stdlib.h>

#include "account/attribute.h"
#include "account/book.h"
#include "platform/scope.h"

/* A pod's weight with IDLE_EQUALLY: its containers share it in whole numbers. */
#define POD_WEIGHT (1ull << 32)

int idle_book_init(struct idle_book *idle, uint32_t capacity)
{
	idle->at = calloc(capacity, sizeof(*idle->at));
	idle->weight = calloc(capacity, sizeof(*idle->weight));
	return idle->at && idle->weight ? 0 : -ENOMEM;
}

void idle_book_free(struct idle_book *idle)
{
	free(idle->at);
	free(idle->weight);
	*idle = (struct idle_book){ 0 };
}

/* What has come since the last time.  False: nothing. */
static bool take_new(struct ledger *ledger, nj_t ret_nj[_COLUMN_MAX])
{
	nj_t now_nj[_COLUMN_MAX] = { 0 }, any = 0;

	for (size_t i = 0; i < ledger->n_zones; i++)
		if (ledger->zones[i].split && ledger->zones[i].column >= 0)
			now_nj[ledger->zones[i].column] += ledger->zones[i].bucket_nj[BUCKET_IDLE];
	for (int i = 0; i < _COLUMN_MAX; i++) {
		ret_nj[i] = now_nj[i] - ledger->idle.seen_nj[i];
		ledger->idle.seen_nj[i] = now_nj[i];
		any |= ret_nj[i];
	}
	return any != 0;
}

/* A container that runs in a pod, not a cgroup within one, not what holds the pod together. */
static bool shares(const struct ledger *ledger, uint32_t at)
{
	const struct account *account = &ledger->accounts.table[at];
	const struct pod_entry *entry;
	const struct pod *facts;

	if (account->pod == POD_NONE || account->ended_ns || account->sandbox ||
	    ledger->accounts.links[at].inner || account->name->is.class == PATH_POD)
		return false;
	if (account->bucket != BUCKET_CONTAINERS && account->bucket != BUCKET_VMS)
		return false;
	entry = &ledger->pods.table[account->pod];
	facts = pod_entry_facts(entry);
	return entry->is_pod && !(facts && facts->ended);
}

static uint64_t weight_of(const struct ledger *ledger, uint32_t at)
{
	const struct account *account = &ledger->accounts.table[at];

	if (ledger->config.idle == IDLE_EQUALLY)
		return MAX(POD_WEIGHT / ledger->pods.table[account->pod].sharing, 1u);
	return account->container ? account->container->cpu_milli : 0;
}

static size_t find_sharers(struct ledger *ledger)
{
	struct idle_book *idle = &ledger->idle;
	size_t n = 0;

	for (uint32_t i = 0; i < ledger->pods.n_seen; i++)
		ledger->pods.table[i].sharing = 0;
	for (uint32_t i = _OWNER_FIXED; i < ledger->accounts.n_seen; i++) {
		if (!shares(ledger, i))
			continue;
		ledger->pods.table[ledger->accounts.table[i].pod].sharing++;
		idle->at[n++] = i;
	}
	for (size_t i = 0; i < n; i++)
		idle->weight[i] = weight_of(ledger, idle->at[i]);
	return n;
}

void book_share_idle(struct ledger *ledger)
{
	const struct idle_book *idle = &ledger->idle;
	nj_t new_nj[_COLUMN_MAX];
	size_t n;

	if (ledger->config.idle == IDLE_NOT_SHARED || !take_new(ledger, new_nj))
		return;
	n = find_sharers(ledger);
	for (int column = 0; column < _COLUMN_MAX; column++) {
		while (new_nj[column]) {
			uint64_t part_nj = (uint64_t)MIN(new_nj[column], (nj_t)UINT64_MAX);

			attribute(part_nj, idle->weight, n, ledger->scratch);
			for (size_t i = 0; i < n; i++)
				ledger->accounts.table[idle->at[i]].idle_nj[column] +=
					ledger->scratch[i];
			new_nj[column] -= part_nj;
		}
	}
}
