/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lifecycle of cgroups in the BPF activity source: records of life.bpf.c become births and ends,
 * and slots of cgroups that went are given back.
 */
#include "activity/bpf_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "bpf/life.h"
#include "bpf/life.skel.h"
#include "bpf/sched.skel.h"
#include "platform/log.h"

#define FREE_AFTER_NS 1000000000ull /* a dying task may still book for a moment */
#define WALK_EVERY_NS 5000000000ull

static int on_wake(void *ctx, void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return 0; /* the tick that is reading this is the answer */
}

static void on_exec(struct bpf_source *source, const struct life_exec *exec)
{
	if (source->exec)
		source->exec(source->sink.ctx, (int32_t)exec->pid, exec->comm);
}

static int on_life(void *ctx, void *data, size_t size)
{
	struct bpf_source *source = ctx;
	struct life_event *event = data;
	unsigned int next = (source->gone_head + 1) % source->gone_size;

	if (size == sizeof(struct life_exec) && event->kind == LIFE_EXEC)
		on_exec(source, data);
	if (size < offsetof(struct life_event, path) || event->kind == LIFE_EXEC)
		return 0;
	if (event->kind == LIFE_BORN) {
		bool has_path = size > offsetof(struct life_event, path) && event->path_len;

		source->sink.born(source->sink.ctx, event->cgroup_id, has_path ? event->path : NULL,
				  event->t_ns);
		return 0;
	}
	source->sink.gone(source->sink.ctx, event->cgroup_id, event->t_ns);
	if (next == source->gone_tail) {
		source->gone_lost++;
		return 0;
	}
	source->gone[source->gone_head] = (struct gone_cgroup){ event->cgroup_id, event->t_ns };
	source->gone_head = next;
	return 0;
}

/* Give back the slots of cgroups that went long enough ago: everything of theirs has been read. */
void bpf_free_gone(struct bpf_source *source, uint64_t now)
{
	int slot_of = bpf_map__fd(source->sched->maps.slot_of);
	int free_slots = bpf_map__fd(source->sched->maps.free_slots);

	while (source->gone_tail != source->gone_head) {
		const struct gone_cgroup *gone = &source->gone[source->gone_tail];
		uint32_t slot;

		if (now - gone->t_ns < FREE_AFTER_NS)
			return;
		if (bpf_map_lookup_elem(slot_of, &gone->cgroup_id, &slot) == 0 &&
		    slot >= SLOT_FIRST && slot < source->n_slots) {
			if (source->marked[slot])
				return; /* the ledger has not seen its last time yet */
			bpf_map_delete_elem(slot_of, &gone->cgroup_id);
			bpf_forget_row(source, slot);
			bpf_map_update_elem(free_slots, NULL, &slot, BPF_ANY);
		}
		source->gone_tail = (source->gone_tail + 1) % source->gone_size;
	}
}

static void tell_born(void *ctx, uint64_t cgroup_id, const char *path)
{
	struct bpf_source *source = ctx;

	source->sink.born(source->sink.ctx, cgroup_id, path, source->host->now_ns());
}

int bpf_open_rings(struct bpf_source *source)
{
	source->rings =
		ring_buffer__new(bpf_map__fd(source->sched->maps.wake), on_wake, source, NULL);
	if (!source->rings)
		return log_errno(-errno, "bpf: cannot open the wake-up ring");
	if (ring_buffer__add(source->rings, bpf_map__fd(source->life->maps.events), on_life,
			     source) < 0)
		return log_errno(-errno, "bpf: cannot open the lifecycle ring");
	return 0;
}

int bpf_tell_all(struct bpf_source *source)
{
	source->walked_ns = source->host->now_ns();
	source->lost_seen = source->life->bss->lost;
	return hierarchy_walk(source->host, &source->hierarchy, tell_born, source);
}

/* Records were lost: who is there now is at least known by the next walk. */
void bpf_take_life(struct bpf_source *source, uint64_t now)
{
	ring_buffer__consume(source->rings);
	if (source->life->bss->lost != source->lost_seen && now - source->walked_ns > WALK_EVERY_NS)
		bpf_tell_all(source);
}
