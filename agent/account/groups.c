/* SPDX-License-Identifier: Apache-2.0 */
#include "account/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/scope.h"

struct link {
	uint64_t hash;
	uint32_t chain;         /* next group with the same hash */
	uint32_t before, after; /* of its kind, by newest addition; after: next free one */
	uint32_t turn;          /* how often it has made room */
};

/* The groups of one kind that have a name, in the order of their newest addition. */
struct kind {
	uint32_t n, oldest, newest;
	uint64_t folded;
};

struct groups {
	struct group *table; /* [capacity]; the first _GROUP_KIND_MAX have no name */
	struct link *links;
	uint32_t *heads;
	unsigned int shift;
	uint32_t max, n_seen, free;
	struct kind kinds[_GROUP_KIND_MAX];
};

const char *group_kind_name(enum group_kind kind)
{
	static const char *const names[_GROUP_KIND_MAX] = {
		[GROUP_NAMESPACE] = "namespace",
		[GROUP_WORKLOAD] = "workload",
		[GROUP_FUNCTION] = "function",
	};

	return (unsigned int)kind < _GROUP_KIND_MAX ? names[kind] : "?";
}

/* ---- keys -------------------------------------------------------------------------------------
 */

struct group_key *group_key_ref(struct group_key *key)
{
	if (key)
		atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
	return key;
}

void group_key_unref(struct group_key *key)
{
	if (key && atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) == 1)
		free(key);
}

static const char *text(const char *maybe)
{
	return maybe ? maybe : "";
}

static const char *put(char **to, const char *maybe)
{
	const char *from = text(maybe), *start = *to;
	size_t size = strlen(from) + 1;

	memcpy(*to, from, size);
	*to += size;
	return start;
}

static struct group_key *key_new(const struct group_key *like)
{
	size_t size = strlen(text(like->namespace)) + strlen(text(like->owner)) +
		      strlen(text(like->name)) + strlen(text(like->revision)) + 4;
	struct group_key *key = malloc(sizeof(*key) + size);
	char *to;

	if (!key)
		return NULL;
	to = (char *)(key + 1);
	atomic_init(&key->refs, 1);
	key->kind = like->kind;
	key->platform = like->platform;
	key->derived = like->derived;
	key->namespace = put(&to, like->namespace);
	key->owner = put(&to, like->owner);
	key->name = put(&to, like->name);
	key->revision = put(&to, like->revision);
	return key;
}

static uint64_t mix(uint64_t hash, const char *maybe)
{
	for (const char *c = text(maybe); *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3ull;
	/* "ab", "c" is not "a", "bc". */
	return (hash ^ 0xff) * 0x100000001b3ull;
}

/* Where the name of a workload is from is no part of who it is. */
static uint64_t hash_of(const struct group_key *key)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ ((uint64_t)key->kind << 8) ^ key->platform;

	hash = mix(hash, key->namespace);
	hash = mix(hash, key->owner);
	hash = mix(hash, key->name);
	hash = mix(hash, key->revision);
	return hash * 0x9e3779b97f4a7c15ull;
}

static bool same(const struct group_key *a, const struct group_key *b)
{
	return a->kind == b->kind && a->platform == b->platform &&
	       !strcmp(text(a->name), text(b->name)) &&
	       !strcmp(text(a->namespace), text(b->namespace)) &&
	       !strcmp(text(a->owner), text(b->owner)) &&
	       !strcmp(text(a->revision), text(b->revision));
}

static bool has_name(const struct group_key *key)
{
	return key->platform != FUNCTION_NONE || text(key->namespace)[0] || text(key->owner)[0] ||
	       text(key->name)[0] || text(key->revision)[0];
}

/* ---- the table --------------------------------------------------------------------------------
 */

void groups_free(struct groups *groups)
{
	if (!groups)
		return;
	for (uint32_t i = 0; groups->table && i < groups->n_seen; i++)
		group_key_unref(groups->table[i].key);
	free(groups->table);
	free(groups->links);
	free(groups->heads);
	free(groups);
}

static void groups_freep(struct groups **groups)
{
	groups_free(*groups);
}

int groups_new(uint32_t max, struct groups **ret)
{
	_cleanup_(groups_freep) struct groups *groups = calloc(1, sizeof(*groups));
	uint32_t n_heads = 16, capacity;

	if (!groups || max > UINT32_MAX / 16)
		return -ENOMEM;
	capacity = _GROUP_KIND_MAX * (max + 1);
	groups->max = max;
	groups->free = GROUP_NONE;
	for (groups->shift = 60; n_heads < capacity; n_heads *= 2)
		groups->shift--;
	groups->table = calloc(capacity, sizeof(*groups->table));
	groups->links = calloc(capacity, sizeof(*groups->links));
	groups->heads = malloc(n_heads * sizeof(*groups->heads));
	if (!groups->table || !groups->links || !groups->heads)
		return -ENOMEM;
	memset(groups->heads, 0xff, n_heads * sizeof(*groups->heads));
	for (; groups->n_seen < _GROUP_KIND_MAX; groups->n_seen++) {
		struct group_key like = { .kind = (enum group_kind)groups->n_seen };

		groups->table[groups->n_seen].key = key_new(&like);
		if (!groups->table[groups->n_seen].key)
			return -ENOMEM;
		groups->kinds[groups->n_seen] =
			(struct kind){ .oldest = GROUP_NONE, .newest = GROUP_NONE };
	}
	*ret = TAKE_PTR(groups);
	return 0;
}

