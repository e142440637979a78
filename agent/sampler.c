/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tick, and when it comes.
 *
 * On an idle node the only clock is 1 Hz, and that is the publish interval's.  Work wakes us: the
 * BPF side sends one record when a CPU has booked 20 ms since the last tick.  While the node is
 * busy, ticks follow at the sampling rate; a CPU hog that never switches is seen running at the
 * next tick, so it does not need to be announced.
 */
#include "sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "account/ledger.h"
#include "energy/model.h"
#include "platform/log.h"
#include "platform/scope.h"
#include "platform/tier.h"
#include "publisher.h"

#define NS_PER_S        1000000000ull
#define AUTO_MIN_NS     (NS_PER_S / 20) /* busy: 20 Hz */
#define IDLE_NS         NS_PER_S
#define WAKE_NS         20000000ull /* booked on one CPU since the last tick */
#define ENERGY_EVERY_NS 45000000ull /* below, a RAPL window is noise (DESIGN section 5) */
#define KEEP_MIN_NS     (60 * NS_PER_S)
#define KEEP_MAX_NS     (900 * NS_PER_S)
#define HEALTHY_NS      (5 * NS_PER_S)

struct sampler {
	const struct host *host;
	const struct config *config;
	const struct topology *topology;
	struct publisher publisher; /* with the ledger */

	struct energy energy;
	struct activity_source *activity;
	struct reading readings[ENERGY_MAX_ZONES];
	bool want[ENERGY_MAX_ZONES];

	struct health health;           /* of the activity source */
	uint64_t interval_ns;           /* while busy */
	uint64_t busy_ns;               /* node's CPU time at the last tick */
	uint64_t tick_ns;               /* when it was */
	uint64_t energy_ns, publish_ns; /* newest energy read, newest publish */
	bool busy;
	atomic_ullong newest_ns; /* tick_ns for other threads */

	pthread_t thread;
	bool running;
	int stop_fd;
};

/* ---- one tick ---------------------------------------------------------------------------------
 */

static uint64_t node_busy_ns(const struct activity *activity)
{
	uint64_t busy_ns = 0;
	unsigned int package;

	for (package = 0; package < activity->n_packages; package++)
		busy_ns += activity->package_busy_ns[package];
	return busy_ns;
}

/* The package that we run on is awake anyway. */
static int own_package(const struct sampler *sampler)
{
	int cpu = sched_getcpu();

	return cpu >= 0 && cpu < HOST_MAX_CPUS ? sampler->topology->package_of[cpu] : -1;
}

static void read_energy(struct sampler *sampler, const struct node_load *load)
{
	int package = sampler->topology->n_packages > 1 ? own_package(sampler) : 0;
	size_t i;

	for (i = 0; i < sampler->energy.n_zones; i++)
		sampler->want[i] = ledger_wants(sampler->publisher.ledger, i,
						&sampler->activity->activity, package);
	energy_read(&sampler->energy, load, sampler->want, sampler->readings);
	sampler->energy_ns = load->t_ns;
}

/* Is anything running that the sampling rate is for? */
static bool judge_busy(const struct sampler *sampler, uint64_t busy_ns, uint64_t dt_ns)
{
	/* auto: as much as would have woken us; a given rate is held for 5 % of a CPU. */
	if (sampler->config->rate_hz == 0)
		return busy_ns * AUTO_MIN_NS >= WAKE_NS * dt_ns;
	return busy_ns * 20 >= dt_ns;
}

int sampler_tick(struct sampler *sampler, bool publish_now)
{
	struct activity_source *source = sampler->activity;
	const struct activity *activity = &source->activity;
	struct node_load load;
	bool with_energy;
	int r = source->driver->collect(source);

	if (health_changed(&sampler->health, r))
		log_warn("%s: %s%s", source->driver->name,
			 r ? "cannot read activity: " : "can read activity again",
			 r ? strerror(-r) : "");
	load.t_ns = r == 0 ? activity->t_ns : sampler->host->now_ns();
	load.busy_ns = node_busy_ns(activity);
	load.cpus = activity->cpus;

	with_energy = publish_now || load.t_ns - sampler->energy_ns >= ENERGY_EVERY_NS;
	if (with_energy)
		read_energy(sampler, &load);
	ledger_tick(sampler->publisher.ledger, activity, with_energy ? sampler->readings : NULL);

	sampler->busy =
		judge_busy(sampler, load.busy_ns - sampler->busy_ns, load.t_ns - sampler->tick_ns);
	sampler->busy_ns = load.busy_ns;
	sampler->tick_ns = load.t_ns;
	sampler->publisher.stats.samples++;
	atomic_store(&sampler->newest_ns, load.t_ns);
	publisher_take_names(&sampler->publisher, load.t_ns);
	if (!publish_now)
		return 0;
	sampler->publish_ns = activity->t_ns;
	return publisher_publish(&sampler->publisher, activity);
}

/* ---- when --------------------------------------------------------------------------------------
 */

