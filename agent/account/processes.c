/* SPDX-License-Identifier: Apache-2.0 */
#include "account/processes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "account/attribute.h"
#include "activity/idmap.h"
#include "platform/scope.h"

#define KEEP_NS     60000000000ull /* an ended process keeps its row at most this long */
#define YOUNG_TICKS 100            /* a second of the clock that start_ticks counts in */
#define NONE        UINT32_MAX

/* A process, alive or ended not long ago. */
struct entry {
	struct process_row row;
	uint64_t start_ticks;
	uint64_t cpu_ns;  /* at the last take */
	uint64_t step_ns; /* since then */
	uint64_t born;    /* which one it was: equals keep their order */
	nj_t sum_nj;
	uint32_t take;         /* last one that listed it */
	uint32_t next_of_crew; /* with the same cgroup, in this take */
	uint32_t before,
		after; /* among the ended, oldest first; the free ones are chained by after */
	bool used;
};

/* The processes of one cgroup that ran since the last take, and what their cgroup got. */
struct crew {
	uint32_t first;
	uint32_t n;
	struct tally step;
	uint64_t cgroup_id;
};

/* An account of the ledger, by its place there, as it was at the last take. */
struct seen_account {
	uint64_t cgroup_id, born_ns;
	struct tally last;
};

struct processes {
	uint32_t top;
	uint32_t takes;
	uint64_t n_born;
	uint64_t newest_ticks; /* latest start that any take has listed */

	struct entry *entries; /* [PROCESS_MAX] */
	uint32_t n_entries;    /* those beyond have never been used */
	uint32_t free;
	uint32_t oldest, newest; /* of the ended */
	struct idmap by_pid;     /* its latest life */

	struct crew *crews; /* [PROCESS_MAX] */
	uint32_t n_crews;
	struct idmap by_cgroup;
	uint64_t *weights; /* [PROCESS_MAX + 1] */

	struct seen_account *seen;
	size_t n_seen;
	bool seen_behind; /* no memory for all of them at the last take */

	struct entry **best; /* [top] */
	struct process_row *rows;
	size_t n_rows;
};

/* ---- entries --------------------------------------------------------------------------------- */

static uint32_t index_of(const struct processes *processes, const struct entry *entry)
{
	return (uint32_t)(entry - processes->entries);
}

static void end_entry(struct processes *processes, struct entry *entry, uint64_t t_ns)
{
	uint32_t at = index_of(processes, entry);

	entry->row.ended_ns = t_ns ? t_ns : 1;
	entry->before = processes->newest;
	entry->after = NONE;
	if (processes->newest != NONE)
		processes->entries[processes->newest].after = at;
	else
		processes->oldest = at;
	processes->newest = at;
}

/* It was only missed (a list that was full). */
static void revive_entry(struct processes *processes, struct entry *entry)
{
	if (!entry->row.ended_ns)
		return;
	entry->row.ended_ns = 0;
	if (entry->before != NONE)
		processes->entries[entry->before].after = entry->after;
	else
		processes->oldest = entry->after;
	if (entry->after != NONE)
		processes->entries[entry->after].before = entry->before;
	else
		processes->newest = entry->before;
}

/* One that has ended. */
static void drop_entry(struct processes *processes, struct entry *entry)
{
	uint64_t pid = (uint64_t)entry->row.pid;

	revive_entry(processes, entry);
	if (idmap_get(&processes->by_pid, pid) == entry)
		idmap_remove(&processes->by_pid, pid);
	*entry = (struct entry){ .after = processes->free };
	processes->free = index_of(processes, entry);
}

static struct entry *new_entry(struct processes *processes, const struct process_time *time)
{
	struct entry *entry;