static void unqueue(struct groups *groups, struct kind *kind, uint32_t at)
{
	const struct link *link = &groups->links[at];

	*(link->before != GROUP_NONE ? &groups->links[link->before].after : &kind->oldest) =
		link->after;
	*(link->after != GROUP_NONE ? &groups->links[link->after].before : &kind->newest) =
		link->before;
}

static void queue(struct groups *groups, struct kind *kind, uint32_t at)
{
	groups->links[at].before = kind->newest;
	groups->links[at].after = GROUP_NONE;
	*(kind->newest != GROUP_NONE ? &groups->links[kind->newest].after : &kind->oldest) = at;
	kind->newest = at;
}

/* What has not been active longest makes room; nothing of what it had is lost. */
static void fold_oldest(struct groups *groups, enum group_kind of)
{
	struct kind *kind = &groups->kinds[of];
	uint32_t at = kind->oldest;
	struct group *group = &groups->table[at], *rest = &groups->table[of];
	uint32_t *head = &groups->heads[groups->links[at].hash >> groups->shift];

	tally_add(&rest->total, &group->total);
	tally_add(&rest->overhead, &group->overhead);
	tally_add(&rest->cold, &group->cold);
	rest->pods += group->pods;
	rest->cold_starts += group->cold_starts;
	rest->active_ns = MAX(rest->active_ns, group->active_ns);

	while (*head != at)
		head = &groups->links[*head].chain;
	*head = groups->links[at].chain;
	unqueue(groups, kind, at);
	kind->n--;
	kind->folded++;
	group_key_unref(group->key);
	*group = (struct group){ 0 };
	groups->links[at] =
		(struct link){ .after = groups->free, .turn = groups->links[at].turn + 1 };
	groups->free = at;
}

static uint32_t add(struct groups *groups, const struct group_key *like, uint64_t hash,
		    uint64_t t_ns)
{
	struct kind *kind = &groups->kinds[like->kind];
	uint32_t *head = &groups->heads[hash >> groups->shift], at;
	struct group_key *key = groups->max ? key_new(like) : NULL;

	if (!key)
		return GROUP_NONE;
	if (kind->n >= groups->max)
		fold_oldest(groups, like->kind);
	at = groups->free;
	if (at != GROUP_NONE)
		groups->free = groups->links[at].after;
	else
		at = groups->n_seen++;
	groups->table[at] = (struct group){ .key = key, .born_ns = t_ns };
	groups->links[at].hash = hash;
	groups->links[at].chain = *head;
	*head = at;
	queue(groups, kind, at);
	kind->n++;
	return at;
}

static struct group *touch(struct groups *groups, uint32_t at, uint64_t t_ns)
{
	struct group *group = &groups->table[at];
	struct kind *kind = &groups->kinds[group->key->kind];

	if (at >= _GROUP_KIND_MAX && at != kind->newest) {
		unqueue(groups, kind, at);
		queue(groups, kind, at);
	}
	group->active_ns = t_ns;
	return group;
}

/* The name that was guessed turned out to be the real one.  Snapshots keep the old key. */
static void confirm(struct group *group, const struct group_key *like)
{
	struct group_key *key;

	if (!group->key->derived || like->derived)
		return;
	key = key_new(like);
	if (!key)
		return;
	group_key_unref(group->key);
	group->key = key;
}

struct group *groups_get(struct groups *groups, const struct group_key *like, uint64_t t_ns)
{
	uint64_t hash = hash_of(like);
	uint32_t at = groups->heads[hash >> groups->shift];

	while (at != GROUP_NONE &&
	       (groups->links[at].hash != hash || !same(groups->table[at].key, like)))
		at = groups->links[at].chain;
	if (at != GROUP_NONE)
		confirm(&groups->table[at], like);
	else if (has_name(like))
		at = add(groups, like, hash, t_ns);
	return touch(groups, at != GROUP_NONE ? at : like->kind, t_ns);
}

struct group_ticket groups_ticket(const struct groups *groups, const struct group *group)
{
	struct group_ticket ticket = { .at = (uint32_t)(group - groups->table) };

	ticket.turn = groups->links[ticket.at].turn;
	if (ticket.at < _GROUP_KIND_MAX)
		ticket.at = GROUP_NONE;
	return ticket;
}

struct group *groups_again(struct groups *groups, struct group_ticket ticket, uint64_t t_ns)
{
	if (ticket.at < _GROUP_KIND_MAX || ticket.at >= groups->n_seen ||
	    groups->links[ticket.at].turn != ticket.turn || !groups->table[ticket.at].key)
		return NULL;
	return touch(groups, ticket.at, t_ns);
}

const struct group *groups_all(const struct groups *groups, size_t *ret_n)
{
	*ret_n = groups->n_seen;
	return groups->table;
}

uint64_t groups_folded(const struct groups *groups, enum group_kind kind)
{
	return groups->kinds[kind].folded;
}
