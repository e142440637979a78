/* SPDX-License-Identifier: Apache-2.0 */
#include "names/local_table.h"

#include <errno.h>
#include <string.h>

#include "names/owner.h"
#include "platform/scope.h"

static struct table_pod **bucket_of(const struct table *table, const char *key)
{
	uint32_t hash = 2166136261u;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 16777619u;
	return &table->buckets[hash & (table->n_buckets - 1)];
}

static void unlink_pod(struct table_list *list, struct table_pod *pod)
{
	*pod->link = pod->next;
	if (pod->next)
		pod->next->link = pod->link;
	else
		list->end = pod->link;
}

static void append_pod(struct table_list *list, struct table_pod *pod)
{
	pod->next = NULL;
	pod->link = list->end;
	*list->end = pod;
	list->end = &pod->next;
}

int table_init(struct table *table, uint32_t max_pods)
{
	uint32_t n = 16, max = MAX(max_pods, 1);

	while (n < max && n < UINT32_C(1) << 20)
		n *= 2;
	*table = (struct table){ .n_buckets = n, .max = max };
	table->all.end = &table->all.first;
	table->gone.end = &table->gone.first;
	table->buckets = calloc(n, sizeof(struct table_pod *));
	return table->buckets ? 0 : -ENOMEM;
}

static void free_containers(struct table *table, struct table_pod *pod)
{
	for (size_t i = 0; i < pod->n; i++) {
		table->n_unlooked -= !pod->containers[i].looked;
		free(pod->containers[i].id);
	}
	free(pod->containers);
	pod->containers = NULL;
	pod->n = pod->capacity = 0;
}

/* Out of the table and its list, whichever that is. */
static void free_pod(struct table *table, struct table_pod *pod)
{
	struct table_pod **at = bucket_of(table, pod->key);

	while (*at != pod)
		at = &(*at)->chain;
	*at = pod->chain;
	unlink_pod(pod->gone ? &table->gone : &table->all, pod);
	table->n_gone -= pod->gone;
	table->n -= !pod->gone;
	table->n_dirty -= pod->dirty;
	free_containers(table, pod);
	free(pod);
}

void table_free(struct table *table)
{
	while (table->all.first)
		free_pod(table, table->all.first);
	while (table->gone.first)
		free_pod(table, table->gone.first);
	free(table->buckets);
	table->buckets = NULL;
}

static struct table_pod *find(const struct table *table, const char *key)
{
	struct table_pod *pod = *bucket_of(table, key);

	while (pod && strcmp(pod->key, key))
		pod = pod->chain;
	return pod;
}

struct table_pod *table_find(const struct table *table, const char *key)
{
	struct table_pod *pod = find(table, key);

	return pod && !pod->gone ? pod : NULL;
}

bool table_pod_is_linked(const struct table_pod *pod)
{
	for (size_t i = 0; i < pod->n; i++)
		if (pod->containers[i].linked)
			return true;
	return false;
}

/* Room for one more. */
static int make_room(struct table *table, bool is_live)
{
	struct table_pod *pod;

	if (table->n < table->max)
		return 0;
	table->dropped++;
	for (pod = table->all.first; pod && table_pod_is_linked(pod); pod = pod->next)
		;
	if (!pod && is_live)
		pod = table->all.first;
	if (!pod)
		return -ENOSPC;
	table_set_gone(table, pod);
	return 0;
}

static struct table_pod *new_pod(const char *key, const char *namespace, const char *name)
{
	size_t key_size = strlen(key) + 1, namespace_size = strlen(namespace) + 1;
	size_t name_size = strlen(name) + 1;
	struct table_pod *pod = calloc(1, sizeof(*pod) + key_size + namespace_size + name_size);

	if (!pod)
		return NULL;
	pod->key = memcpy(pod->text, key, key_size);
	pod->namespace = memcpy(pod->text + key_size, namespace, namespace_size);
	pod->name = memcpy(pod->text + key_size + namespace_size, name, name_size);
	return pod;
}

int table_add(struct table *table, const char *key, const char *namespace, const char *name,
	      bool is_live, struct table_pod **ret)
{
	struct table_pod *pod = find(table, key), **bucket;
	int r;

	/* One that was gone and is back has nothing of what it had. */
	if (pod && pod->gone) {
		free_pod(table, pod);
		pod = NULL;
	}
	if (pod) {
		if (strcmp(pod->namespace, namespace) || strcmp(pod->name, name))
			return -EEXIST;
		unlink_pod(&table->all, pod);
		append_pod(&table->all, pod);
		*ret = pod;
		return 0;
	}
	pod = new_pod(key, namespace, name);
	if (!pod)
		return -ENOMEM;
	r = make_room(table, is_live);
	if (r < 0) {
		free(pod);
		return r;
	}
	bucket = bucket_of(table, key);
	pod->chain = *bucket;
	*bucket = pod;
	append_pod(&table->all, pod);
	table->n++;
	table_set_dirty(table, pod);

	*ret = pod;
	return 0;
}

struct table_container *table_pod_container(const struct table_pod *pod, const char *id)
{
	for (size_t i = 0; i < pod->n; i++)
		if (!strcmp(pod->containers[i].id, id))
			return &pod->containers[i];
	return NULL;
}

