/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/sums.h"

#include <errno.h>
#include <stdlib.h>

static void append(struct sbuf *out, const char *before, const char *value)
{
	sbuf_puts(out, before);
	sbuf_label(out, value);
}

static void append_group(struct sbuf *out, const struct group_key *key)
{
	switch (key->kind) {
	case GROUP_NAMESPACE:
		append(out, "namespace=\"", key->namespace);
		break;
	case GROUP_WORKLOAD:
		append(out, "namespace=\"", key->namespace);
		append(out, "\",kind=\"", key->owner);
		append(out, "\",workload=\"", key->name);
		if (key->derived)
			sbuf_puts(out, "\",derived=\"true");
		break;
	default:
		append(out, "platform=\"", function_platform_name(key->platform));
		append(out, "\",namespace=\"", key->namespace);
		append(out, "\",function=\"", key->name);
		append(out, "\",revision=\"", key->revision);
		break;
	}
	sbuf_putc(out, '"');
}

static void append_labels(struct sbuf *out, const struct sum *sum)
{
	if (!sum->process) {
		append_group(out, sum->key);
		return;
	}
	sbuf_printf(out, "pid=\"%d", sum->process->pid);
	append(out, "\",comm=\"", sum->process->comm);
	append(out, "\",container_id=\"", sum->container_id);
	sbuf_putc(out, '"');
}

static int add_sum(struct sums *set, const struct sum *part)
{
	size_t at = set->labels.text.len;
	uint32_t index;
	struct sum *sum;

	append_labels(&set->labels.text, part);
	index = labels_add(&set->labels, part->kind, at, set->labels.text.len - at);
	if (index == LABELS_NONE)
		return set->labels.text.error;
	sum = &set->all[index];
	if (index == set->n) {
		*sum = *part;
		set->n++;
		return 0;
	}
	tally_add(&sum->total, &part->total);
	tally_add(&sum->overhead, &part->overhead);
	tally_add(&sum->cold, &part->cold);
	sum->pods += part->pods;
	sum->cold_starts += part->cold_starts;
	return 0;
}

static int add_group(struct sums *set, const struct snapshot_group *group)
{
	static const enum sum_kind kinds[_GROUP_KIND_MAX] = {
		[GROUP_NAMESPACE] = SUM_NAMESPACE,
		[GROUP_WORKLOAD] = SUM_WORKLOAD,
		[GROUP_FUNCTION] = SUM_FUNCTION,
	};

	return add_sum(set, &(struct sum){ .kind = kinds[group->key->kind],
					   .key = group->key,
					   .total = group->total,
					   .overhead = group->overhead,
					   .cold = group->cold,
					   .pods = group->pods,
					   .cold_starts = group->cold_starts });
}

/* By cgroup; of one that ended and one that has its id now, the one that lives first. */
static int by_cgroup(const void *a, const void *b)
{
	const struct snapshot_account *x = *(const struct snapshot_account *const *)a;
	const struct snapshot_account *y = *(const struct snapshot_account *const *)b;

	if (x->cgroup_id != y->cgroup_id)
		return x->cgroup_id < y->cgroup_id ? -1 : 1;
	return (x->ended_ns != 0) - (y->ended_ns != 0);
}

static const char *container_of_cgroup(const struct snapshot_account *const *accounts, size_t n,
				       uint64_t cgroup_id)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (accounts[middle]->cgroup_id < cgroup_id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == n || accounts[low]->cgroup_id != cgroup_id || !accounts[low]->name)
		return "";
	return accounts[low]->name->is.container_id;
}

static int add_processes(struct sums *set, const struct snapshot *snapshot)
{
	_free_ const struct snapshot_account **accounts = NULL;
	int r = 0;

	if (!snapshot->n_processes)
		return 0;
	accounts = calloc(snapshot->n_accounts + 1, sizeof(*accounts));
	if (!accounts)
		return -ENOMEM;
	for (size_t i = 0; i < snapshot->n_accounts; i++)
		accounts[i] = &snapshot->accounts[i];
	qsort(accounts, snapshot->n_accounts, sizeof(*accounts), by_cgroup);
	for (size_t i = 0; i < snapshot->n_processes && r == 0; i++) {
		const struct process_row *process = &snapshot->processes[i];
		const char *id = "";

		if (process->cgroup_id) /* 0: not known, or a fixed owner */
			id = container_of_cgroup(accounts, snapshot->n_accounts,
						 process->cgroup_id);
		r = add_sum(set, &(struct sum){ .kind = SUM_PROCESS,
						.process = process,
						.container_id = id,
						.total = process->used });
	}
	return r;
}

int sums_collect(const struct snapshot *snapshot, struct sums *ret)
{
	_sums_ struct sums set = { 0 };
	size_t max = snapshot->n_groups + snapshot->n_processes;
	int r;

	set.all = calloc(max + 1, sizeof(*set.all));
	if (!set.all)
		return -ENOMEM;
	r = labels_open(&set.labels, max);
	for (size_t i = 0; i < snapshot->n_groups && r == 0; i++)
		r = add_group(&set, &snapshot->groups[i]);
	if (r == 0)
		r = add_processes(&set, snapshot);
	if (r < 0)
		return r;

	*ret = set;
	set = (struct sums){ 0 };
	return 0;
}

void sums_free(struct sums *sums)
{
	free(sums->all);
	labels_free(&sums->labels);
	*sums = (struct sums){ 0 };
}

const struct sum *sums_find(const struct sums *sums, const struct sums *owner,
			    const struct sum *like)
{
	uint32_t index = labels_find(&sums->labels, &owner->labels, (uint32_t)(like - owner->all));

	return index == LABELS_NONE ? NULL : &sums->all[index];
}
