/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "platform/log.h"
#include "platform/scope.h"

#define NS_PER_S 1000000000ull

/* A flood of names must not make a tick late: what is left waits for the next one. */
#define NOTES_AT_ONCE 64
#define NOTES_A_TICK  1024

static uint64_t resident_bytes(const struct publisher *publisher)
{
	char text[128], *rss;
	uint64_t pages = 0;

	if (host_pread(publisher->statm_fd, text, sizeof(text)) <= 0)
		return 0;
	rss = strchr(text, ' ');
	while (rss && *++rss >= '0' && *rss <= '9')
		pages = pages * 10 + (uint64_t)(*rss - '0');
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t wall_ns(void)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return (uint64_t)wall.tv_sec * NS_PER_S + (uint64_t)wall.tv_nsec;
}

/* Once: the counters go on telling how much. */
static void say_crowded(struct publisher *publisher)
{
	if (publisher->crowded ||
	    (!publisher->stats.dropped && !publisher->stats.overflow_switches))
		return;
	publisher->crowded = true;
	log_warn("sampler: more cgroups than --max-cgroups=%u has room for, ignoring the names of "
		 "the rest; what finds no slot is unattributed (raise --max-cgroups)",
		 publisher->config->max_cgroups);
}

static void count(struct publisher *publisher, const struct activity *activity)
{
	struct agent_stats *stats = &publisher->stats;
	const struct folded *folded = ledger_folded(publisher->ledger);
	struct api_figures api;
	struct timespec cpu;

	mailbox_api(publisher->mailbox, &api);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	stats->cpu_ns = (uint64_t)cpu.tv_sec * NS_PER_S + (uint64_t)cpu.tv_nsec;
	stats->resident_bytes = resident_bytes(publisher);
	stats->lost_events = activity->lost_events;
	stats->overflow_switches = activity->overflow_switches;
	stats->counter_errors = activity->counter_errors;
	stats->torn_reads = activity->torn_reads;
	stats->dropped = ledger_dropped(publisher->ledger);
	stats->bpf_ns = activity->program_ns;
	stats->has_bpf_ns = activity->has_program_ns;
	stats->watches_api = api.asked;
	stats->api_connected = api.connected;
	stats->api_events = api.events;
	stats->api_relists = api.relists;
	stats->api_dropped = api.dropped + ledger_dropped_pods(publisher->ledger);
	stats->folded = 0;
	for (int bucket = 0; bucket < _BUCKET_ENERGY_MAX; bucket++)
		stats->folded += folded[bucket].n;
	stats->folded_pods = ledger_folded_pods(publisher->ledger);
	for (int kind = 0; kind < _GROUP_KIND_MAX; kind++)
		stats->folded_groups[kind] =
			ledger_folded_groups(publisher->ledger, (enum group_kind)kind);
}

static void take_processes(struct publisher *publisher, uint64_t t_ns)
{
	int r;

	if (!publisher->reader)
		return;
	r = process_read(publisher->reader, &publisher->list);
	if (health_changed(&publisher->health, r))
		log_warn("processes: %s%s", r ? "cannot be read: " : "can be read again",
			 r ? strerror(-r) : "");
	if (r == 0)
		processes_take(publisher->processes, &publisher->list, publisher->ledger, t_ns);
}

static void take_note(struct publisher *publisher, const struct note *note, uint64_t t_ns,
		      uint64_t now_wall_ns)
{
	switch (note->kind) {
	case NOTE_POD:
		ledger_pod(publisher->ledger, note->pod, t_ns, now_wall_ns);
		break;
	case NOTE_POD_GONE:
		ledger_pod_gone(publisher->ledger, note->source, note->key, t_ns);
		break;
	case NOTE_VM:
		ledger_rename(publisher->ledger, note->cgroup_id, note->name, t_ns);
		break;
	}
}

void publisher_take_names(struct publisher *publisher, uint64_t t_ns)
{
	struct note notes[NOTES_AT_ONCE];
	uint64_t now_wall_ns = 0;
	size_t n, taken = 0;

	do {
		n = mailbox_take(publisher->mailbox, notes, NOTES_AT_ONCE);
		if (n && !now_wall_ns)
			now_wall_ns = wall_ns();
		for (size_t i = 0; i < n; i++) {
			take_note(publisher, &notes[i], t_ns, now_wall_ns);
			note_drop(&notes[i]);
		}
		taken += n;
	} while (n == NOTES_AT_ONCE && taken < NOTES_A_TICK);
}

/*
 * The wall clock is taken once a publish for start and end alike: one that was stepped moves both,
 * never what lies between.
 */
int publisher_publish(struct publisher *publisher, const struct activity *activity)
{
	struct naming naming = mailbox_naming(publisher->mailbox);
	uint64_t offset_ns = wall_ns() - publisher->host->now_ns();
	struct snapshot_seen seen = snapshot_seen(publisher->pool);
	int r;

	ledger_scraped(publisher->ledger, seen.twice_ns, seen.once_ns);
	ledger_roll(publisher->ledger, naming.any, naming.api, activity->t_ns);
	take_processes(publisher, activity->t_ns);
	ledger_fold(publisher->ledger, activity->t_ns);

	count(publisher, activity);
	say_crowded(publisher);
	publisher->facts->start_wall_ns = publisher->facts->start_mono_ns + offset_ns;
	r = snapshot_publish(publisher->pool,
			     &(struct snapshot_input){
				     .ledger = publisher->ledger,
				     .processes = publisher->processes,
				     .facts = publisher->facts,
				     .stats = &publisher->stats,
				     .t_ns = activity->t_ns,
				     .wall_ns = activity->t_ns + offset_ns,
				     .cpus = activity->cpus,
				     .shares_idle = publisher->config->idle != IDLE_NOT_SHARED,
			     });
	/* Whoever answers looks into the snapshot: only now do they stand there. */
	if (naming.any && ledger_unnamed(publisher->ledger))
		mailbox_ask(publisher->mailbox);
	return r;
}

static int open_processes(struct publisher *publisher, const char *hierarchy)
{
	struct hierarchy found;
	struct process_config config = { .host = publisher->host,
					 .hierarchy = found.name,
					 .hierarchy_dir = found.dir };
	int r = hierarchy_find(publisher->host, *hierarchy ? hierarchy : NULL, &found);

	if (r < 0)
		return log_errno(r, "processes: no cgroup hierarchy to tell their owners by");
	r = process_reader_open(&config, &publisher->reader);
	if (r < 0)
		return log_errno(r, "processes: cannot be read");
	r = processes_new(publisher->config->processes, &publisher->processes);
	return r < 0 ? log_errno(r, "processes: no room for a table of them") : 0;
}

int publisher_open(struct publisher *publisher, const char *hierarchy)
{
	/* Of this process, whatever tree --procfs shows. */
	publisher->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	return publisher->config->processes ? open_processes(publisher, hierarchy) : 0;
}

void publisher_close(struct publisher *publisher)
{
	process_reader_close(publisher->reader);
	processes_free(publisher->processes);
	process_list_free(&publisher->list);
	ledger_free(publisher->ledger);
	if (publisher->statm_fd >= 0)
		close(publisher->statm_fd);
}
