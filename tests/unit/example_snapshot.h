/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Example: snapshots made by hand from a seed, with names as nobody should have them.  What the
 * buckets hold is booked together with the accounts, so that every law can be asked of the text.
 */
#ifndef PODJOULE_EXAMPLE_SNAPSHOT_H
#define PODJOULE_EXAMPLE_SNAPSHOT_H

#include <stdio.h>
#include <string.h>

#include "expose/snapshot.h"
#include "platform/scope.h"

enum { EXAMPLE_PACKAGE_0, EXAMPLE_PACKAGE_1, EXAMPLE_DRAM, EXAMPLE_CORE, EXAMPLE_ZONES };

static inline bool example_has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

struct example {
	struct node_facts facts;
	struct snapshot snapshot;
	struct groups *keys; /* makes the groups' keys */
	uint64_t random;
};

static const char *const example_hostile[] = {
	"a\nb",           "say \"hi\"",
	"back\\slash",    "\xff\xfe bytes",
	"\xff\xfd bytes", "tab\there",
	"\033[2Jcls",     "\302\233C1",
	"caf\303\251",    "\346\227\245\346\234\254",
	"cut\303",        "\355\240\200",
	"\342\200\256x",  "a,b;c",
	"=1+1",           "\001\002\177",
	" spaces ",
};

static inline uint64_t example_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline uint64_t example_below(struct example *e, uint64_t n)
{
	return example_next(&e->random) % n;
}

/* Energy for an account: in its column, and in its bucket of one of the column's devices. */
static inline void example_book(struct example *e, struct snapshot_account *account, uint64_t nj)
{
	size_t zone = example_below(e, EXAMPLE_CORE);
	struct snapshot_zone *to;

	/* What may be renamed has all of a column on one device: no account says which. */
	if (zone == EXAMPLE_PACKAGE_1 && !account->name)
		zone = EXAMPLE_PACKAGE_0;
	to = &e->snapshot.zones[zone];

	account->nj[to->column] += nj;
	if (account->pod != POD_NONE)
		e->snapshot.pods[account->pod].total.nj[to->column] += nj;
	account->variance_nj2[to->column] += (double)nj;
	to->bucket_nj[account->bucket] += nj;
	to->nj += nj;
}

static inline void example_work(struct example *e, struct snapshot_account *account)
{
	uint64_t ns = example_below(e, 1000000000);

	account->usage.busy_ns += ns;
	account->usage.cycles += 2 * ns;
	account->usage.instructions += 3 * ns;
	account->usage.voluntary += example_below(e, 100);
	account->usage.involuntary += example_below(e, 10);
	e->snapshot.cpu_ns[account->bucket] += ns;
	if (account->pod != POD_NONE)
		e->snapshot.pods[account->pod].total.busy_ns += ns;
	if (account->bucket == BUCKET_CONTAINERS)
		account->idle_nj[COLUMN_PACKAGE] += example_below(e, 1000000000);
	for (int i = 0; i < 4; i++)
		example_book(e, account, example_below(e, 5000000000));
}

static inline struct name *example_name(const char *path, enum path_class class)
{
	struct name *name = calloc(1, sizeof(*name) + strlen(path) + 1);

	if (!name)
		abort();
	memcpy(name->path, path, strlen(path) + 1);
	atomic_init(&name->refs, 1);
	name->is.class = class;
	name->bucket = class == PATH_VM       ? BUCKET_VMS
		       : class == PATH_SYSTEM ? BUCKET_SYSTEM
					      : BUCKET_CONTAINERS;
	return name;
}

static inline struct snapshot_account *example_add(struct example *e, uint64_t cgroup_id,
						   struct name *name)
{
	struct snapshot *s = &e->snapshot;
	struct snapshot_account *account;

	if (s->n_accounts == s->capacity) {
		s->capacity = 2 * s->capacity + 16;
		s->accounts = realloc(s->accounts, s->capacity * sizeof(*s->accounts));
		if (!s->accounts)
			abort();
	}
	account = &s->accounts[s->n_accounts++];
	*account = (struct snapshot_account){ .cgroup_id = cgroup_id,
					      .owner = OWNER_CGROUP,
					      .name = name,
					      .pod = POD_NONE,
					      .bucket = name ? name->bucket : BUCKET_SYSTEM };
	return account;
}

static inline struct snapshot_account *example_container(struct example *e, uint64_t cgroup_id,
							 const char *id, const char *pod_uid)
{
	char path[600];
	struct name *name;

	snprintf(path, sizeof(path), "/kubepods/pod%s/%s", pod_uid, id);
	name = example_name(path, PATH_CONTAINER);
	snprintf(name->is.container_id, sizeof(name->is.container_id), "%s", id);
	snprintf(name->is.pod_uid, sizeof(name->is.pod_uid), "%.39s", pod_uid);
	snprintf(name->is.runtime, sizeof(name->is.runtime), "containerd");
	return example_add(e, cgroup_id, name);
}

