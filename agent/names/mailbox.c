/* SPDX-License-Identifier: Apache-2.0 */
#include "names/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "platform/scope.h"

#define NO_SLOT UINT32_MAX

/* What a note is about: only one note about it waits. */
struct topic {
	bool vm;
	enum pod_source source;
	const char *key;
	uint64_t cgroup_id;
};

struct slot {
	struct note note;
	uint32_t head;  /* of the chain that it is in */
	uint32_t chain; /* next in it */
};

/* Waiting notes lie in a ring, oldest first; chains find the one about a topic. */
struct mailbox {
	pthread_mutex_t lock;
	uint32_t max, first, n;
	uint32_t n_heads; /* a power of two */
	uint64_t seed;    /* those who choose ids do not choose chains */
	uint32_t *heads;
	struct slot *slots;
	atomic_uint naming;
	struct api_figures api;
	atomic_uint_fast64_t asked; /* since the last answer */
	int ask_fd;
};

#define NAMING_ANY 1u
#define NAMING_API 2u

static void free_mailbox(struct mailbox **mailbox)
{
	if (!*mailbox)
		return;
	close_fd(&(*mailbox)->ask_fd);
	free((*mailbox)->heads);
	free((*mailbox)->slots);
	free(*mailbox);
}

int mailbox_new(size_t max, struct mailbox **ret)
{
	_cleanup_(free_mailbox) struct mailbox *mailbox = NULL;

	if (!max || max > UINT32_MAX / 4)
		return -EINVAL;
	mailbox = calloc(1, sizeof(*mailbox));
	if (!mailbox)
		return -ENOMEM;
	mailbox->max = (uint32_t)max;
	for (mailbox->n_heads = 1; mailbox->n_heads < max;)
		mailbox->n_heads *= 2;
	mailbox->ask_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (mailbox->ask_fd < 0)
		return -errno;
	mailbox->slots = calloc(max, sizeof(*mailbox->slots));
	mailbox->heads = malloc(mailbox->n_heads * sizeof(*mailbox->heads));
	if (!mailbox->slots || !mailbox->heads)
		return -ENOMEM;

	memset(mailbox->heads, 0xff, mailbox->n_heads * sizeof(*mailbox->heads));
	/* Early in a boot there is none: chains are bounded all the same. */
	if (getrandom(&mailbox->seed, sizeof(mailbox->seed), GRND_NONBLOCK) < 0)
		mailbox->seed = (uintptr_t)mailbox;
	pthread_mutex_init(&mailbox->lock, NULL);
	*ret = TAKE_PTR(mailbox);
	return 0;
}

void note_drop(struct note *note)
{
	pod_unref(note->pod);
	name_unref(note->name);
	note->pod = NULL;
	note->name = NULL;
}

void mailbox_free(struct mailbox *mailbox)
{
	if (!mailbox)
		return;
	for (uint32_t i = 0; i < mailbox->n; i++)
		note_drop(&mailbox->slots[(mailbox->first + i) % mailbox->max].note);
	pthread_mutex_destroy(&mailbox->lock);
	free_mailbox(&mailbox);
}

static struct topic topic_of(const struct note *note)
{
	return (struct topic){ .vm = note->kind == NOTE_VM,
			       .source = note->source,
			       .key = note->key,
			       .cgroup_id = note->cgroup_id };
}

static bool same_topic(const struct topic *a, const struct topic *b)
{
	if (a->vm != b->vm)
		return false;
	if (a->vm)
		return a->cgroup_id == b->cgroup_id;
	return a->source == b->source && !strcmp(a->key, b->key);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 32;
}

static uint32_t head_of(const struct mailbox *mailbox, const struct topic *topic)
{
	uint64_t hash = mix(mailbox->seed, topic->vm ? topic->cgroup_id : topic->source);

	for (const char *c = topic->vm ? "" : topic->key; *c; c++)
		hash = mix(hash, (unsigned char)*c);
	return (uint32_t)hash & (mailbox->n_heads - 1);
}

static struct slot *find(const struct mailbox *mailbox, uint32_t head, const struct topic *topic)
{
	for (uint32_t i = mailbox->heads[head]; i != NO_SLOT; i = mailbox->slots[i].chain) {
		struct topic other = topic_of(&mailbox->slots[i].note);

		if (same_topic(topic, &other))
			return &mailbox->slots[i];
	}
	return NULL;
}

static struct slot *append(struct mailbox *mailbox, uint32_t head)
{
	uint32_t i = (mailbox->first + mailbox->n) % mailbox->max;
	struct slot *slot = &mailbox->slots[i];

