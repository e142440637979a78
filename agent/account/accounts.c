/* SPDX-License-Identifier: Apache-2.0 */
#include "account/accounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const enum bucket bucket_of_owner[_OWNER_FIXED] = {
	[OWNER_IDLE] = BUCKET_IDLE,     [OWNER_OVERFLOW] = BUCKET_UNATTRIBUTED,
	[OWNER_KERNEL] = BUCKET_KERNEL, [OWNER_STEAL] = BUCKET_STEAL,
	[OWNER_IRQ] = BUCKET_KERNEL,
};

static uint32_t *head_of(const struct accounts *accounts, uint64_t cgroup_id)
{
	/* Ids are inode numbers, often in a row: Fibonacci hashing spreads those. */
	return &accounts->heads[(cgroup_id * 0x9e3779b97f4a7c15ull) >> accounts->shift];
}

int accounts_init(struct accounts *accounts, uint32_t max_cgroups)
{
	uint32_t n_heads = 16;

	*accounts = (struct accounts){ .free = ACCOUNT_NONE,
				       .oldest = ACCOUNT_NONE,
				       .newest = ACCOUNT_NONE,
				       .shift = 60,
				       .n_seen = _OWNER_FIXED,
				       .hand = _OWNER_FIXED };
	if (max_cgroups > UINT32_MAX / 4)
		return -ENOMEM;
	accounts->capacity = max_cgroups + _OWNER_FIXED;
	accounts->n_free = max_cgroups;
	while (n_heads < accounts->capacity) {
		n_heads *= 2;
		accounts->shift--;
	}
	accounts->table = calloc(accounts->capacity, sizeof(*accounts->table));
	accounts->links = calloc(accounts->capacity, sizeof(*accounts->links));
	accounts->heads = malloc(n_heads * sizeof(*accounts->heads));
	if (!accounts->table || !accounts->links || !accounts->heads)
		return -ENOMEM;
	memset(accounts->heads, 0xff, n_heads * sizeof(*accounts->heads));
	for (uint32_t i = 0; i < _OWNER_FIXED; i++) {
		accounts->table[i].bucket = bucket_of_owner[i];
		accounts->table[i].row = i;
		accounts->table[i].pod = POD_NONE;
	}
	return 0;
}

void accounts_free(struct accounts *accounts)
{
	for (uint32_t i = 0; accounts->table && i < accounts->n_seen; i++)
		name_unref(accounts->table[i].name);
	free(accounts->table);
	free(accounts->links);
	free(accounts->heads);
	*accounts = (struct accounts){ 0 };
}

uint32_t accounts_find(const struct accounts *accounts, uint64_t cgroup_id)
{
	uint32_t at = *head_of(accounts, cgroup_id);

	while (at != ACCOUNT_NONE && accounts->table[at].cgroup_id != cgroup_id)
		at = accounts->links[at].chain;
	return at;
}

uint32_t accounts_add(struct accounts *accounts, uint64_t cgroup_id, uint64_t t_ns)
{
	uint32_t *head = head_of(accounts, cgroup_id), at = accounts->free;

	if (at != ACCOUNT_NONE)
		accounts->free = accounts->links[at].after;
	else if (accounts->n_seen < accounts->capacity)
		at = accounts->n_seen++;
	else
		return ACCOUNT_NONE;
	accounts->n_free--;
	accounts->n_unnamed++;
	accounts->table[at] = (struct account){ .cgroup_id = cgroup_id,
						.bucket = BUCKET_SYSTEM,
						.row = ACCOUNT_NONE,
						.born_ns = t_ns,
						.pod = POD_NONE };
	accounts->links[at] = (struct account_link){ .chain = *head, .after = ACCOUNT_NONE };
	*head = at;
	return at;
}

void accounts_hide(struct accounts *accounts, uint32_t at)
{
	uint32_t *link = head_of(accounts, accounts->table[at].cgroup_id);

	while (*link != ACCOUNT_NONE && *link != at)
		link = &accounts->links[*link].chain;
	if (*link == at)
		*link = accounts->links[at].chain;
}

/* What the two counters of live accounts count. */
static void count(struct accounts *accounts, uint32_t at, int by)
{
	const struct account *account = &accounts->table[at];

	if (account->ended_ns)
		return;
	if (!account->name)
		accounts->n_unnamed += (uint32_t)by;
	else if (!accounts->links[at].active_ns)
		accounts->n_unused += (uint32_t)by;
}

void accounts_remove(struct accounts *accounts, uint32_t at)
{
	struct account *account = &accounts->table[at];

	accounts_hide(accounts, at);
	count(accounts, at, -1);
	if (account->ended_ns) {
		accounts->oldest = accounts->links[at].after;
		if (accounts->oldest == ACCOUNT_NONE)
			accounts->newest = ACCOUNT_NONE;
		accounts->n_ended--;
	}
	name_unref(account->name);
	*account = (struct account){ .row = ACCOUNT_NONE, .pod = POD_NONE };
	accounts->links[at] = (struct account_link){ .after = accounts->free };
	accounts->free = at;
	accounts->n_free++;
}

void accounts_end(struct accounts *accounts, uint32_t at, uint64_t t_ns)
{
	if (accounts->table[at].ended_ns)
		return;
	count(accounts, at, -1);
	accounts->table[at].ended_ns = t_ns ? t_ns : 1;
	if (accounts->newest != ACCOUNT_NONE)
		accounts->links[accounts->newest].after = at;
	else
		accounts->oldest = at;
	accounts->newest = at;
	accounts->n_ended++;
}

void accounts_name(struct accounts *accounts, uint32_t at, struct name *name)
{
	struct account *account = &accounts->table[at];
	struct name *before = account->name;

	count(accounts, at, -1);
	account->name = name_ref(name);
	account->bucket = name ? name->bucket : BUCKET_SYSTEM;
	count(accounts, at, 1);
	name_unref(before);
}

void accounts_touch(struct accounts *accounts, uint32_t at, uint64_t t_ns)
{
	struct account_link *link = &accounts->links[at];

	if (!link->active_ns && at >= _OWNER_FIXED) {
		count(accounts, at, -1);
		link->active_ns = 1;
		count(accounts, at, 1);
	}
	link->active_ns = t_ns ? t_ns : 1;
}

uint32_t accounts_unused(struct accounts *accounts)
{
	if (!accounts->n_unused)
		return ACCOUNT_NONE;
	for (uint32_t i = _OWNER_FIXED; i < accounts->capacity; i++) {
		const struct account *account;

		if (++accounts->hand >= accounts->n_seen)
			accounts->hand = _OWNER_FIXED;
		account = &accounts->table[accounts->hand];
		if (account->cgroup_id && account->name && !account->ended_ns &&
		    !accounts->links[accounts->hand].active_ns)
			return accounts->hand;
	}
	return ACCOUNT_NONE;
}