static inline struct snapshot_account *example_pod(struct example *e, uint64_t cgroup_id,
						   const char *uid)
{
	char path[600];
	struct name *name;

	snprintf(path, sizeof(path), "/kubepods/pod%s", uid);
	name = example_name(path, PATH_POD);
	snprintf(name->is.pod_uid, sizeof(name->is.pod_uid), "%.39s", uid);
	return example_add(e, cgroup_id, name);
}

static inline struct snapshot_account *example_unit(struct example *e, uint64_t cgroup_id,
						    const char *unit)
{
	char path[600];
	struct name *name;

	snprintf(path, sizeof(path), "/system.slice/%s", unit);
	name = example_name(path, PATH_SYSTEM);
	snprintf(name->is.unit, sizeof(name->is.unit), "%s", unit);
	return example_add(e, cgroup_id, name);
}

static inline struct snapshot_account *example_vm(struct example *e, uint64_t cgroup_id,
						  const char *vm)
{
	char path[600];
	struct name *name;

	snprintf(path, sizeof(path), "/machine.slice/%s", vm);
	name = example_name(path, PATH_VM);
	snprintf(name->is.vm, sizeof(name->is.vm), "%s", vm);
	snprintf(name->is.runtime, sizeof(name->is.runtime), "qemu");
	return example_add(e, cgroup_id, name);
}

static inline void example_zone(struct example *e, int at, enum zone_kind kind, const char *device,
				int column)
{
	struct snapshot_zone *zone = &e->snapshot.zones[at];

	*zone = (struct snapshot_zone){ .zone = { .kind = kind,
						  .package = -1,
						  .quality = QUALITY_MEASURED,
						  .source = "powercap",
						  .error_ratio = 0.02 },
					.split = column >= 0,
					.column = column,
					.interval_nj = 2500000000,
					.interval_ns = 1000000000,
					.stddev_joules = 0.25,
					.total_stddev_joules = 0.5 };
	snprintf(zone->zone.device, sizeof(zone->zone.device), "%s", device);
	if (column >= 0)
		e->snapshot.has_column[column] = true;
	/* Idle energy, and for a zone that is not split all that it has. */
	zone->bucket_nj[BUCKET_IDLE] = example_below(e, 9000000000000);
	zone->nj = zone->bucket_nj[BUCKET_IDLE];
}

static inline void example_fixed(struct example *e, enum owner owner, enum bucket bucket)
{
	struct snapshot_account *account = example_add(e, 0, NULL);

	account->owner = (int)owner;
	account->bucket = bucket;
	example_work(e, account);
}

/* A node with two packages, dram and core, its fixed owners and nothing else. */
static inline void example_open(struct example *e, uint64_t seed)
{
	*e = (struct example){ .random = seed * 0x9e3779b97f4a7c15u + 1 };
	e->facts = (struct node_facts){ .node = "n1",
					.cpu = "Example CPU \"9\"",
					.kernel = "6.18.0",
					.tier = "host",
					.sockets = 2,
					.cores = 4,
					.threads = 8,
					.activity = "bpf",
					.hierarchy = "unified",
					.has_counters = true,
					.publish_ns = 1000000000,
					.start_wall_ns = 1767225600000000000,
					.start_mono_ns = 1000000000 };
	e->snapshot.facts = &e->facts;
	e->snapshot.start_t_ns = e->facts.start_mono_ns;
	e->snapshot.start_wall_ns = e->facts.start_wall_ns;
	e->snapshot.t_ns = e->facts.start_mono_ns + 12500000000;
	e->snapshot.wall_ns = e->facts.start_wall_ns + 12500000000;
	e->snapshot.cpus = 8;
	e->snapshot.shares_idle = example_below(e, 2);
	e->snapshot.stats.watches_api = example_below(e, 2);
	if (groups_new(1024, &e->keys) < 0)
		abort();
	e->snapshot.n_zones = EXAMPLE_ZONES;
	example_zone(e, EXAMPLE_PACKAGE_0, ZONE_PACKAGE, "0", COLUMN_PACKAGE);
	example_zone(e, EXAMPLE_PACKAGE_1, ZONE_PACKAGE, "1", COLUMN_PACKAGE);
	example_zone(e, EXAMPLE_DRAM, ZONE_DRAM, "0", COLUMN_DRAM);
	example_zone(e, EXAMPLE_CORE, ZONE_CORE, "0", -1);
	e->snapshot.cpu_ns[BUCKET_IDLE] = 90000000000;
	example_fixed(e, OWNER_OVERFLOW, BUCKET_UNATTRIBUTED);
	example_fixed(e, OWNER_KERNEL, BUCKET_KERNEL);
	example_fixed(e, OWNER_IRQ, BUCKET_KERNEL);
}

static inline void example_close(struct example *e)
{
	struct snapshot *s = &e->snapshot;

	for (size_t i = 0; i < s->n_accounts; i++)
		name_unref(s->accounts[i].name);
	for (size_t i = 0; i < s->n_pods; i++) {
		for (int source = 0; source < _POD_SOURCE_MAX; source++)
			pod_unref(s->pods[i].facts[source]);
	}
	for (size_t i = 0; i < s->n_groups; i++)
		group_key_unref(s->groups[i].key);
	groups_free(e->keys);
	free(s->accounts);
	free(s->pods);
	free(s->groups);
	free(s->processes);
}

#endif
