/* SPDX-License-Identifier: Apache-2.0 */
#include "names/local.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "names/local_runtime.h"
#include "names/local_state.h"
#include "platform/host.h"
#include "platform/scope.h"

#define MS UINT64_C(1000000)

#define MAILBOX_RETRY_NS (200 * MS)
#define RETRY_WATCH_NS   (1000 * MS) /* while somebody asks */
#define LOOK_NS          (10 * MS)
#define LOOKS            32  /* files read at a time, so that others have their turn */
#define ASKS             128 /* mostly files that are not there */

const char *local_remedy(int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return "needs CAP_DAC_READ_SEARCH, or a mount that may be read";
	case -EMFILE:
	case -ENFILE:
		return "raise fs.inotify.max_user_instances or the limit of open files";
	case -ENOSPC:
		return "raise fs.inotify.max_user_watches";
	case -ENOMEM:
		return "needs memory; it is tried again";
	}
	return "the names in it are looked up when somebody asks";
}

/* Is it about us, rather than about the one file? */
static bool is_ours(int error)
{
	return error == -EACCES || error == -EPERM || error == -EMFILE || error == -ENFILE ||
	       error == -ENOMEM;
}

/* Another runtime's files may be readable: that is no end of it. */
static void report_runtime(struct local *local, const char *id, int error)
{
	if (is_ours(error) && health_changed(&local->runtime_health, error))
		log_warn("local: cannot read the runtime's file of container '%s': %s (%s)", id,
			 strerrordesc_np(-error), local_remedy(error));
}

void local_ignore(struct local *local, const char *name, const char *where)
{
	if (health_changed(&local->garbage, -EINVAL))
		log_warn("local: ignored '%s' of %s, which nothing on a node makes; more of the "
			 "kind are only counted",
			 name, where);
}

int local_add_pod(struct local *local, const struct log_pod *pod, bool is_live,
		  struct table_pod **ret)
{
	int r = table_add(&local->table, pod->uid, pod->namespace, pod->name, is_live, ret);

	if (r == -EEXIST)
		local_ignore(local, pod->name, "a pod with another's uid");
	return r;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

static void arm(struct local *local)
{
	uint64_t at_ns = sooner(local->post_ns, local->rescan_ns);

	at_ns = sooner(at_ns, local->look_ns);
	loop_timer_set(local->timer, sooner(at_ns, asks_next_ns(&local->asks)));
}

void local_settle(struct local *local)
{
	uint64_t now = host_monotonic_ns();

	local->post_ns = table_post(&local->table, local->mailbox) ? 0 : now + MAILBOX_RETRY_NS;
	if (!local->table.n_unlooked)
		local->look_ns = 0;
	else if (!local->look_ns)
		local->look_ns = now + LOOK_NS;
	arm(local);
}

/* What a runtime says, into the table. */
static int add_found(struct local *local, const struct ask *ask, struct runtime_facts *facts)
{
	struct table_container container = { .id = (char *)ask->id,
					     .name = facts->container,
					     .role = facts->role,
					     .cpu_milli = facts->cpu_milli,
					     .looked = true };
	struct log_pod named;
	struct table_pod *pod;
	int r;

	if (!facts->uid[0]) {
		/* An old runtime's, or one that was put into a pod from outside. */
		pod = ask->uid[0] ? table_find(&local->table, ask->uid) : NULL;
		r = pod ? 0 : table_add(&local->table, ask->id, "", "", true, &pod);
		return r < 0 ? r : table_add_container(&local->table, pod, &container);
	}
	/* The cgroup is the kernel's word: a file that says otherwise is about somebody else. */
	if (ask->uid[0] && strcmp(ask->uid, facts->uid))
		return -EBADMSG;
	snprintf(named.namespace, sizeof(named.namespace), "%s", facts->namespace);
	snprintf(named.name, sizeof(named.name), "%s", facts->pod);
	snprintf(named.uid, sizeof(named.uid), "%s", facts->uid);
	r = local_add_pod(local, &named, true, &pod);
	if (r < 0)
		return r;
	pod->has_dir = pod->has_dir || local_dirs_find(local, &named) == 0;
	return table_add_container(&local->table, pod, &container);
}

/* Does the table have it?  Then whoever asks has not heard. */
static bool say_again(struct local *local, const char *id, const char *uid)
{
	struct table_pod *pod = uid[0] ? table_find(&local->table, uid) : NULL;

	if (pod ? id[0] && !table_pod_container(pod, id)
		: !id[0] || !table_find_container(&local->table, id, &pod))
		return false;
	table_set_dirty(&local->table, pod);
	return true;
}

/* True when it needs no further look. */
static bool look_for(struct local *local, const struct ask *ask)
{
	struct runtime_facts facts;
	int r;

	if (say_again(local, ask->id, ask->uid))
		return true;
	r = runtime_find(local->root_fd, ask->id, &facts);
	report_runtime(local, ask->id, r);
	if (r == 0)
		r = add_found(local, ask, &facts);
	if (r == -EBADMSG || r == -EFBIG)
		local_ignore(local, ask->id, "a runtime's files");
	return r == 0;
}

/* What the kubelet's links do not say: how much of a CPU a container asked for. */
static void look_for_shares(struct local *local)
{
	struct table_container *container;
	struct table_pod *pod;

	for (int i = 0; i < LOOKS; i++) {
		struct runtime_facts facts;
		int r;

		container = table_next_unlooked(&local->table, &pod);
		if (!container)
			break;
		r = runtime_find(local->root_fd, container->id, &facts);
		report_runtime(local, container->id, r);
		if (r < 0 || !facts.cpu_milli || strcmp(facts.uid, pod->key))
			continue;
		container->cpu_milli = facts.cpu_milli;
		table_set_dirty(&local->table, pod);
	}
}

/* Whoever asks may have found what no event has told of. */
static void retry_watch(struct local *local, uint64_t now)
{
	if (now < local->retry_ns)
		return;
	local->retry_ns = now + RETRY_WATCH_NS;
	dirwatch_retry(local->watch);
}

static void look_for_due(struct local *local, uint64_t now)
{
	struct ask ask;

	for (int i = 0; i < ASKS && asks_take(&local->asks, now, &ask); i++) {
		/* Files of a runtime come at once, those of the kubelet later. */
		if (ask.tries)
			retry_watch(local, now);
		if (!look_for(local, &ask))
			asks_put_back(&local->asks, &ask, now);
	}
}

static void on_timer(void *ctx)
{
	struct local *local = ctx;
	uint64_t now = host_monotonic_ns();

	if (local->rescan_ns && local->rescan_ns <= now) {
		local->rescan_ns = 0;
		local_dirs_rescan(local);
	}
	if (local->look_ns && local->look_ns <= now) {
		local->look_ns = 0;
		look_for_shares(local);
	}
	look_for_due(local, now);
	local_dirs_rest(local);
	local_settle(local);
}

static void free_local(struct local **local)
{
	local_close(*local);
}

int local_open(struct loop *loop, const struct local_config *config, struct mailbox *mailbox,
	       struct local **ret)
{
	_cleanup_(free_local) struct local *local = calloc(1, sizeof(*local));
	int r;

