/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local table: the pods that the node's files have told of, with their containers, and what of it
 * the mailbox has yet to hear.  Bounded: whoever was not heard of for longest goes first, those
 * with containers in the logs last.
 */
#ifndef PODJOULE_LOCAL_TABLE_H
#define PODJOULE_LOCAL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names/mailbox.h"
#include "names/pod.h"

struct table_container {
	char *id, *name; /* one piece of memory, freed by id */
	enum container_role role;
	uint32_t cpu_milli;
	bool linked; /* the kubelet keeps its log now */
	bool looked; /* the runtime's files were asked what it requests */
};

struct table_pod {
	struct table_pod *chain, *next, **link;
	bool has_dir;    /* seen in /var/log/pods */
	bool was_linked; /* seen in /var/log/containers */
	bool marked;     /* for who sweeps */
	bool dirty;      /* the mailbox has not heard of it as it is */
	bool gone;       /* that is what it has to hear */
	bool posted;
	size_t n, capacity;
	struct table_container *containers; /* oldest first */
	const char *key, *namespace, *name; /* behind it; "" for a container in no pod */
	char text[];
};

struct table_list {
	struct table_pod *first, **end;
};

struct table {
	struct table_pod **buckets;
	uint32_t n_buckets, max;
	uint32_t n, n_gone, n_dirty;
	size_t n_unlooked;           /* containers */
	uint64_t dropped;            /* pods for which there was no room */
	struct table_list all, gone; /* longest not heard of first */
};

int table_init(struct table *table, uint32_t max_pods);
void table_free(struct table *table); /* safe on a zeroed one */

/* NULL when there is none, or it is gone. */
struct table_pod *table_find(const struct table *table, const char *key);
/*
 * The pod with that key, as heard of just now; it is made if it is not there, and another goes
 * when there is no room: a pod with logs only for one that is_live.  0, -ENOSPC, -ENOMEM, -EEXIST:
 * it is there under a different name.
 */
int table_add(struct table *table, const char *key, const char *namespace, const char *name,
	      bool is_live, struct table_pod **ret);
/* A container of a pod: NULLs and zeros of like leave what is known.  0 or -ENOMEM. */
int table_add_container(struct table *table, struct table_pod *pod,
			const struct table_container *like);
struct table_container *table_find_container(const struct table *table, const char *id,
					     struct table_pod **ret_pod);
struct table_container *table_pod_container(const struct table_pod *pod, const char *id);
bool table_pod_is_linked(const struct table_pod *pod); /* has a container in the logs */
/* Marked as looked at now; NULL when there is none left. */
struct table_container *table_next_unlooked(struct table *table, struct table_pod **ret_pod);
/* Say it again, say that it is gone (the pod may be freed). */
void table_set_dirty(struct table *table, struct table_pod *pod);
void table_set_gone(struct table *table, struct table_pod *pod);
/* Tell the mailbox what it has not heard.  False: not everything, try again. */
bool table_post(struct table *table, struct mailbox *mailbox);

#endif
