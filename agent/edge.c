/* SPDX-License-Identifier: Apache-2.0 */
#include "edge.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "expose/page.h"
#include "live.h"
#include "naming.h"
#include "platform/host.h"
#include "platform/log.h"
#include "platform/loop.h"
#include "platform/notify.h"

#define NS_PER_SECOND 1000000000ull
#define STATUS_NS     (60 * NS_PER_SECOND)
#define READY_LOOK_NS (NS_PER_SECOND / 10)

/* --require=pods: so long may the first answer take, and in such steps it is looked for. */
#define NAMES_LIMIT_NS (10 * NS_PER_SECOND)
#define NAMES_LOOK_NS  (NS_PER_SECOND / 10)

/*
 * Rendered texts and snapshots are large and short-lived.  With a fixed threshold they are mapped
 * and given back whole; glibc's own, which grows with each of them, keeps megabytes on the heap.
 */
#define MAP_FROM_BYTES (128 << 10)

static const int signals[] = { SIGINT, SIGTERM, SIGWINCH };

struct edge {
	const struct config *config;
	struct snapshot_pool *pool;
	struct sampler *sampler;
	struct loop *loop;
	struct page_server *page, *health;
	struct live *live;
	struct naming_sources *naming;
	struct loop_timer *duration, *notify, *watchdog, *names;
	uint64_t watchdog_ns, names_until_ns;
	bool ready, refused;
};

void edge_block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool healthy(void *ctx, char *ret_line, unsigned int size)
{
	const struct edge *edge = ctx;
	uint64_t limit_ns, age_ns = sampler_age_ns(edge->sampler, &limit_ns);
	bool well = age_ns <= limit_ns;

	snprintf(ret_line, size, "%s: the last sample is %.1f s old, at most %.1f s are normal",
		 well ? "ok" : "not ok", (double)age_ns / NS_PER_SECOND,
		 (double)limit_ns / NS_PER_SECOND);
	return well;
}

/* "STATUS=3 zones, 41 cgroups, package 187.4 W": what `systemctl status` shows. */
static void send_status(const struct snapshot *snapshot, bool first)
{
	char watts[96] = "";
	size_t len = 0, n_cgroups = 0;

	for (size_t i = 0; i < snapshot->n_accounts; i++)
		n_cgroups += snapshot->accounts[i].cgroup_id && !snapshot->accounts[i].ended_ns;
	for (int kind = 0; kind < _ZONE_KIND_MAX; kind++) {
		double sum_w = 0;
		bool known = false;

		for (size_t i = 0; i < snapshot->n_zones; i++) {
			const struct snapshot_zone *zone = &snapshot->zones[i];

			if ((int)zone->zone.kind != kind || !zone->interval_ns)
				continue;
			sum_w += (double)zone->interval_nj / (double)zone->interval_ns;
			known = true;
		}
		if (known && len < sizeof(watts))
			len += (size_t)snprintf(watts + len, sizeof(watts) - len, ", %s %.1f W",
						zone_kind_name((enum zone_kind)kind), sum_w);
	}
	notify_send("%sSTATUS=%zu zones, %zu cgroups%s\n", first ? "READY=1\n" : "",
		    snapshot->n_zones, n_cgroups, watts);
}

static void on_notify(void *ctx)
{
	struct edge *edge = ctx;
	struct snapshot *snapshot = snapshot_current(edge->pool);
	uint64_t wait_ns = READY_LOOK_NS;

	if (snapshot) {
		send_status(snapshot, !edge->ready);
		edge->ready = true;
		wait_ns = STATUS_NS;
		snapshot_put(edge->pool, snapshot);
	}
	loop_timer_set(edge->notify, host_monotonic_ns() + wait_ns);
}

/* A sampler that hangs stops the heartbeat, and the service manager starts us anew. */
static void on_watchdog(void *ctx)
{
	struct edge *edge = ctx;
	char line[160];

	if (healthy(edge, line, sizeof(line)))
		notify_send("WATCHDOG=1\n");
	loop_timer_set(edge->watchdog, host_monotonic_ns() + edge->watchdog_ns);
}

/* --require=pods: somebody names them, or we refuse. */
static void on_names(void *ctx)
{
	struct edge *edge = ctx;
	uint64_t now_ns = host_monotonic_ns();
	bool known, works = naming_works(edge->naming, &known);

	if (works)
		return;
	if (!known && now_ns < edge->names_until_ns) {
		loop_timer_set(edge->names, now_ns + NAMES_LOOK_NS);
		return;
	}
	log_error("--require=pods: neither an API server nor files of this node name its pods; see "
		  "the log above, or drop the requirement");
	edge->refused = true;
	loop_stop(edge->loop);
}

static void on_duration(void *ctx)
{
	struct edge *edge = ctx;

	loop_stop(edge->loop);
}

