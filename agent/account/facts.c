/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of pods come and go, and tell when a function has had its cold start. */
#include <string.h>

#include "account/book.h"
#include "platform/scope.h"

/* What is told later of a start, or of labels that came with it, may be of anything. */
#define FRESH_NS 5000000000ull

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Is this the end of a cold start?  Ready to serve, or taken out of the pool of empty pods. */
static bool is_started(const struct pod *pod)
{
	switch (pod->function.platform) {
	case FUNCTION_KNATIVE:
		return pod->ready_wall_ns != 0;
	case FUNCTION_OPENWHISK:
		return true;
	case FUNCTION_NONE:
		break;
	}
	return false;
}

/* Have we been there, from its first CPU time until just now? */
static bool saw_start(const struct ledger *ledger, const struct pod_entry *entry,
		      const struct pod *pod, uint64_t t_ns, uint64_t wall_ns)
{
	const struct pod *before = entry->facts[pod->source];

	if (!ledger->started || !entry->born_ns || entry->born_ns <= ledger->start_ns)
		return false;
	if (pod->function.platform == FUNCTION_KNATIVE)
		return apart(wall_ns, pod->ready_wall_ns) <= FRESH_NS;
	return (before && before->function.platform == FUNCTION_NONE) ||
	       apart(t_ns, entry->born_ns) <= FRESH_NS;
}

/* Judged once: what could not be seen is no start of nothing, it is not counted at all. */
static void judge_start(struct ledger *ledger, struct pod_entry *entry, const struct pod *pod,
			uint64_t t_ns, uint64_t wall_ns)
{
	if (entry->cold_known || !is_started(pod))
		return;
	entry->cold_known = true;
	if (!saw_start(ledger, entry, pod, t_ns, wall_ns))
		return;
	book_sum(ledger);
	entry->cold = entry->total;
	entry->cold_due = true;
}

/* Of a pod that no cgroup has been seen of. */
static void forget(struct ledger *ledger, uint32_t at, enum pod_source source)
{
	pods_set_facts(&ledger->pods, at, source, NULL);
	if (!pod_entry_facts(&ledger->pods.table[at]))
		pods_remove(&ledger->pods, at);
}

void ledger_pod(struct ledger *ledger, struct pod *pod, uint64_t t_ns, uint64_t wall_ns)
{
	struct pod_entry *entry;
	uint32_t at;

	if ((unsigned int)pod->source >= _POD_SOURCE_MAX || !pod->key[0] ||
	    strlen(pod->key) >= sizeof(entry->key))
		return;
	at = pods_find(&ledger->pods, pod->key);
	/* No cgroup will come for a pod that is over. */
	if (pod->ended && (at == POD_NONE || !ledger->pods.table[at].born_ns)) {
		if (at != POD_NONE)
			forget(ledger, at, pod->source);
		return;
	}
	at = book_pod(ledger, pod->key, pod->name[0] || pod->namespace[0], false, t_ns);
	if (at == POD_NONE) {
		ledger->dropped_pods++;
		return;
	}
	entry = &ledger->pods.table[at];
	judge_start(ledger, entry, pod, t_ns, wall_ns);
	pods_set_facts(&ledger->pods, at, pod->source, pod);
	if (pod->source == POD_FROM_API)
		entry->api_ns = t_ns;
	ledger->names_moved = true;
}

void ledger_pod_gone(struct ledger *ledger, enum pod_source source, const char *key, uint64_t t_ns)
{
	uint32_t at = pods_find(&ledger->pods, key);

	(void)t_ns;
	if (at == POD_NONE || (unsigned int)source >= _POD_SOURCE_MAX)
		return;
	if (ledger->pods.table[at].born_ns)
		ledger->pods.table[at].gone[source] = true;
	else
		forget(ledger, at, source);
}
