/* SPDX-License-Identifier: Apache-2.0 */
/* Pod facts: what is told of pods, by the numbers of pods and containers, for tests of a ledger. */
#ifndef PODJOULE_POD_FACTS_H
#define PODJOULE_POD_FACTS_H

#include <stdio.h>

#include "ledger_node.h"

static inline const char *uid_of(unsigned int pod)
{
	static char text[64][40]; /* the newest ones stay */
	static unsigned int turn;
	char *uid = text[turn++ % 64];

	snprintf(uid, 40, "8a3c71de-9f0c-4b5e-8d2a-%012x", pod);
	return uid;
}

static inline const char *id_of(unsigned int container)
{
	static char text[64][72];
	static unsigned int turn;
	char *id = text[turn++ % 64];

	snprintf(id, 72, "%064x", container + 0xabc000);
	return id;
}

/* The path of a container of a pod; container 0: of the pod itself. */
static inline const char *path_of(unsigned int pod, unsigned int container)
{
	static char text[160];
	int n = snprintf(text, sizeof(text), "/kubepods/burstable/pod%s", uid_of(pod));

	if (container)
		snprintf(text + n, sizeof(text) - (size_t)n, "/%s", id_of(container));
	return text;
}

static inline void tell(struct node *node, const struct pod *like, uint64_t t_ns, uint64_t wall_ns)
{
	struct pod *pod = pod_new(like);

	cr_assert(ne(ptr, pod, NULL));
	ledger_pod(node->ledger, pod, t_ns, wall_ns);
	pod_unref(pod);
}

/* A pod of deployment web in namespace shop. */
static inline struct pod web_pod(unsigned int pod, enum pod_source source)
{
	return (struct pod){ .source = source,
			     .key = uid_of(pod),
			     .namespace = "shop",
			     .name = "web-1",
			     .workload = { .kind = "deployment",
					   .name = "web",
					   .derived = source != POD_FROM_API } };
}

static inline const struct pod_entry *entry_of(const struct node *node, const char *key)
{
	size_t n;
	const struct pod_entry *pods = ledger_pods(node->ledger, &n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(pods[i].key, key))
			return &pods[i];
	return NULL;
}

/* The group of a kind with that name (of namespaces: the namespace), or NULL. */
static inline const struct group *group_of(const struct node *node, enum group_kind kind,
					   const char *name)
{
	size_t n;
	const struct group *groups = ledger_groups(node->ledger, &n);

	for (size_t i = 0; i < n; i++) {
		const struct group_key *key = groups[i].key;

		if (key && key->kind == kind &&
		    !strcmp(kind == GROUP_NAMESPACE ? key->namespace : key->name, name))
			return &groups[i];
	}
	return NULL;
}

static inline uint64_t group_nj(const struct node *node, enum group_kind kind, const char *name)
{
	const struct group *group = group_of(node, kind, name);

	return group ? (uint64_t)group->total.nj[COLUMN_PACKAGE] : 0;
}

/* The wiring's order, with everybody naming, and the laws that hold after it. */
static inline void roll(struct node *node, uint64_t t_ns)
{
	ledger_roll(node->ledger, true, true, t_ns);
	check_names(node->ledger);
	ledger_fold(node->ledger, t_ns);
	check_book(node->ledger);
	check_names(node->ledger);
}

#endif