struct table_container *table_find_container(const struct table *table, const char *id,
					     struct table_pod **ret_pod)
{
	for (struct table_pod *pod = table->all.first; pod; pod = pod->next) {
		struct table_container *container = table_pod_container(pod, id);

		if (!container)
			continue;
		*ret_pod = pod;
		return container;
	}
	return NULL;
}

/* One that starts over and over: the oldest that has no log any more is forgotten. */
static int make_container_room(struct table *table, struct table_pod *pod)
{
	size_t at = 0, capacity = pod->capacity ? 2 * pod->capacity : 4;
	struct table_container *containers;

	if (pod->n < pod->capacity)
		return 0;
	if (pod->n >= POD_MAX_CONTAINERS) {
		while (at < pod->n && pod->containers[at].linked)
			at++;
		at = at < pod->n ? at : 0;
		table->n_unlooked -= !pod->containers[at].looked;
		free(pod->containers[at].id);
		pod->n--;
		memmove(&pod->containers[at], &pod->containers[at + 1],
			(pod->n - at) * sizeof(*pod->containers));
		return 0;
	}
	capacity = MIN(capacity, POD_MAX_CONTAINERS);
	containers = realloc(pod->containers, capacity * sizeof(*containers));
	if (!containers)
		return -ENOMEM;
	pod->containers = containers;
	pod->capacity = capacity;
	return 0;
}

int table_add_container(struct table *table, struct table_pod *pod,
			const struct table_container *like)
{
	struct table_container *known = table_pod_container(pod, like->id);
	size_t id_size = strlen(like->id) + 1, name_size = strlen(like->name) + 1;
	char *text;

	pod->was_linked = pod->was_linked || like->linked;
	if (known) {
		known->linked = known->linked || like->linked;
		if (like->cpu_milli && like->cpu_milli != known->cpu_milli) {
			known->cpu_milli = like->cpu_milli;
			table_set_dirty(table, pod);
		}
		return 0;
	}
	text = malloc(id_size + name_size);
	if (!text || make_container_room(table, pod) < 0) {
		free(text);
		return -ENOMEM;
	}
	pod->containers[pod->n] = *like;
	pod->containers[pod->n].id = memcpy(text, like->id, id_size);
	pod->containers[pod->n].name = memcpy(text + id_size, like->name, name_size);
	pod->n++;
	table->n_unlooked += !like->looked;
	table_set_dirty(table, pod);
	return 0;
}

struct table_container *table_next_unlooked(struct table *table, struct table_pod **ret_pod)
{
	struct table_pod *pod = table->n_unlooked ? table->all.first : NULL;

	for (; pod; pod = pod->next) {
		for (size_t i = 0; i < pod->n; i++) {
			if (pod->containers[i].looked)
				continue;
			pod->containers[i].looked = true;
			table->n_unlooked--;
			*ret_pod = pod;
			return &pod->containers[i];
		}
	}
	return NULL;
}

void table_set_dirty(struct table *table, struct table_pod *pod)
{
	table->n_dirty += !pod->dirty;
	pod->dirty = true;
}

void table_set_gone(struct table *table, struct table_pod *pod)
{
	if (!pod->posted) {
		free_pod(table, pod);
		return;
	}
	/* Nobody takes from the mailbox: the oldest of those that went is never heard of. */
	if (table->n_gone >= table->max)
		free_pod(table, table->gone.first);
	unlink_pod(&table->all, pod);
	append_pod(&table->gone, pod);
	pod->gone = true;
	table->n--;
	table->n_gone++;
	free_containers(table, pod);
	table_set_dirty(table, pod);
}

static int post_pod(struct table_pod *pod, struct mailbox *mailbox)
{
	struct pod_container containers[POD_MAX_CONTAINERS];
	char owner[POD_MAX_TEXT + 1];
	struct pod like = { .source = POD_FROM_LOCAL,
			    .key = pod->key,
			    .namespace = pod->namespace,
			    .name = pod->name,
			    .n_containers = pod->n,
			    .containers = containers };
	struct pod *fresh;
	int r;

	for (size_t i = 0; i < pod->n; i++)
		containers[i] = (struct pod_container){ .id = pod->containers[i].id,
							.name = pod->containers[i].name,
							.role = pod->containers[i].role,
							.cpu_milli = pod->containers[i].cpu_milli };
	if (*pod->name)
		like.workload = owner_guess(pod->name, owner, sizeof(owner));
	fresh = pod_new(&like);
	if (!fresh)
		return -ENOMEM;
	r = mailbox_pod(mailbox, fresh);
	pod_unref(fresh);
	return r;
}

bool table_post(struct table *table, struct mailbox *mailbox)
{
	struct table_pod *pod, *next;

	/* First those that went, so that who takes their place finds room. */
	for (pod = table->gone.first; pod; pod = next) {
		next = pod->next;
		if (mailbox_pod_gone(mailbox, POD_FROM_LOCAL, pod->key) < 0)
			return false;
		free_pod(table, pod);
	}
	for (pod = table->all.first; pod && table->n_dirty; pod = pod->next) {
		if (!pod->dirty)
			continue;
		if (post_pod(pod, mailbox) < 0)
			return false;
		pod->posted = true;
		pod->dirty = false;
		table->n_dirty--;
	}
	return true;
}