static void count_late(struct agent_stats *stats, uint64_t late_ns)
{
	double seconds = (double)late_ns / 1e9;
	unsigned int i = 0;

	while (i < LATE_BUCKETS - 1 && seconds > late_bound_seconds[i])
		i++;
	stats->late[i]++;
	stats->late_sum_seconds += seconds;
}

/* Sleep until the deadline, the wake-up (if asked for) or the stop.  False: stop. */
static bool sleep_until(struct sampler *sampler, uint64_t deadline_ns, int wake_fd, bool *ret_woken)
{
	struct pollfd fds[2] = { { .fd = sampler->stop_fd, .events = POLLIN },
				 { .fd = wake_fd, .events = POLLIN } };
	uint64_t now = sampler->host->now_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec timeout = { .tv_sec = (time_t)(left / NS_PER_S),
				    .tv_nsec = (long)(left % NS_PER_S) };

	*ret_woken = false;
	if (ppoll(fds, wake_fd >= 0 ? 2 : 1, &timeout, NULL) <= 0)
		return true;
	*ret_woken = (fds[1].revents & POLLIN) != 0;
	return !(fds[0].revents & POLLIN);
}

static uint64_t next_deadline(const struct sampler *sampler, uint64_t planned_ns)
{
	uint64_t publish_at = sampler->publish_ns + sampler->config->publish_ns;
	uint64_t next;

	if (!sampler->busy)
		return publish_at > sampler->tick_ns + IDLE_NS ? publish_at
							       : sampler->tick_ns + IDLE_NS;
	/* Keep the phase of a given rate; after a stall go on from now, without a burst. */
	next = planned_ns + sampler->interval_ns;
	return next > sampler->tick_ns ? next : sampler->tick_ns + sampler->interval_ns;
}

static void run_ticks(struct sampler *sampler)
{
	struct activity_source *source = sampler->activity;
	int fd = source->driver->pollfd ? source->driver->pollfd(source) : -1;
	uint64_t wake_ns = MIN(WAKE_NS, sampler->interval_ns / 4);
	uint64_t deadline = sampler->tick_ns + sampler->interval_ns;
	bool woken, go = true;

	while (go) {
		if (source->driver->arm)
			source->driver->arm(source, sampler->busy ? 0 : wake_ns);
		go = sleep_until(sampler, deadline, sampler->busy ? -1 : fd, &woken);
		if (go && woken) {
			/* Somebody works.  Never faster than the rate. */
			deadline = MAX(sampler->tick_ns + sampler->interval_ns,
				       sampler->host->now_ns());
			go = sleep_until(sampler, deadline, -1, &woken);
		}
		if (!go)
			break;
		sampler_tick(sampler, sampler->host->now_ns() - sampler->publish_ns >=
					      sampler->config->publish_ns);
		count_late(&sampler->publisher.stats,
			   sampler->tick_ns > deadline ? sampler->tick_ns - deadline : 0);
		deadline = next_deadline(sampler, deadline);
	}
}

/* A short slice: since 6.12 the scheduler then prefers us when we wake, without any privilege. */
static void ask_for_short_slice(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = { .size = sizeof(attr), .runtime = 100000 };

	syscall(SYS_sched_setattr, 0, &attr, 0u);
}

static void *sampler_main(void *ctx)
{
	struct sampler *sampler = ctx;
	struct sched_param param = { .sched_priority = 1 };

	if (!sampler->config->realtime)
		ask_for_short_slice();
	else if (sched_setscheduler(0, SCHED_FIFO, &param) < 0)
		log_warn("sampler: cannot run with SCHED_FIFO: %s (needs CAP_SYS_NICE), going on "
			 "without",
			 strerror(errno));
	run_ticks(sampler);
	return NULL;
}

/* ---- open, start, stop, close
 * -------------------------------------------------------------------- */

static void on_born(void *ctx, uint64_t cgroup_id, const char *path, uint64_t t_ns)
{
	struct sampler *sampler = ctx;
	struct name *name = path ? name_new(path) : NULL;

	ledger_born(sampler->publisher.ledger, cgroup_id, name, t_ns);
	name_unref(name);
}

static void on_gone(void *ctx, uint64_t cgroup_id, uint64_t t_ns)
{
	struct sampler *sampler = ctx;

	ledger_gone(sampler->publisher.ledger, cgroup_id, t_ns);
}

/* A process has a name from its first moment on, also one that is gone at the next look. */
static void on_exec(void *ctx, int32_t pid, const char comm[16])
{
	struct sampler *sampler = ctx;

	if (sampler->publisher.reader)
		process_exec(sampler->publisher.reader, pid, comm);
}

static int open_ledger(struct sampler *sampler)
{
	const struct config *config = sampler->config;
	struct ledger_config ledger = {
		.max_accounts = config->max_cgroups + config->tombstones + _OWNER_FIXED,
		.max_rows = config->max_cgroups + _OWNER_FIXED,
		.tombstones = config->tombstones,
		.keep_min_ns = KEEP_MIN_NS,
		.keep_max_ns = KEEP_MAX_NS,
		.n_packages = sampler->topology->n_packages,
		.idle = config->idle,
		.topology = sampler->topology,
	};
	int r = ledger_new(&ledger, &sampler->energy, &sampler->publisher.ledger);
	size_t i;

	for (i = 0; r == 0 && i < sampler->energy.n_zones; i++) {
		double watts =
			model_idle_watts(sampler->energy.sources[sampler->energy.origin[i].source]);

		if (watts > 0)
			ledger_set_static(sampler->publisher.ledger, i, watts, watts);
	}
	return r;
}

