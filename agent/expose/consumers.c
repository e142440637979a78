/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/consumers.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LABELS_MAX (64u << 20)

static enum consumer_kind kind_of(const struct snapshot_account *account)
{
	/* The bucket decides, not the name: it says where the energy was booked. */
	switch (account->bucket) {
	case BUCKET_CONTAINERS:
		return account->name && account->name->is.class == PATH_POD ? CONSUMER_POD
									    : CONSUMER_CONTAINER;
	case BUCKET_VMS:
		return CONSUMER_VM;
	default:
		return CONSUMER_UNIT;
	}
}

static bool used_anything(const struct snapshot_account *account)
{
	nj_t nj = 0;

	for (int c = 0; c < _COLUMN_MAX; c++)
		nj |= account->nj[c];
	return nj || account->usage.busy_ns;
}

static void append_labels(struct sbuf *out, const struct consumer *consumer)
{
	char buf[CONSUMER_ID_SIZE];
	const char *id = consumer_id(consumer, buf);

	switch (consumer->kind) {
	case CONSUMER_CONTAINER:
		sbuf_puts(out, "namespace=\"\",pod=\"\",container=\"\",container_id=\"");
		break;
	case CONSUMER_POD:
		sbuf_puts(out, "namespace=\"\",pod=\"\",pod_uid=\"");
		break;
	case CONSUMER_VM:
		sbuf_puts(out, "vm=\"");
		break;
	default:
		sbuf_puts(out, "unit=\"");
		break;
	}
	sbuf_label(out, id);
	if (consumer->kind == CONSUMER_VM) {
		sbuf_puts(out, "\",hypervisor=\"");
		sbuf_label(out, consumer_runtime(consumer));
	}
	sbuf_putc(out, '"');
}

static uint64_t hash_of(const char *text, size_t len, uint64_t seed)
{
	uint64_t hash = 0xcbf29ce484222325u ^ seed;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
	return hash ^ hash >> 29;
}

static bool same_text(const struct consumers *a, size_t a_at, const struct consumers *b,
		      size_t b_at, size_t len)
{
	return !memcmp(a->labels.text + a_at, b->labels.text + b_at, len);
}

/* The slot of the index that holds (or would hold) a consumer of that kind and label. */
static uint32_t *index_slot(const struct consumers *set, const struct consumers *owner,
			    const struct consumer *like)
{
	size_t i = hash_of(owner->labels.text + like->label, like->label_len, like->kind);

	for (;; i++) {
		uint32_t *slot = &set->index[i & set->mask];
		const struct consumer *c = *slot ? &set->all[*slot - 1] : NULL;

		if (!c || (c->kind == like->kind && c->label_len == like->label_len &&
			   same_text(set, c->label, owner, like->label, like->label_len)))
			return slot;
	}
}

static void usage_add(struct usage *sum, const struct usage *usage)
{
	sum->busy_ns += usage->busy_ns;
	sum->cycles += usage->cycles;
	sum->instructions += usage->instructions;
	sum->voluntary += usage->voluntary;
	sum->involuntary += usage->involuntary;
}

static void consumer_add(struct consumer *sum, const struct snapshot_account *account)
{
	const char *path = account->name ? account->name->path : "";

	if (strlen(path) < strlen(consumer_path(sum)))
		sum->account = account;
	if (!account->ended_ns || !sum->ended_ns)
		sum->ended_ns = 0;
	else
		sum->ended_ns = MAX(sum->ended_ns, account->ended_ns);
	usage_add(&sum->usage, &account->usage);
	for (int c = 0; c < _COLUMN_MAX; c++) {
		sum->nj[c] += account->nj[c];
		sum->variance_nj2[c] += account->variance_nj2[c];
	}
}

/* The consumer with the labels of that kind for account, new and empty if need be; or NULL. */
static struct consumer *consumer_of(struct consumers *set, enum consumer_kind kind,
				    const struct snapshot_account *account)
{
	struct consumer one = { .kind = kind,
				.bucket = account->bucket,
				.account = account,
				.label = set->labels.len,
				.ended_ns = account->ended_ns };
	uint32_t *slot;

	append_labels(&set->labels, &one);
	if (set->labels.error)
		return NULL;
	one.label_len = set->labels.len - one.label;
	slot = index_slot(set, set, &one);
	if (*slot) {
		set->labels.len = one.label;
	} else {
		set->all[set->n++] = one;
		*slot = (uint32_t)set->n;
	}
	return &set->all[*slot - 1];
}

static int add_account(struct consumers *set, const struct snapshot_account *account)
{
	enum consumer_kind kind = kind_of(account);
	struct consumer *consumer, *pod = NULL;

	if (kind == CONSUMER_UNIT && !used_anything(account))
		return 0;
	consumer = consumer_of(set, kind, account);
	if (!consumer)
		return set->labels.error;
	consumer_add(consumer, account);

	if (kind == CONSUMER_POD) {
		pod = consumer;
	} else if (kind == CONSUMER_CONTAINER && *consumer_pod_uid(consumer)) {
		pod = consumer_of(set, CONSUMER_POD, consumer->account);
		if (!pod)
			return set->labels.error;
	}
	for (int c = 0; pod && c < _COLUMN_MAX; c++)
		pod->pod_nj[c] += account->nj[c];
	return 0;
}

