/* SPDX-License-Identifier: Apache-2.0 */
#include "names/kube_known.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "platform/scope.h"

#define MIN_BUCKETS 64u
#define MAX_BUCKETS 65536u
#define MAX_BURIED  256u /* deleted pods that are remembered, lest an older event revive them */

struct entry {
	struct entry *next;            /* in its bucket */
	struct entry *older, *younger; /* among the buried */
	char key[KUBE_MAX_UID + 1], uid[KUBE_MAX_UID + 1];
	uint64_t version, facts;
	uint32_t list; /* the newest list that it was in */
	bool alive;
	bool waits;      /* the mailbox does not know yet: */
	struct pod *pod; /* that it is so; NULL: that it is gone */
};

struct known {
	struct mailbox *mailbox;
	struct entry **buckets;
	uint32_t n_buckets, max_pods, list, n_buried;
	uint64_t seed; /* keys that people choose cannot be made to meet in one bucket */
	struct entry *oldest, *youngest; /* of the buried */
	struct known_state state;
};

static struct entry **bucket_of(const struct known *known, const char *key)
{
	uint64_t hash = known->seed;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 1099511628211u;
	hash ^= hash >> 32;
	return &known->buckets[hash & (known->n_buckets - 1)];
}

static struct entry *find(const struct known *known, const char *key)
{
	struct entry *entry = *bucket_of(known, key);

	while (entry && strcmp(entry->key, key))
		entry = entry->next;
	return entry;
}

static void free_known(struct known **known)
{
	known_free(*known);
}

int known_new(struct mailbox *mailbox, uint32_t max_pods, struct known **ret)
{
	_cleanup_(free_known) struct known *known = calloc(1, sizeof(*known));

	if (!known)
		return -ENOMEM;
	*known = (struct known){ .mailbox = mailbox,
				 .max_pods = max_pods,
				 .n_buckets = MIN_BUCKETS };
	while (known->n_buckets < max_pods && known->n_buckets < MAX_BUCKETS)
		known->n_buckets *= 2;
	if (getrandom(&known->seed, sizeof(known->seed), GRND_NONBLOCK) < 0)
		known->seed = (uintptr_t)known;
	known->buckets = calloc(known->n_buckets, sizeof(*known->buckets));
	if (!known->buckets)
		return -ENOMEM;

	*ret = TAKE_PTR(known);
	return 0;
}

static void free_entry(struct entry *entry)
{
	pod_unref(entry->pod);
	free(entry);
}

void known_free(struct known *known)
{
	if (!known)
		return;
	for (uint32_t i = 0; known->buckets && i < known->n_buckets; i++) {
		while (known->buckets[i]) {
			struct entry *entry = known->buckets[i];

			known->buckets[i] = entry->next;
			free_entry(entry);
		}
	}
	free(known->buckets);
	free(known);
}

void known_state(const struct known *known, struct known_state *ret)
{
	*ret = known->state;
}

static void exhume(struct known *known, struct entry *entry)
{
	*(entry->older ? &entry->older->younger : &known->oldest) = entry->younger;
	*(entry->younger ? &entry->younger->older : &known->youngest) = entry->older;
	entry->older = entry->younger = NULL;
	known->n_buried--;
}

static void forget(struct known *known, struct entry *entry)
{
	struct entry **at = bucket_of(known, entry->key);

	while (*at && *at != entry)
		at = &(*at)->next;
	if (*at)
		*at = entry->next;
	exhume(known, entry);
	if (entry->waits)
		known->state.waiting--;
	free_entry(entry);
}

/* Those who still have to be told of stay. */
static void forget_oldest(struct known *known, uint32_t keep)
{
	struct entry *entry = known->oldest, *younger;

	for (; entry && known->n_buried > keep; entry = younger) {
		younger = entry->younger;
		if (!entry->waits)
			forget(known, entry);
	}
}

/* entry is in no list of pods that are there. */
static void bury(struct known *known, struct entry *entry)
{
	entry->alive = false;
	entry->older = known->youngest;
	*(entry->older ? &entry->older->younger : &known->oldest) = entry;
	known->youngest = entry;
	known->n_buried++;
	forget_oldest(known, MAX_BURIED);
}

static int post(struct known *known, struct entry *entry)
{
	return entry->pod ? mailbox_pod(known->mailbox, entry->pod)
			  : mailbox_pod_gone(known->mailbox, POD_FROM_API, entry->key);
}

/* It is so (pod, whose reference is taken), or gone (NULL). */
static void tell(struct known *known, struct entry *entry, struct pod *pod)
{
	bool waited = entry->waits;

	pod_unref(entry->pod);
	entry->pod = pod;
	entry->waits = post(known, entry) < 0;
	if (!entry->waits) {
		pod_unref(entry->pod);
		entry->pod = NULL;
	}
	known->state.waiting += (uint64_t)entry->waits - (uint64_t)waited;
}