static int open_activity(struct sampler *sampler)
{
	const struct config *config = sampler->config;
	struct activity_sink sink = { .born = on_born, .gone = on_gone, .ctx = sampler };
	struct activity_config activity = {
		.topology = sampler->topology,
		.sink = &sink,
		.hierarchy = config->hierarchy,
		.btf = config->btf,
		.max_cgroups = config->max_cgroups,
		.exec = config->processes ? on_exec : NULL,
	};

	return activity_open(config->activity, sampler->host, &activity, &sampler->activity);
}

static void describe(struct sampler *sampler)
{
	struct node_facts *facts = sampler->publisher.facts;
	const struct activity_source *source = sampler->activity;
	bool measured = false;
	size_t i;

	for (i = 0; i < sampler->energy.n_zones; i++)
		measured |= sampler->energy.zones[i].quality == QUALITY_MEASURED &&
			    sampler->energy.zones[i].kind == ZONE_PACKAGE;
	snprintf(facts->activity, sizeof(facts->activity), "%s", source->driver->name);
	snprintf(facts->hierarchy, sizeof(facts->hierarchy), "%s", source->hierarchy);
	snprintf(facts->tier, sizeof(facts->tier), "%s",
		 tier_name(facts->virtual, measured, source->activity.has_counters));
	facts->weight = source->activity.unit;
	facts->has_counters = source->activity.has_counters;
	facts->publish_ns = sampler->config->publish_ns;
}

static void close_sampler(struct sampler **sampler)
{
	sampler_close(*sampler);
}

int sampler_open(const struct sampler_config *config, struct sampler **ret)
{
	_cleanup_(close_sampler) struct sampler *sampler = calloc(1, sizeof(*sampler));
	int r;

	if (!sampler)
		return -ENOMEM;
	sampler->stop_fd = sampler->publisher.statm_fd = -1; /* what close would close */
	sampler->host = config->host;
	sampler->config = config->config;
	sampler->topology = config->topology;
	sampler->publisher = (struct publisher){ .host = config->host,
						 .config = config->config,
						 .facts = config->facts,
						 .pool = config->pool,
						 .mailbox = config->mailbox,
						 .statm_fd = -1 };
	sampler->interval_ns = config->config->rate_hz > 0
				       ? (uint64_t)(1e9 / config->config->rate_hz)
				       : AUTO_MIN_NS;
	sampler->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (sampler->stop_fd < 0)
		return log_errno(-errno, "sampler: cannot make an eventfd");

	r = energy_open(config->config->energy, config->host, config->topology, NULL,
			&sampler->energy);
	if (r < 0)
		return r;
	r = open_ledger(sampler);
	if (r < 0)
		return r;
	r = open_activity(sampler);
	if (r < 0)
		return r;
	r = publisher_open(&sampler->publisher, sampler->activity->hierarchy);
	if (r < 0)
		return r;
	describe(sampler);

	/* Time is booked from here on; energy from the first reading, a moment later. */
	sampler->publisher.facts->start_mono_ns = sampler->activity->activity.t_ns;
	r = sampler_tick(sampler, true);
	if (r == 0)
		*ret = TAKE_PTR(sampler);
	return r;
}

int sampler_start(struct sampler *sampler)
{
	int r = pthread_create(&sampler->thread, NULL, sampler_main, sampler);

	if (r)
		return log_errno(-r, "sampler: cannot start its thread");
	sampler->running = true;
	return 0;
}

void sampler_stop(struct sampler *sampler)
{
	const uint64_t one = 1;

	if (!sampler || !sampler->running)
		return;
	if (write(sampler->stop_fd, &one, sizeof(one)) != sizeof(one))
		log_warn("sampler: cannot stop its thread: %s", strerror(errno));
	pthread_join(sampler->thread, NULL);
	sampler->running = false;
	sampler_tick(sampler, true);
}

void sampler_close(struct sampler *sampler)
{
	if (!sampler)
		return;
	sampler_stop(sampler);
	if (sampler->activity)
		sampler->activity->driver->close(sampler->activity);
	energy_close(&sampler->energy);
	if (sampler->stop_fd >= 0)
		close(sampler->stop_fd);
	publisher_close(&sampler->publisher);
	free(sampler);
}

uint64_t sampler_age_ns(const struct sampler *sampler, uint64_t *ret_limit_ns)
{
	*ret_limit_ns = HEALTHY_NS;
	return sampler->host->now_ns() - atomic_load(&sampler->newest_ns);
}

const struct energy *sampler_energy(const struct sampler *sampler)
{
	return &sampler->energy;
}

const struct activity_source *sampler_activity(const struct sampler *sampler)
{
	return sampler->activity;
}