	if (!local)
		return -ENOMEM;
	local->mailbox = mailbox;
	local->root_fd = fcntl(config->root_fd, F_DUPFD_CLOEXEC, 3);
	if (local->root_fd < 0)
		return -errno;
	r = table_init(&local->table, config->max_pods);
	if (r < 0)
		return r;
	r = loop_timer_new(loop, on_timer, local, &local->timer);
	if (r < 0)
		return r;
	r = local_dirs_open(local, loop);
	if (r < 0)
		return r;
	local_settle(local);

	*ret = TAKE_PTR(local);
	return 0;
}

bool local_usable(const struct local *local)
{
	return local_dirs_usable(local) || runtime_is_here(local->root_fd);
}

void local_ask(struct local *local, const char *container_id, const char *pod_uid)
{
	struct ask ask = { .tries = 0 };
	int r = 0;

	if (say_again(local, container_id, pod_uid)) {
		local_settle(local);
		return;
	}
	/* A pod without containers yet: its directory or its first container tells. */
	if (!container_id[0])
		return;
	if (!text_is_plain(container_id, strlen(container_id), sizeof(ask.id) - 1) ||
	    (pod_uid[0] && !text_is_uid(pod_uid, strlen(pod_uid)))) {
		local_ignore(local, container_id, "a cgroup");
		return;
	}
	if (asks_has(&local->asks, container_id))
		return;
	snprintf(ask.id, sizeof(ask.id), "%s", container_id);
	snprintf(ask.uid, sizeof(ask.uid), "%s", pod_uid);
	if (!look_for(local, &ask))
		r = asks_add(&local->asks, ask.id, ask.uid, host_monotonic_ns());
	if (health_changed(&local->asks_health, r) && r)
		log_warn("local: cannot look for container '%s' later: %s (more than %d wait for "
			 "their files)",
			 container_id, strerrordesc_np(-r), ASKS_MAX);
	local_dirs_rest(local);
	local_settle(local);
}

void local_close(struct local *local)
{
	if (!local)
		return;
	local_dirs_close(local);
	loop_timer_free(local->timer);
	asks_free(&local->asks);
	table_free(&local->table);
	close_fd(&local->root_fd);
	free(local);
}