	if (processes->free == NONE && processes->n_entries == PROCESS_MAX &&
	    processes->oldest != NONE)
		drop_entry(processes, &processes->entries[processes->oldest]);
	if (processes->free == NONE && processes->n_entries == PROCESS_MAX)
		return NULL;
	entry = &processes->entries[processes->free != NONE ? processes->free
							    : processes->n_entries];
	if (idmap_put(&processes->by_pid, (uint64_t)time->pid, entry) < 0)
		return NULL;
	if (processes->free != NONE)
		processes->free = entry->after;
	else
		processes->n_entries++;
	*entry = (struct entry){ .row.pid = time->pid,
				 .start_ticks = time->start_ticks,
				 .born = processes->n_born++,
				 .used = true };
	return entry;
}

/* What a process had used when we began to count: nothing, unless it is older than the last take
 * and was not in it. */
static uint64_t first_cpu_ns(const struct processes *processes, const struct process_time *time)
{
	bool old = time->start_ticks + YOUNG_TICKS < processes->newest_ticks;

	return processes->takes == 1 || old ? time->cpu_ns : 0;
}

static struct entry *entry_of(struct processes *processes, const struct process_time *time,
			      uint64_t t_ns)
{
	struct entry *entry = idmap_get(&processes->by_pid, (uint64_t)time->pid);

	if (entry && entry->start_ticks == time->start_ticks) {
		revive_entry(processes, entry);
		return entry;
	}
	/* The pid has a new owner. */
	if (entry && !entry->row.ended_ns)
		end_entry(processes, entry, t_ns);
	entry = new_entry(processes, time);
	if (entry)
		entry->cpu_ns = first_cpu_ns(processes, time);
	return entry;
}

/* ---- one take -------------------------------------------------------------------------------- */

static struct crew *crew_of(struct processes *processes, uint64_t cgroup_id)
{
	struct crew *crew = cgroup_id ? idmap_get(&processes->by_cgroup, cgroup_id) : NULL;

	if (crew || !cgroup_id)
		return crew;
	crew = &processes->crews[processes->n_crews];
	if (idmap_put(&processes->by_cgroup, cgroup_id, crew) < 0)
		return NULL;
	*crew = (struct crew){ .first = NONE, .cgroup_id = cgroup_id };
	processes->n_crews++;
	return crew;
}

static void take_process(struct processes *processes, const struct process_time *time,
			 uint64_t t_ns)
{
	struct entry *entry = time->pid > 0 ? entry_of(processes, time, t_ns) : NULL;
	struct crew *crew;

	/* No room; or twice in one list, which nobody sends. */
	if (!entry || entry->take == processes->takes)
		return;
	entry->take = processes->takes;
	entry->row.cgroup_id = time->cgroup_id;
	memcpy(entry->row.comm, time->comm, sizeof(entry->row.comm));
	entry->step_ns = time->cpu_ns > entry->cpu_ns ? time->cpu_ns - entry->cpu_ns : 0;
	entry->cpu_ns = MAX(entry->cpu_ns, time->cpu_ns);
	if (!entry->step_ns)
		return;
	entry->row.used.busy_ns += entry->step_ns;
	crew = crew_of(processes, time->cgroup_id);
	if (!crew)
		return;
	entry->next_of_crew = crew->first;
	crew->first = index_of(processes, entry);
	crew->n++;
}

static void take_list(struct processes *processes, const struct process_list *list, uint64_t t_ns)
{
	uint64_t newest_ticks = processes->newest_ticks;

	for (size_t i = 0; i < list->n; i++) {
		take_process(processes, &list->all[i], t_ns);
		newest_ticks = MAX(newest_ticks, list->all[i].start_ticks);
	}
	processes->newest_ticks = newest_ticks;
	for (uint32_t i = 0; i < processes->n_entries; i++) {
		struct entry *entry = &processes->entries[i];

		if (entry->used && !entry->row.ended_ns && entry->take != processes->takes)
			end_entry(processes, entry, t_ns);
	}
	while (processes->oldest != NONE) {
		struct entry *entry = &processes->entries[processes->oldest];

		if (t_ns < entry->row.ended_ns || t_ns - entry->row.ended_ns <= KEEP_NS)
			break;
		drop_entry(processes, entry);
	}
}