static bool is_own(const char *key, const char *uid)
{
	return !strcmp(key, uid);
}

/* A key that somebody has as his uid is his: an annotation that names it is not believed. */
static bool is_claim(const struct entry *entry, const struct kube_pod *pod)
{
	return entry->alive && is_own(entry->key, entry->uid) && strcmp(entry->uid, pod->uid) != 0;
}

static bool is_listed(const struct known *known, const struct entry *entry)
{
	return entry->alive && entry->list == known->list;
}

/* Whether what the pod says is news: the higher version is the later one. */
static bool is_later(const struct entry *entry, const struct kube_pod *pod)
{
	bool same = !strcmp(entry->uid, pod->uid);

	if (is_claim(entry, pod))
		return false;
	if ((!same && is_own(pod->key, pod->uid)) || !pod->version || !entry->version)
		return true;
	/* Who was deleted and is back has changed since. */
	return entry->alive || !same ? pod->version >= entry->version
				     : pod->version > entry->version;
}

static struct entry *add_entry(struct known *known, const struct kube_pod *pod)
{
	struct entry **bucket = bucket_of(known, pod->key), *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	memcpy(entry->key, pod->key, sizeof(entry->key));
	memcpy(entry->uid, pod->uid, sizeof(entry->uid));
	entry->next = *bucket;
	*bucket = entry;
	return entry;
}

static int add_or_revive(struct known *known, const struct kube_pod *pod, struct entry **entry)
{
	if (known->state.pods >= known->max_pods) {
		known->state.dropped++;
		return -ENOSPC;
	}
	if (*entry)
		exhume(known, *entry);
	else
		*entry = add_entry(known, pod);
	if (!*entry)
		return -ENOMEM;
	(*entry)->alive = true;
	known->state.pods++;
	return 0;
}

int known_pod(struct known *known, const struct kube_pod *pod, bool trusted)
{
	struct entry *entry = find(known, pod->key);
	uint64_t facts = kube_pod_facts(pod);
	bool news = !entry || !entry->alive;
	struct pod *copy;
	int r;

	if (entry && !is_later(entry, pod) &&
	    !(trusted && !is_claim(entry, pod) && !is_listed(known, entry))) {
		/* A list that is behind still proves that it is there. */
		if (!strcmp(entry->uid, pod->uid))
			entry->list = known->list;
		known->state.dropped += is_claim(entry, pod);
		return 0;
	}
	news |= !entry || entry->facts != facts;
	copy = news ? pod_new(&pod->pod) : NULL;
	if (news && !copy)
		return -ENOMEM;
	r = entry && entry->alive ? 0 : add_or_revive(known, pod, &entry);
	if (r < 0) {
		pod_unref(copy);
		return r;
	}
	memcpy(entry->uid, pod->uid, sizeof(entry->uid));
	entry->version = pod->version ? pod->version : entry->version;
	entry->facts = facts;
	entry->list = known->list;
	if (news)
		tell(known, entry, copy);
	return 0;
}

void known_deleted(struct known *known, const struct kube_pod *pod)
{
	struct entry *entry = find(known, pod->key);

	if (entry && strcmp(entry->uid, pod->uid))
		return;
	if (!entry) {
		/* What is still to come of it is older. */
		entry = add_entry(known, pod);
		if (!entry)
			return;
		entry->version = pod->version;
		bury(known, entry);
		return;
	}
	entry->version = MAX(entry->version, pod->version);
	if (!entry->alive)
		return;
	known->state.pods--;
	tell(known, entry, NULL);
	bury(known, entry);
}

void known_list_begin(struct known *known)
{
	known->list++;
}

void known_list_end(struct known *known)
{
	for (uint32_t i = 0; i < known->n_buckets; i++) {
		struct entry *next;

		/* A burial may free others of the bucket, never one that is alive. */
		for (struct entry *entry = known->buckets[i]; entry; entry = next) {
			next = entry->next;
			while (next && !next->alive)
				next = next->next;
			if (!entry->alive || entry->list == known->list)
				continue;
			entry->version = 0;
			known->state.pods--;
			tell(known, entry, NULL);
			bury(known, entry);
		}
	}
	/* What follows a list is newer than what was deleted before it. */
	forget_oldest(known, 0);
}

uint64_t known_deliver(struct known *known)
{
	for (uint32_t i = 0; known->state.waiting && i < known->n_buckets; i++) {
		for (struct entry *entry = known->buckets[i]; entry; entry = entry->next) {
			if (!entry->waits)
				continue;
			if (post(known, entry) < 0)
				return known->state.waiting;
			pod_unref(entry->pod);
			entry->pod = NULL;
			entry->waits = false;
			known->state.waiting--;
		}
	}
	return known->state.waiting;
}