static void on_signal(void *ctx, int signal)
{
	struct edge *edge = ctx;

	if (signal == SIGWINCH)
		live_resized(edge->live);
	else
		loop_stop(edge->loop);
}

/* Where nobody listens no timer runs: an idle agent is not woken for it. */
static int open_timers(struct edge *edge)
{
	uint64_t now_ns = host_monotonic_ns();
	const char *socket = getenv("NOTIFY_SOCKET");
	int r;

	if (edge->config->duration_ns) {
		r = loop_timer_new(edge->loop, on_duration, edge, &edge->duration);
		if (r < 0)
			return r;
		loop_timer_set(edge->duration, now_ns + edge->config->duration_ns);
	}
	if (!socket || !*socket)
		return 0;
	r = loop_timer_new(edge->loop, on_notify, edge, &edge->notify);
	if (r < 0)
		return r;
	loop_timer_set(edge->notify, now_ns);
	edge->watchdog_ns = notify_watchdog_ns();
	if (!edge->watchdog_ns)
		return 0;
	r = loop_timer_new(edge->loop, on_watchdog, edge, &edge->watchdog);
	if (r < 0)
		return r;
	loop_timer_set(edge->watchdog, now_ns + edge->watchdog_ns);
	return 0;
}

static int open_naming(struct edge *edge, const struct edge_config *config)
{
	const struct naming_config naming = {
		.config = config->config,
		.host = config->host,
		.hierarchy = sampler_activity(config->sampler)->hierarchy,
		.mailbox = config->mailbox,
		.pool = config->pool,
	};
	int r = naming_open(edge->loop, &naming, &edge->naming);

	if (r < 0 || !(config->config->require & REQUIRE_PODS))
		return r;
	r = loop_timer_new(edge->loop, on_names, edge, &edge->names);
	if (r < 0)
		return log_errno(r, "edge: cannot make timers");
	edge->names_until_ns = host_monotonic_ns() + NAMES_LIMIT_NS;
	loop_timer_set(edge->names, host_monotonic_ns());
	return 0;
}

static int open_pages(struct edge *edge)
{
	const struct config *config = edge->config;
	struct page_config page = { .host = config->listen_host,
				    .port = config->listen_port,
				    .pool = edge->pool,
				    .healthy = healthy,
				    .ctx = edge };
	struct page_config health = { .host = config->health_host,
				      .port = config->health_port,
				      .health_only = true,
				      .pool = edge->pool,
				      .healthy = healthy,
				      .ctx = edge };
	int r;

	if (!config->duration_ns || config->listen_given) {
		r = page_open(edge->loop, &page, &edge->page);
		if (r < 0)
			return r;
	}
	if (config->health_given)
		return page_open(edge->loop, &health, &edge->health);
	return 0;
}

static void close_edge(struct edge *edge)
{
	naming_close(edge->naming);
	live_close(edge->live);
	page_close(edge->page);
	page_close(edge->health);
	if (edge->duration)
		loop_timer_free(edge->duration);
	if (edge->notify)
		loop_timer_free(edge->notify);
	if (edge->watchdog)
		loop_timer_free(edge->watchdog);
	if (edge->names)
		loop_timer_free(edge->names);
	loop_free(edge->loop);
}

static int open_edge(struct edge *edge, const struct edge_config *config)
{
	int r;

	r = loop_new(&edge->loop);
	if (r < 0)
		return log_errno(r, "edge: cannot make an event loop");
	r = loop_signals(edge->loop, signals, ARRAY_SIZE(signals), on_signal, edge);
	if (r < 0)
		return log_errno(r, "edge: cannot take signals");
	r = open_pages(edge);
	if (r < 0)
		return r;
	r = open_naming(edge, config);
	if (r < 0)
		return r;
	r = open_timers(edge);
	if (r < 0)
		return log_errno(r, "edge: cannot make timers");
	if (!edge->config->live)
		return 0;
	r = live_open(edge->loop, edge->pool, STDOUT_FILENO, &edge->live);
	return r < 0 ? log_errno(r, "edge: cannot show the live table") : 0;
}

int edge_run(const struct edge_config *config)
{
	_cleanup_(close_edge) struct edge edge = { .config = config->config,
						   .pool = config->pool,
						   .sampler = config->sampler };
	int r;

	mallopt(M_MMAP_THRESHOLD, MAP_FROM_BYTES);
	signal(SIGPIPE, SIG_IGN); /* a reader that went away is an errno where we write */
	r = open_edge(&edge, config);
	if (r < 0)
		return r;
	r = loop_run(edge.loop);
	notify_send("STOPPING=1\n");
	if (r < 0)
		return log_errno(r, "edge: cannot wait for events");
	if (edge.live && live_error(edge.live) < 0)
		return log_errno(live_error(edge.live), "edge: cannot write to standard output");
	return edge.refused ? EXIT_REFUSED : 0;
}