/* Room to remember n accounts.  New room: accounts that are new as well, unless it comes late. */
static void grow_seen(struct processes *processes, const struct account *accounts, size_t n)
{
	bool late = processes->seen_behind || processes->takes == 1;
	struct seen_account *bigger;

	processes->seen_behind = false;
	if (n <= processes->n_seen)
		return;
	bigger = realloc(processes->seen, n * sizeof(*bigger));
	processes->seen_behind = !bigger;
	if (!bigger)
		return;
	for (size_t i = processes->n_seen; i < n; i++) {
		bigger[i] = (struct seen_account){ 0 };
		if (!late)
			continue;
		bigger[i].cgroup_id = accounts[i].cgroup_id;
		bigger[i].born_ns = accounts[i].born_ns;
		memcpy(bigger[i].last.nj, accounts[i].nj, sizeof(bigger[i].last.nj));
		bigger[i].last.busy_ns = accounts[i].usage.busy_ns;
	}
	processes->seen = bigger;
	processes->n_seen = n;
}

/* What each cgroup got since the last take; of all its accounts (one was renamed, say). */
static void take_accounts(struct processes *processes, const struct ledger *ledger)
{
	size_t n;
	const struct account *accounts = ledger_accounts(ledger, &n);

	grow_seen(processes, accounts, n);
	for (size_t i = 0; i < n && i < processes->n_seen; i++) {
		struct seen_account *seen = &processes->seen[i];
		struct tally now = { .busy_ns = accounts[i].usage.busy_ns }, step;
		struct crew *crew;

		if (seen->cgroup_id != accounts[i].cgroup_id ||
		    seen->born_ns != accounts[i].born_ns)
			*seen = (struct seen_account){ .cgroup_id = accounts[i].cgroup_id,
						       .born_ns = accounts[i].born_ns };
		if (!accounts[i].cgroup_id)
			continue;
		memcpy(now.nj, accounts[i].nj, sizeof(now.nj));
		step = tally_less(&now, &seen->last);
		seen->last = now;
		crew = idmap_get(&processes->by_cgroup, accounts[i].cgroup_id);
		if (crew)
			tally_add(&crew->step, &step);
	}
}

static void fill_weights(struct processes *processes, const struct crew *crew)
{
	uint32_t at = crew->first;

	for (uint32_t i = 0; i < crew->n; i++) {
		processes->weights[i] = processes->entries[at].step_ns;
		at = processes->entries[at].next_of_crew;
	}
}

/* The last weight is what the cgroup did without them: processes that came and went in between. */
static void share_out(struct processes *processes, const struct crew *crew)
{
	nj_t listed_ns = 0;
	uint64_t rest_ns;

	fill_weights(processes, crew);
	for (uint32_t i = 0; i < crew->n; i++)
		listed_ns += processes->weights[i];
	rest_ns = crew->step.busy_ns > listed_ns ? crew->step.busy_ns - (uint64_t)listed_ns : 0;

	for (int column = 0; column < _COLUMN_MAX; column++) {
		uint64_t nj = (uint64_t)MIN(crew->step.nj[column], (nj_t)UINT64_MAX);
		uint32_t at = crew->first;

		if (!nj)
			continue;
		fill_weights(processes, crew);
		processes->weights[crew->n] = rest_ns;
		attribute(nj, processes->weights, crew->n + 1, processes->weights);
		for (uint32_t i = 0; i < crew->n; i++) {
			struct entry *entry = &processes->entries[at];

			entry->row.used.nj[column] += processes->weights[i];
			entry->sum_nj += processes->weights[i];
			at = entry->next_of_crew;
		}
	}
}

/* ---- the top ---------------------------------------------------------------------------------
 */

