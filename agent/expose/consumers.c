/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/consumers.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define NO_CONSUMER UINT32_MAX

static const struct path_name *path_of(const struct snapshot_account *account)
{
	static const struct path_name none;

	return account && account->name ? &account->name->is : &none;
}

static const struct snapshot_pod *pod_of(const struct consumers *set,
					 const struct snapshot_account *account)
{
	return account->pod < set->snapshot->n_pods ? &set->snapshot->pods[account->pod] : NULL;
}

/* The best facts that there are, or NULL. */
static const struct pod *facts_of(const struct snapshot_pod *pod)
{
	if (!pod)
		return NULL;
	return pod->facts[POD_FROM_API] ? pod->facts[POD_FROM_API] : pod->facts[POD_FROM_LOCAL];
}

static bool is_in_a_pod(const struct consumers *set, const struct snapshot_account *account)
{
	const struct snapshot_pod *pod = pod_of(set, account);

	return pod ? pod->is_pod : *path_of(account)->pod_uid != '\0';
}

static enum consumer_kind kind_of(const struct consumers *set,
				  const struct snapshot_account *account)
{
	/* The bucket decides, not the name: it says where the energy was booked. */
	switch (account->bucket) {
	case BUCKET_CONTAINERS:
		if (path_of(account)->class == PATH_POD)
			return CONSUMER_POD;
		return account->sandbox && is_in_a_pod(set, account) ? CONSUMER_POD
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

static void append(struct sbuf *out, const char *before, const char *value)
{
	sbuf_puts(out, before);
	sbuf_label(out, value);
}

static void append_labels(struct sbuf *out, const struct consumer *consumer)
{
	char buf[CONSUMER_ID_SIZE];
	const char *id = consumer_id(consumer, buf);

	switch (consumer->kind) {
	case CONSUMER_CONTAINER:
		append(out, "namespace=\"", consumer_namespace(consumer));
		append(out, "\",pod=\"", consumer_pod_name(consumer));
		append(out, "\",container=\"", consumer_container_name(consumer));
		append(out, "\",container_id=\"", id);
		break;
	case CONSUMER_POD:
		append(out, "namespace=\"", consumer_namespace(consumer));
		append(out, "\",pod=\"", consumer_pod_name(consumer));
		append(out, "\",pod_uid=\"", id);
		break;
	case CONSUMER_VM:
		append(out, "vm=\"", id);
		append(out, "\",hypervisor=\"", consumer_runtime(consumer));
		break;
	default:
		append(out, "unit=\"", id);
		break;
	}
	sbuf_putc(out, '"');
}

/*
 * The consumer with the labels of like, a copy of like if there was none; or NULL.  What users
 * have asked for with --pod-label follows the key: it never tells two series apart.
 */
static struct consumer *consumer_like(struct consumers *set, const struct consumer *like)
{
	size_t at = set->labels.text.len, key_len;
	const struct pod *facts = facts_of(like->pod);
	uint32_t index;

	append_labels(&set->labels.text, like);
	key_len = set->labels.text.len - at;
	if (facts && (like->kind == CONSUMER_CONTAINER || like->kind == CONSUMER_POD))
		sbuf_puts(&set->labels.text, facts->labels);
	index = labels_add(&set->labels, like->kind, at, key_len);
	if (index == LABELS_NONE)
		return NULL;
	if (index == set->n)
		set->all[set->n++] = *like;
	return &set->all[index];
}

static uint64_t end_of_both(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns && b_ns ? MAX(a_ns, b_ns) : 0;
}

static int add_pod(struct consumers *set, size_t index)
{
	const struct snapshot_pod *pod = &set->snapshot->pods[index];
	const struct consumer like = { .kind = CONSUMER_POD,
				       .bucket = BUCKET_CONTAINERS,
				       .pod = pod,
				       .ended_ns = pod->ended_ns };
	struct consumer *consumer;

	set->of_pod[index] = NO_CONSUMER;
	if (!pod->is_pod)
		return 0;
	consumer = consumer_like(set, &like);
	if (!consumer)
		return set->labels.text.error;
	consumer->ended_ns = end_of_both(consumer->ended_ns, pod->ended_ns);
	tally_add(&consumer->with_containers, &pod->total);
	set->of_pod[index] = (uint32_t)(consumer - set->all);
	return 0;
}

/* A pod that no table has room for goes by the uid in its cgroup's path, and has what is alive. */
static struct consumer *nameless_pod(struct consumers *set, const struct snapshot_account *account)
{
	const struct consumer like = { .kind = CONSUMER_POD,
				       .bucket = account->bucket,
				       .account = account,
				       .ended_ns = account->ended_ns };
	struct consumer *pod = consumer_like(set, &like);

	if (!pod)
		return NULL;
	pod->ended_ns = end_of_both(pod->ended_ns, account->ended_ns);
	for (int c = 0; c < _COLUMN_MAX; c++)
		pod->with_containers.nj[c] += account->nj[c];
	pod->with_containers.busy_ns += account->usage.busy_ns;
	return pod;
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

	if (!sum->account || strlen(path) < strlen(consumer_path(sum)))
		sum->account = account;
	if (sum->kind != CONSUMER_POD)
		sum->ended_ns = end_of_both(sum->ended_ns, account->ended_ns);
	usage_add(&sum->usage, &account->usage);
	for (int c = 0; c < _COLUMN_MAX; c++) {
		sum->nj[c] += account->nj[c];
		sum->idle_nj[c] += account->idle_nj[c];
		sum->variance_nj2[c] += account->variance_nj2[c];
	}
}

static int add_account(struct consumers *set, const struct snapshot_account *account)
{
	const struct consumer like = { .kind = kind_of(set, account),
				       .bucket = account->bucket,
				       .account = account,
				       .pod = pod_of(set, account),
				       .ended_ns = account->ended_ns };
	struct consumer *consumer, *pod = NULL;

	if (like.kind == CONSUMER_UNIT && !used_anything(account))
		return 0;
	if (like.pod && set->of_pod[account->pod] != NO_CONSUMER) {
		pod = &set->all[set->of_pod[account->pod]];
	} else if (like.kind == CONSUMER_POD ||
		   (like.kind == CONSUMER_CONTAINER && is_in_a_pod(set, account))) {
		pod = nameless_pod(set, account);
		if (!pod)
			return set->labels.text.error;
	}
	consumer = like.kind == CONSUMER_POD ? pod : consumer_like(set, &like);
	if (!consumer)
		return set->labels.text.error;
	consumer_add(consumer, account);
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

static int consumers_open(struct consumers *set, const struct snapshot *snapshot)
{
	/* Each account may bring a pod with it. */
	size_t max = 2 * snapshot->n_accounts + snapshot->n_pods;

	set->snapshot = snapshot;
	set->all = calloc(max + 1, sizeof(*set->all));
	set->of_pod = calloc(snapshot->n_pods + 1, sizeof(*set->of_pod));
	if (!set->all || !set->of_pod)
		return -ENOMEM;
	return labels_open(&set->labels, max);
}

int consumers_collect(const struct snapshot *snapshot, struct consumers *ret)
{
	_consumers_ struct consumers set = { 0 };
	int r = consumers_open(&set, snapshot);

	for (size_t i = 0; i < snapshot->n_pods && r == 0; i++)
		r = add_pod(&set, i);
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
	free(consumers->of_pod);
	labels_free(&consumers->labels);
	*consumers = (struct consumers){ 0 };
}

const struct consumer *consumers_find(const struct consumers *consumers,
				      const struct consumers *owner, const struct consumer *like)
{
	uint32_t index =
		labels_find(&consumers->labels, &owner->labels, (uint32_t)(like - owner->all));

	return index == LABELS_NONE ? NULL : &consumers->all[index];
}

const char *consumer_id(const struct consumer *consumer, char buf[CONSUMER_ID_SIZE])
{
	const struct path_name *is = path_of(consumer->account);
	const char *id = "";

	switch (consumer->kind) {
	case CONSUMER_CONTAINER:
		id = is->container_id;
		break;
	case CONSUMER_POD:
		return consumer_pod_uid(consumer);
	case CONSUMER_VM:
		id = *is->vm ? is->vm : is->unit;
		break;
	default:
		id = *is->unit ? is->unit : consumer_path(consumer);
		break;
	}
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
	return consumer->account && consumer->account->name ? consumer->account->name->path : "";
}

const char *consumer_namespace(const struct consumer *consumer)
{
	const struct pod *facts = facts_of(consumer->pod);

	return facts ? facts->namespace : "";
}

const char *consumer_pod_name(const struct consumer *consumer)
{
	const struct pod *facts = facts_of(consumer->pod);

	return facts ? facts->name : "";
}

const char *consumer_pod_uid(const struct consumer *consumer)
{
	if (consumer->pod)
		return consumer->pod->is_pod ? consumer->pod->key : "";
	return path_of(consumer->account)->pod_uid;
}

static const struct pod_container *container_of_consumer(const struct consumer *consumer)
{
	if (consumer->kind != CONSUMER_CONTAINER || !consumer->account)
		return NULL;
	return consumer->account->container;
}

const char *consumer_container_name(const struct consumer *consumer)
{
	const struct pod_container *container = container_of_consumer(consumer);

	return container ? container->name : "";
}

const char *consumer_role(const struct consumer *consumer)
{
	static const char *const names[] = {
		[CONTAINER_MAIN] = "main",
		[CONTAINER_INIT] = "init",
		[CONTAINER_EPHEMERAL] = "ephemeral",
		[CONTAINER_SANDBOX] = "",
	};
	const struct pod_container *container = container_of_consumer(consumer);

	return container && container->role < ARRAY_SIZE(names) ? names[container->role] : "";
}

const char *consumer_runtime(const struct consumer *consumer)
{
	return path_of(consumer->account)->runtime;
}

const char *consumer_vm_uuid(const struct consumer *consumer)
{
	return path_of(consumer->account)->vm_uuid;
}

const struct function *consumer_function(const struct consumer *consumer)
{
	const struct pod *facts = facts_of(consumer->pod);

	return facts && facts->function.platform != FUNCTION_NONE ? &facts->function : NULL;
}

nj_t consumer_total_nj(const nj_t nj[_COLUMN_MAX])
{
	nj_t sum = 0;

	for (int c = 0; c < _COLUMN_MAX; c++)
		sum += nj[c];
	return sum;
}
