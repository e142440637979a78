// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Cgroups are born and gone: id and path to a ring buffer, so that what lived 1 ms has a name.
 * Only the hierarchy that owns tasks is reported: one container has a directory in every v1
 * hierarchy, and ids collide between them.  With --processes, what processes are called when they
 * exec goes the same way.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "life.h"

const volatile int hierarchy_id = 0; /* of /proc/cgroups; 0: the v2 tree */
const volatile __u32 ring_size = 0;  /* bytes: wake the agent when half of it is taken */

__u64 lost = 0; /* records that did not fit */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* ring_size */
} events SEC(".maps");

/* Events are serialised by cgroup_mutex; per CPU all the same, since it costs nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct life_event);
} scratch SEC(".maps");

/* Nobody is woken for a record but where the ring is filling up. */
static __always_inline __u64 wake_flags(void)
{
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > ring_size / 2 ? BPF_RB_FORCE_WAKEUP
									     : BPF_RB_NO_WAKEUP;
}

static __always_inline int report(struct cgroup *cgroup, const char *path, __u32 kind)
{
	__u64 size = offsetof(struct life_event, path);
	__u32 zero = 0;
	struct life_event *event;
	__u64 flags;
	long len;

	if (BPF_CORE_READ(cgroup, root, hierarchy_id) != hierarchy_id)
		return 0;
	event = bpf_map_lookup_elem(&scratch, &zero);
	if (!event)
		return 0;

	event->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	event->t_ns = bpf_ktime_get_ns();
	event->kind = kind;
	event->path_len = 0;
	if (path) {
		len = bpf_probe_read_kernel_str(event->path, sizeof(event->path), path);
		if (len > 0 && len <= LIFE_PATH_MAX) {
			event->path_len = len - 1;
			size += len;
		}
	}
	flags = wake_flags();
	/* Verifiers before 6.4 forget the bound that the path's length gives it. */
	barrier_var(size);
	if (size > sizeof(*event))
		return 0;
	if (bpf_ringbuf_output(&events, event, size, flags))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(born_btf, struct cgroup *cgroup, const char *path)
{
	return report(cgroup, path, LIFE_BORN);
}

/* rmdir, not release: a cgroup without tasks may be pinned for hours by its page cache. */
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(gone_btf, struct cgroup *cgroup, const char *path)
{
	return report(cgroup, NULL, LIFE_GONE);
}

SEC("raw_tp/cgroup_mkdir")
int born_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return report((void *)ctx->args[0], (void *)ctx->args[1], LIFE_BORN);
}

SEC("raw_tp/cgroup_rmdir")
int gone_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return report((void *)ctx->args[0], NULL, LIFE_GONE);
}

/*
 * Loaded only when somebody wants names of processes.  The task is the current one and has its new
 * name already: helpers say it all, so one variant serves every kernel and needs no BTF.
 */
SEC("raw_tp/sched_process_exec")
int exec_raw(void *ctx)
{
	struct life_exec exec = { .kind = LIFE_EXEC }; /* whole, or the verifier refuses it */

	exec.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(exec.comm, sizeof(exec.comm));
	if (bpf_ringbuf_output(&events, &exec, sizeof(exec), wake_flags()))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