/* Did a use more than b?  Of equals the one that came first, so that rows keep their order. */
static bool is_more(const struct entry *a, const struct entry *b)
{
	if (a->sum_nj != b->sum_nj)
		return a->sum_nj > b->sum_nj;
	if (a->row.used.busy_ns != b->row.used.busy_ns)
		return a->row.used.busy_ns > b->row.used.busy_ns;
	return a->born < b->born;
}

/* A heap with the least at its root: what is under at is one already. */
static void sift(struct entry **heap, size_t n, size_t at)
{
	for (;;) {
		size_t least = at, child = 2 * at + 1;
		struct entry *swap = heap[at];

		for (size_t i = child; i < child + 2 && i < n; i++)
			if (is_more(heap[least], heap[i]))
				least = i;
		if (least == at)
			return;
		heap[at] = heap[least];
		heap[least] = swap;
		at = least;
	}
}

static void heapify(struct entry **heap, size_t n)
{
	for (size_t at = n / 2; at-- > 0;)
		sift(heap, n, at);
}

static void choose_top(struct processes *processes)
{
	struct entry **heap = processes->best;
	size_t n = 0;

	for (uint32_t i = 0; i < processes->n_entries; i++) {
		struct entry *entry = &processes->entries[i];

		if (!entry->used || (!entry->sum_nj && !entry->row.used.busy_ns))
			continue;
		if (n < processes->top) {
			heap[n++] = entry;
			if (n == processes->top)
				heapify(heap, n);
		} else if (n && is_more(entry, heap[0])) {
			heap[0] = entry;
			sift(heap, n, 0);
		}
	}
	if (n < processes->top)
		heapify(heap, n);
	processes->n_rows = n;
	for (; n; n--) {
		processes->rows[n - 1] = heap[0]->row;
		heap[0] = heap[n - 1];
		sift(heap, n - 1, 0);
	}
}

/* ---- what the rest of the agent calls ----------------------------------------------------------
 */

void processes_take(struct processes *processes, const struct process_list *list,
		    const struct ledger *ledger, uint64_t t_ns)
{
	processes->takes++;
	processes->n_crews = 0;
	take_list(processes, list, t_ns);
	take_accounts(processes, ledger);
	for (uint32_t i = 0; i < processes->n_crews; i++) {
		share_out(processes, &processes->crews[i]);
		idmap_remove(&processes->by_cgroup, processes->crews[i].cgroup_id);
	}
	choose_top(processes);
}

const struct process_row *processes_rows(const struct processes *processes, size_t *ret_n)
{
	*ret_n = processes ? processes->n_rows : 0;
	return processes ? processes->rows : NULL;
}

static void processes_freep(struct processes **processes)
{
	processes_free(*processes);
}

int processes_new(uint32_t top, struct processes **ret)
{
	_cleanup_(processes_freep) struct processes *processes = calloc(1, sizeof(*processes));

	if (!processes)
		return -ENOMEM;
	processes->top = MIN(top, (uint32_t)PROCESS_MAX);
	processes->free = processes->oldest = processes->newest = NONE;
	/* All of it at once, so that a take finds room: touched only as far as there are processes.
	 */
	processes->entries = calloc(PROCESS_MAX, sizeof(*processes->entries));
	processes->crews = calloc(PROCESS_MAX, sizeof(*processes->crews));
	processes->weights = calloc(PROCESS_MAX + 1, sizeof(*processes->weights));
	processes->best = calloc((size_t)processes->top + 1, sizeof(struct entry *));
	processes->rows = calloc((size_t)processes->top + 1, sizeof(*processes->rows));
	if (!processes->entries || !processes->crews || !processes->weights || !processes->best ||
	    !processes->rows)
		return -ENOMEM;
	*ret = TAKE_PTR(processes);
	return 0;
}

void processes_free(struct processes *processes)
{
	if (!processes)
		return;
	idmap_free(&processes->by_pid);
	idmap_free(&processes->by_cgroup);
	free(processes->entries);
	free(processes->crews);
	free(processes->weights);
	free(processes->seen);
	free(processes->best);
	free(processes->rows);
	free(processes);
}
