/* SPDX-License-Identifier: Apache-2.0 */
/* podjoule-agent: wiring only.  Open in order, run, close in reverse. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "config.h"
#include "edge.h"
#include "energy/machine.h"
#include "energy/model.h"
#include "names/mailbox.h"
#include "platform/host.h"
#include "platform/lock.h"
#include "platform/log.h"
#include "platform/scope.h"
#include "probe.h"
#include "result.h"
#include "sampler.h"

static void read_facts(const struct config *config, const struct host *host,
		       const struct topology *topology, struct node_facts *ret)
{
	struct machine_facts machine;
	struct utsname kernel;

	machine_facts_read(host, topology, &machine);
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->node, sizeof(ret->node), "%s", config->node_name);
	snprintf(ret->cpu, sizeof(ret->cpu), "%s", machine.cpu);
	if (uname(&kernel) == 0)
		snprintf(ret->kernel, sizeof(ret->kernel), "%s", kernel.release);
	ret->sockets = machine.sockets;
	ret->cores = machine.cores;
	ret->threads = machine.threads;
	ret->virtual = machine.virtual;
}

/* --require: refuse rather than degrade.  Says what is missing; 0 or EXIT_REFUSED. */
static int check_required(const struct config *config, const struct sampler *sampler)
{
	const struct energy *energy = sampler_energy(sampler);
	const struct activity_source *activity = sampler_activity(sampler);
	bool measured = false;
	size_t i;

	for (i = 0; i < energy->n_zones; i++)
		measured |= energy->zones[i].quality == QUALITY_MEASURED;
	if ((config->require & REQUIRE_MEASURED) && !measured)
		log_error("--require=measured: no zone of this node is measured; see "
			  "'podjoule-agent probe', or drop the requirement");
	else if ((config->require & REQUIRE_BPF) && strcmp(activity->driver->name, "bpf") != 0)
		log_error("--require=bpf: activity comes from '%s'; see 'podjoule-agent probe', "
			  "or drop the requirement",
			  activity->driver->name);
	else if ((config->require & REQUIRE_PMU) && !activity->activity.has_counters)
		log_error("--require=pmu: no cycles or instructions are counted; see "
			  "'podjoule-agent probe', or drop the requirement");
	else
		return 0;
	return EXIT_REFUSED;
}

static int run_edge(const struct edge_config *edge)
{
	const struct config *config = edge->config;
	int r = sampler_start(edge->sampler);

	if (r == 0)
		r = edge_run(edge);
	sampler_stop(edge->sampler);
	if (r == 0 && config->duration_ns)
		r = edge_print_result(config, edge->pool);
	return r < 0 ? EXIT_FAILED : r;
}

static void close_sampler(struct sampler **sampler)
{
	sampler_close(*sampler);
}

static void free_pool(struct snapshot_pool **pool)
{
	snapshot_pool_free(*pool);
}

static void free_mailbox(struct mailbox **mailbox)
{
	mailbox_free(*mailbox);
}

static int run_agent(const struct config *config, const struct host *host,
		     const struct topology *topology)
{
	struct node_facts facts;
	_cleanup_(free_pool) struct snapshot_pool *pool = NULL;
	_cleanup_(free_mailbox) struct mailbox *mailbox = NULL;
	_cleanup_(close_sampler) struct sampler *sampler = NULL;
	struct sampler_config sampling = {
		.host = host, .config = config, .topology = topology, .facts = &facts
	};
	struct edge_config edge = { .config = config, .host = host };
	int r = snapshot_pool_new(&pool);

	if (r == 0)
		r = mailbox_new(config->max_cgroups, &mailbox);
	if (r < 0) {
		log_errno(r, "agent: cannot start");
		return EXIT_FAILED;
	}
	sampling.pool = edge.pool = pool;
	sampling.mailbox = edge.mailbox = mailbox;
	/* What runs already may get a name: the first publish comes before anybody was asked. */
	mailbox_set_naming(mailbox, (struct naming){ .any = config->pods != PODS_NONE,
						     .api = config->pods == PODS_AUTO ||
							    config->pods == PODS_KUBE });
	read_facts(config, host, topology, &facts);
	if (sampler_open(&sampling, &sampler) < 0)
		return EXIT_FAILED;
	r = check_required(config, sampler);
	edge.sampler = sampler;
	return r ? r : run_edge(&edge);
}

/* One agent a node serves; runs that only print a result may stand beside it. */
static int run_locked(const struct config *config, const struct host *host,
		      const struct topology *topology)
{
	struct node_lock lock = { .fd = -1 };
	bool serves = !config->duration_ns || config->listen_given;
	int r = 0;

	if (serves && lock_take(NULL, &lock) == -EBUSY) {
		log_error("another agent runs on this node with pid %d; stop it, or use its "
			  "address",
			  (int)lock.pid);
		return EXIT_FAILED;
	}
	r = run_agent(config, host, topology);
	lock_release(&lock);
	return r;
}

int main(int argc, char **argv)
{
	static struct topology topology; /* 14 KB: not on the stack */
	struct config config;
	struct host host;
	int r = config_parse(argc, argv, &config);

	if (r)
		return r - 1;
	edge_block_signals();
	/* One arena: two threads that hardly allocate do not need one each. */
	mallopt(M_ARENA_MAX, 1);
	signal(SIGPIPE, SIG_IGN);
	log_open("podjoule-agent", config.log_level, config.log_format);
	if (host_open(config.sysfs, config.procfs, config.cgroupfs, &host) < 0)
		return EXIT_USAGE;
	topology_read(&host, &topology);
	r = config.command == COMMAND_PROBE ? probe_run(&config, &host, &topology)
					    : run_locked(&config, &host, &topology);
	host_close(&host);
	return r;
}