/* What the buckets hold, and what is left of them besides the consumers. */
static void sum_buckets(struct consumers *set, const struct snapshot *snapshot)
{
	for (size_t z = 0; z < snapshot->n_zones; z++) {
		const struct snapshot_zone *zone = &snapshot->zones[z];

		if (!zone->split || zone->column < 0)
			continue;
		for (int b = 0; b < _BUCKET_ENERGY_MAX; b++)
			set->bucket_nj[b][zone->column] += zone->bucket_nj[b];
	}
	for (int b = 0; b < _BUCKET_ENERGY_MAX; b++) {
		memcpy(set->rest[b].nj, set->bucket_nj[b], sizeof(set->rest[b].nj));
		set->rest[b].busy_ns = snapshot->cpu_ns[b];
	}
	for (size_t i = 0; i < set->n; i++) {
		const struct consumer *consumer = &set->all[i];
		struct bucket_rest *rest = &set->rest[consumer->bucket];

		for (int c = 0; c < _COLUMN_MAX; c++)
			rest->nj[c] -= MIN(rest->nj[c], consumer->nj[c]);
		rest->busy_ns -= MIN(rest->busy_ns, consumer->usage.busy_ns);
	}
}

int consumers_collect(const struct snapshot *snapshot, struct consumers *ret)
{
	_consumers_ struct consumers set = { .labels = SBUF_INIT(LABELS_MAX) };
	size_t slots = 16;
	int r = 0;

	/* Each account may bring a pod with it; the index is never more than half full. */
	while (slots < 4 * snapshot->n_accounts)
		slots *= 2;
	set.mask = slots - 1;
	set.index = calloc(slots, sizeof(*set.index));
	set.all = calloc(2 * snapshot->n_accounts + 1, sizeof(*set.all));
	if (!set.index || !set.all)
		return -ENOMEM;

	for (size_t i = 0; i < snapshot->n_accounts && r == 0; i++) {
		const struct snapshot_account *account = &snapshot->accounts[i];

		if (account->bucket >= _BUCKET_ENERGY_MAX)
			continue;
		if (account->owner == OWNER_CGROUP)
			r = add_account(&set, account);
		else
			set.rest[account->bucket].switches +=
				account->usage.voluntary + account->usage.involuntary;
	}
	if (r < 0)
		return r;
	sum_buckets(&set, snapshot);

	*ret = set;
	set = (struct consumers){ 0 };
	return 0;
}

void consumers_free(struct consumers *consumers)
{
	free(consumers->all);
	free(consumers->index);
	sbuf_free(&consumers->labels);
	*consumers = (struct consumers){ 0 };
}

const struct consumer *consumers_find(const struct consumers *consumers,
				      const struct consumers *owner, const struct consumer *like)
{
	uint32_t *slot = index_slot(consumers, owner, like);

	return *slot ? &consumers->all[*slot - 1] : NULL;
}

const char *consumer_id(const struct consumer *consumer, char buf[CONSUMER_ID_SIZE])
{
	const struct name *name = consumer->account->name;
	const char *id = "";

	if (name && consumer->kind == CONSUMER_CONTAINER)
		id = name->is.container_id;
	else if (name && consumer->kind == CONSUMER_POD)
		return name->is.pod_uid;
	else if (name && consumer->kind == CONSUMER_VM)
		id = *name->is.vm ? name->is.vm : name->is.unit;
	else if (name)
		id = *name->is.unit ? name->is.unit : name->path;
	if (*id)
		return id;
	snprintf(buf, CONSUMER_ID_SIZE, "cgroup:%" PRIu64, consumer->account->cgroup_id);
	return buf;
}

const char *consumer_kind_name(enum consumer_kind kind)
{
	static const char *const names[] = {
		[CONSUMER_CONTAINER] = "container",
		[CONSUMER_POD] = "pod",
		[CONSUMER_VM] = "vm",
		[CONSUMER_UNIT] = "unit",
	};
	_Static_assert(ARRAY_SIZE(names) == _CONSUMER_MAX, "every kind has a name");

	return names[kind];
}

const char *consumer_path(const struct consumer *consumer)
{
	return consumer->account->name ? consumer->account->name->path : "";
}

const char *consumer_pod_uid(const struct consumer *consumer)
{
	return consumer->account->name ? consumer->account->name->is.pod_uid : "";
}

const char *consumer_runtime(const struct consumer *consumer)
{
	return consumer->account->name ? consumer->account->name->is.runtime : "";
}

nj_t consumer_total_nj(const nj_t nj[_COLUMN_MAX])
{
	nj_t sum = 0;

	for (int c = 0; c < _COLUMN_MAX; c++)
		sum += nj[c];
	return sum;
}
