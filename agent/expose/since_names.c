/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/since.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/scope.h"

#define LESS(a, b) ((a)-MIN((a), (b)))

typedef int (*row_order)(const void *a, const void *b);

/* Rows of base in an order in which they are found again. */
struct sorted {
	const void **rows;
	size_t n;
	row_order order;
};

static int by_row(const void *a, const void *b, void *order)
{
	return ((const struct sorted *)order)
		->order(*(const void *const *)a, *(const void *const *)b);
}

static int sorted_open(struct sorted *ret, const void *rows, size_t n, size_t size, row_order order)
{
	*ret = (struct sorted){ .rows = calloc(n + 1, sizeof(*ret->rows)), .n = n, .order = order };
	if (!ret->rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ret->rows[i] = (const char *)rows + i * size;
	qsort_r(ret->rows, n, sizeof(*ret->rows), by_row, ret);
	return 0;
}

static void sorted_close(struct sorted *sorted)
{
	free(sorted->rows);
}

/* The first row that is not before like; n: there is none. */
static size_t sorted_from(const struct sorted *sorted, const void *like)
{
	size_t low = 0, high = sorted->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (sorted->order(sorted->rows[middle], like) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const void *sorted_find(const struct sorted *sorted, const void *like)
{
	size_t at = sorted_from(sorted, like);

	return at < sorted->n && sorted->order(sorted->rows[at], like) == 0 ? sorted->rows[at]
									    : NULL;
}

static int by_pod_key(const void *a, const void *b)
{
	const struct snapshot_pod *x = a, *y = b;

	return strcmp(x->key, y->key);
}

static int since_pods(const struct snapshot *base, const struct snapshot *end, struct snapshot *to)
{
	_cleanup_(sorted_close) struct sorted sorted = { 0 };
	int r = sorted_open(&sorted, base->pods, base->n_pods, sizeof(*base->pods), by_pod_key);

	if (r < 0)
		return r;
	to->pods_capacity = end->n_pods + 1;
	to->pods = calloc(to->pods_capacity, sizeof(*to->pods));
	if (!to->pods)
		return -ENOMEM;
	for (size_t i = 0; i < end->n_pods; i++) {
		const struct snapshot_pod *before = sorted_find(&sorted, &end->pods[i]);
		struct snapshot_pod *pod = &to->pods[to->n_pods++];

		*pod = end->pods[i];
		for (int source = 0; source < _POD_SOURCE_MAX; source++)
			pod->facts[source] = pod_ref(pod->facts[source]);
		if (before)
			pod->total = tally_less(&pod->total, &before->total);
	}
	return 0;
}

int since_drop_pods(struct snapshot *to)
{
	_free_ uint32_t *place = calloc(to->n_pods + 1, sizeof(*place));
	uint32_t kept = 0;

	if (!place)
		return -ENOMEM;
	for (size_t i = 0; i < to->n_pods; i++)
		place[i] = !tally_is_zero(&to->pods[i].total);
	for (size_t i = 0; i < to->n_accounts; i++) {
		if (to->accounts[i].pod != POD_NONE)
			place[to->accounts[i].pod] = 1;
	}
	for (size_t i = 0; i < to->n_pods; i++) {
		if (place[i]) {
			place[i] = kept;
			to->pods[kept++] = to->pods[i];
			continue;
		}
		for (int source = 0; source < _POD_SOURCE_MAX; source++)
			pod_unref(to->pods[i].facts[source]);
	}
	to->n_pods = kept;
	for (size_t i = 0; i < to->n_accounts; i++) {
		if (to->accounts[i].pod != POD_NONE)
			to->accounts[i].pod = place[to->accounts[i].pod];
	}
	return 0;
}

static int by_group_key(const void *a, const void *b)
{
	const struct group_key *x = ((const struct snapshot_group *)a)->key;
	const struct group_key *y = ((const struct snapshot_group *)b)->key;
	int order;

	if (x == y)
		return 0;
	order = (x->kind > y->kind) - (x->kind < y->kind);
	order = order ? order : (x->platform > y->platform) - (x->platform < y->platform);
	order = order ? order : x->derived - y->derived;
	order = order ? order : strcmp(x->namespace, y->namespace);
	order = order ? order : strcmp(x->owner, y->owner);
	order = order ? order : strcmp(x->name, y->name);
	return order ? order : strcmp(x->revision, y->revision);
}

static bool group_did_nothing(const struct snapshot_group *group)
{
	return !group->pods && !group->cold_starts && tally_is_zero(&group->total) &&
	       tally_is_zero(&group->overhead) && tally_is_zero(&group->cold);
}

static int since_groups(const struct snapshot *base, const struct snapshot *end,
			struct snapshot *to)
{
	_cleanup_(sorted_close) struct sorted sorted = { 0 };
	int r = sorted_open(&sorted, base->groups, base->n_groups, sizeof(*base->groups),
			    by_group_key);

	if (r < 0)
		return r;
	to->groups_capacity = end->n_groups + 1;
	to->groups = calloc(to->groups_capacity, sizeof(*to->groups));
	if (!to->groups)
		return -ENOMEM;
	for (size_t i = 0; i < end->n_groups; i++) {
		const struct snapshot_group *before = sorted_find(&sorted, &end->groups[i]);
		struct snapshot_group group = end->groups[i];

		if (before) {
			group.total = tally_less(&group.total, &before->total);
			group.overhead = tally_less(&group.overhead, &before->overhead);
			group.cold = tally_less(&group.cold, &before->cold);
			group.pods = LESS(group.pods, before->pods);
			group.cold_starts = LESS(group.cold_starts, before->cold_starts);
		}
		if (group_did_nothing(&group))
			continue;
		group.key = group_key_ref(group.key);
		to->groups[to->n_groups++] = group;
	}
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct process_row *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool grew_out_of(const struct tally *now, const struct tally *before)
{
	for (int c = 0; c < _COLUMN_MAX; c++) {
		if (now->nj[c] < before->nj[c])
			return false;
	}
	return now->busy_ns >= before->busy_ns;
}

/*
 * What a process had at base's time; NULL: it was not there, or not among the top.  Two lives of
 * one pid share no past: each row of base is of one process, of the one that ended first.
 */
static const struct process_row *same_process(const struct sorted *sorted, bool *claimed,
					      const struct process_row *now)
{
	for (size_t i = sorted_from(sorted, now); i < sorted->n; i++) {
		const struct process_row *before = sorted->rows[i];

		if (before->pid != now->pid)
			break;
		if (claimed[i] || !grew_out_of(&now->used, &before->used))
			continue;
		if (before->ended_ns && before->ended_ns != now->ended_ns)
			continue;
		claimed[i] = true;
		return before;
	}
	return NULL;
}

static int by_joules(const void *a, const void *b)
{
	const struct process_row *x = a, *y = b;
	nj_t x_nj = 0, y_nj = 0;

	for (int c = 0; c < _COLUMN_MAX; c++) {
		x_nj += x->used.nj[c];
		y_nj += y->used.nj[c];
	}
	if (x_nj != y_nj)
		return x_nj < y_nj ? 1 : -1;
	return (x->used.busy_ns < y->used.busy_ns) - (x->used.busy_ns > y->used.busy_ns);
}

static int since_processes(const struct snapshot *base, const struct snapshot *end,
			   struct snapshot *to)
{
	_cleanup_(sorted_close) struct sorted sorted = { 0 };
	_free_ bool *claimed = calloc(base->n_processes + 1, sizeof(*claimed));
	int r = sorted_open(&sorted, base->processes, base->n_processes, sizeof(*base->processes),
			    by_pid);

	if (r < 0 || !claimed)
		return -ENOMEM;
	to->processes_capacity = end->n_processes + 1;
	to->processes = calloc(to->processes_capacity, sizeof(*to->processes));
	if (!to->processes)
		return -ENOMEM;
	for (int alive = 0; alive < 2; alive++) {
		for (size_t i = 0; i < end->n_processes; i++) {
			struct process_row row = end->processes[i];
			const struct process_row *before;

			if ((row.ended_ns == 0) != alive)
				continue;
			before = same_process(&sorted, claimed, &row);
			if (before)
				row.used = tally_less(&row.used, &before->used);
			if (!tally_is_zero(&row.used))
				to->processes[to->n_processes++] = row;
		}
	}
	qsort(to->processes, to->n_processes, sizeof(*to->processes), by_joules);
	return 0;
}

int since_names(const struct snapshot *base, const struct snapshot *end, struct snapshot *to)
{
	int r = since_pods(base, end, to);

	if (r == 0)
		r = since_groups(base, end, to);
	if (r == 0)
		r = since_processes(base, end, to);
	return r;
}
