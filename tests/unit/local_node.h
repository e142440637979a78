/* SPDX-License-Identifier: Apache-2.0 */
/* Local node: a node with pods that come and go, and what a reader of the mailbox knows of it. */
#ifndef PODJOULE_LOCAL_NODE_H
#define PODJOULE_LOCAL_NODE_H

#include "local_tree.h"
#include "names/local.h"
#include "platform/host.h"
#include "platform/log.h"

#define MS UINT64_C(1000000)

#define MAX_KNOWN 4096
#define NODE_TASK "run/containerd/io.containerd.runtime.v2.task/k8s.io/"
#define TASK      "run/containerd/io.containerd.runtime.v2.task/k8s.io/"

static struct loop *loop;
static struct mailbox *mailbox;
static struct local *local;
static struct pod *known[MAX_KNOWN]; /* what who reads the mailbox knows */
static size_t n_known, n_notes;
static char warned[512];
static int n_warned;

static inline void keep_line(enum log_level level, const char *line)
{
	if (level > LOG_LEVEL_WARNING)
		return;
	n_warned++;
	snprintf(warned, sizeof(warned), "%s", line);
}

static inline void open_node(size_t mailbox_size, uint32_t max_pods)
{
	struct local_config config = { .root_fd = node_fd, .max_pods = max_pods };

	log_set_sink(keep_line);
	cr_assert(zero(int, loop_new(&loop)));
	cr_assert(zero(int, mailbox_new(mailbox_size, &mailbox)));
	cr_assert(zero(int, local_open(loop, &config, mailbox, &local)));
}

static inline void close_node(void)
{
	while (n_known)
		pod_unref(known[--n_known]);
	local_close(local);
	mailbox_free(mailbox);
	loop_free(loop);
	node_teardown();
}

static inline struct pod *knows(const char *key)
{
	for (size_t i = 0; i < n_known; i++)
		if (!strcmp(known[i]->key, key))
			return known[i];
	return NULL;
}

static inline void forget(const char *key)
{
	for (size_t i = 0; i < n_known; i++) {
		if (strcmp(known[i]->key, key))
			continue;
		pod_unref(known[i]);
		known[i] = known[--n_known];
		return;
	}
}

static inline void take(size_t max)
{
	struct note note;

	for (; max && mailbox_take(mailbox, &note, 1); max--) {
		n_notes++;
		cr_assert(eq(int, note.source, POD_FROM_LOCAL));
		forget(note.key);
		if (note.kind == NOTE_POD) {
			cr_assert(eq(str, note.key, (char *)note.pod->key));
			cr_assert(eq(int, note.pod->source, POD_FROM_LOCAL));
			cr_assert(not(note.pod->all_started));
			known[n_known++] = pod_ref(note.pod);
		}
		note_drop(&note);
	}
}

static inline void stop(void *ctx)
{
	loop_stop(ctx);
}

static inline void run_for(unsigned int ms)
{
	struct loop_timer *end;

	cr_assert(zero(int, loop_timer_new(loop, stop, loop, &end)));
	loop_timer_set(end, host_monotonic_ns() + ms * MS);
	cr_assert(zero(int, loop_run(loop)));
	loop_timer_free(end);
}

/* Let the loop work for so long, and hear what it says. */
static inline void turn(unsigned int ms)
{
	run_for(ms);
	/* On a busy machine the timer may have come before what was due then. */
	run_for(1);
	take(SIZE_MAX);
}

static inline const char *uid_of(unsigned int i)
{
	static char uid[4][40];
	static unsigned int at;

	at = (at + 1) % 4;
	snprintf(uid[at], sizeof(uid[at]), "00000000-0000-4000-8000-%012x", i);
	return uid[at];
}

static inline const char *id_of(unsigned int i)
{
	static char id[4][65];
	static unsigned int at;

	at = (at + 1) % 4;
	snprintf(id[at], sizeof(id[at]), "%064x", i);
	return id[at];
}

static inline void add_pod(unsigned int i)
{
	node_mkdir("var/log/pods/shop_web-%u_%s", i, uid_of(i));
}

static inline void add_link(unsigned int pod, unsigned int id)
{
	char target[256], name[300];

	snprintf(target, sizeof(target), "/var/log/pods/shop_web-%u_%s/app-%u/0.log", pod,
		 uid_of(pod), id);
	snprintf(name, sizeof(name), "var/log/containers/web-%u_shop_app-%u-%s.log", pod, id,
		 id_of(id));
	node_link(target, name);
}

static inline void remove_pod(unsigned int i)
{
	char name[128];

	snprintf(name, sizeof(name), "var/log/pods/shop_web-%u_%s", i, uid_of(i));
	node_remove(name);
}

static inline void remove_link(unsigned int pod, unsigned int id)
{
	char name[300];

	snprintf(name, sizeof(name), "var/log/containers/web-%u_shop_app-%u-%s.log", pod, id,
		 id_of(id));
	node_remove(name);
}

/* Does the reader know this container, by its own name, in this pod? */
static inline bool knows_container(unsigned int pod, unsigned int id)
{
	const struct pod_container *container = pod_container(knows(uid_of(pod)), id_of(id));
	char name[32];

	snprintf(name, sizeof(name), "app-%u", id);
	return container && !strcmp(container->name, name) && container->role == CONTAINER_MAIN;
}

static inline void add_bundle(unsigned int pod, unsigned int id, unsigned int shares,
			      const char *type)
{
	char json[1024];

	snprintf(json, sizeof(json),
		 "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"%s\","
		 "\"io.kubernetes.cri.container-name\":\"app-%u\","
		 "\"io.kubernetes.cri.sandbox-name\":\"web-%u\","
		 "\"io.kubernetes.cri.sandbox-namespace\":\"shop\","
		 "\"io.kubernetes.cri.sandbox-uid\":\"%s\"},"
		 "\"linux\":{\"resources\":{\"cpu\":{\"shares\":%u}}}}",
		 type, id, pod, uid_of(pod), shares);
	node_put(json, NODE_TASK "%s/config.json", id_of(id));
}

#endif