	if (mailbox->n == mailbox->max)
		return NULL;
	mailbox->n++;
	slot->head = head;
	slot->chain = mailbox->heads[head];
	mailbox->heads[head] = i;
	return slot;
}

static void unchain(struct mailbox *mailbox, uint32_t i)
{
	uint32_t *at = &mailbox->heads[mailbox->slots[i].head];

	while (*at != i)
		at = &mailbox->slots[*at].chain;
	*at = mailbox->slots[i].chain;
}

/* Takes over the references of note, on failure too. */
static int put(struct mailbox *mailbox, const struct note *note)
{
	struct topic topic = topic_of(note);
	uint32_t head = head_of(mailbox, &topic);
	struct note old = { .pod = NULL };
	struct slot *slot;
	bool full;

	pthread_mutex_lock(&mailbox->lock);
	slot = find(mailbox, head, &topic);
	if (slot)
		old = slot->note;
	else
		slot = append(mailbox, head);
	full = !slot;
	if (slot)
		slot->note = *note;
	else
		old = *note;
	pthread_mutex_unlock(&mailbox->lock);

	/* The last reference to a pod frees it: not while the sampler waits. */
	note_drop(&old);
	return full ? -ENOSPC : 0;
}

static int set_key(struct note *note, const char *key)
{
	size_t len = key ? strnlen(key, sizeof(note->key)) : 0;

	if (!len || len == sizeof(note->key))
		return -EINVAL;
	memcpy(note->key, key, len);
	return 0;
}

int mailbox_pod(struct mailbox *mailbox, struct pod *pod)
{
	struct note note = { .kind = NOTE_POD, .source = pod->source };

	if (set_key(&note, pod->key) < 0)
		return -EINVAL;
	note.pod = pod_ref(pod);
	return put(mailbox, &note);
}

int mailbox_pod_gone(struct mailbox *mailbox, enum pod_source source, const char *key)
{
	struct note note = { .kind = NOTE_POD_GONE, .source = source };

	if (set_key(&note, key) < 0)
		return -EINVAL;
	return put(mailbox, &note);
}

int mailbox_vm(struct mailbox *mailbox, uint64_t cgroup_id, struct name *name)
{
	const struct note note = { .kind = NOTE_VM,
				   .cgroup_id = cgroup_id,
				   .name = name_ref(name) };

	return put(mailbox, &note);
}

size_t mailbox_take(struct mailbox *mailbox, struct note *ret, size_t max)
{
	size_t n;

	pthread_mutex_lock(&mailbox->lock);
	n = MIN(max, mailbox->n);
	for (size_t i = 0; i < n; i++) {
		ret[i] = mailbox->slots[mailbox->first].note;
		unchain(mailbox, mailbox->first);
		mailbox->first = (mailbox->first + 1) % mailbox->max;
	}
	mailbox->n -= (uint32_t)n;
	pthread_mutex_unlock(&mailbox->lock);
	return n;
}

void mailbox_set_naming(struct mailbox *mailbox, struct naming naming)
{
	atomic_store(&mailbox->naming,
		     (naming.any ? NAMING_ANY : 0) | (naming.api ? NAMING_API : 0));
}

struct naming mailbox_naming(const struct mailbox *mailbox)
{
	unsigned int naming = atomic_load(&mailbox->naming);

	return (struct naming){ .any = naming & NAMING_ANY, .api = naming & NAMING_API };
}

void mailbox_set_api(struct mailbox *mailbox, const struct api_figures *figures)
{
	pthread_mutex_lock(&mailbox->lock);
	mailbox->api = *figures;
	pthread_mutex_unlock(&mailbox->lock);
}

void mailbox_api(struct mailbox *mailbox, struct api_figures *ret)
{
	pthread_mutex_lock(&mailbox->lock);
	*ret = mailbox->api;
	pthread_mutex_unlock(&mailbox->lock);
}

void mailbox_ask(struct mailbox *mailbox)
{
	/* Only the first wakes the edge: the others cost no system call. */
	if (!atomic_fetch_add(&mailbox->asked, 1))
		eventfd_write(mailbox->ask_fd, 1);
}

int mailbox_ask_fd(const struct mailbox *mailbox)
{
	return mailbox->ask_fd;
}

void mailbox_answered(struct mailbox *mailbox)
{
	eventfd_t ignored;

	/*
	 * In this order: whoever asks in between finds the count above 0 and writes nothing, and is
	 * answered by what the caller does next.  The other way round its write would be drained
	 * and its count left, and nobody would ever wake the edge again.
	 */
	eventfd_read(mailbox->ask_fd, &ignored);
	atomic_exchange(&mailbox->asked, 0);
}
