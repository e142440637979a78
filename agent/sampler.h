/* SPDX-License-Identifier: Apache-2.0 */
/* Sampler: the tick.  Reads activity and energy, posts to the ledger, publishes snapshots. */
#ifndef PODJOULE_SAMPLER_H
#define PODJOULE_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "activity/activity.h"
#include "config.h"
#include "energy/energy.h"
#include "expose/snapshot.h"
#include "names/mailbox.h"
#include "platform/host.h"

struct sampler;

struct sampler_config {
	const struct host *host;
	const struct config *config;
	const struct topology *topology;
	struct node_facts *facts; /* tier, activity and start times are filled in by open */
	struct snapshot_pool *pool;
	struct mailbox *mailbox; /* names that others find out */
};

/* Open the sources and take the first sample; logs what was chosen.  0 or -errno. */
int sampler_open(const struct sampler_config *config, struct sampler **ret);
void sampler_close(struct sampler *sampler);

/* One tick now, whoever calls; publish: also fill a snapshot.  What tests and --duration use. */
int sampler_tick(struct sampler *sampler, bool publish);
/* Run ticks by activity (DESIGN law 4) in a thread of its own until sampler_stop(). */
int sampler_start(struct sampler *sampler);
void sampler_stop(struct sampler *sampler); /* joins; a last tick and publish included */

/* Age of the newest tick in nanoseconds, and the longest that it should be: for /healthz. */
uint64_t sampler_age_ns(const struct sampler *sampler, uint64_t *ret_limit_ns);

const struct energy *sampler_energy(const struct sampler *sampler);
const struct activity_source *sampler_activity(const struct sampler *sampler);

#endif
