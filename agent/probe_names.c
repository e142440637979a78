/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "names/kube.h"
#include "names/local.h"
#include "names/mailbox.h"
#include "platform/fetch.h"
#include "platform/host.h"
#include "platform/log.h"
#include "platform/loop.h"
#include "platform/scope.h"

#define ANSWER_LIMIT_NS 5000000000ull
#define LOOK_NS         20000000ull

struct asking {
	struct loop *loop;
	struct loop_timer *timer;
	struct fetcher *fetcher;
	struct kube *kube;
	struct mailbox *mailbox;
	uint64_t until_ns;
};

static void on_look(void *ctx)
{
	struct asking *asking = ctx;
	uint64_t now_ns = host_monotonic_ns();
	struct kube_state state;

	kube_state(asking->kube, &state);
	if (state.tried || now_ns >= asking->until_ns)
		loop_stop(asking->loop);
	else
		loop_timer_set(asking->timer, now_ns + LOOK_NS);
}

static void close_asking(struct asking *asking)
{
	kube_close(asking->kube);
	fetcher_free(asking->fetcher);
	if (asking->timer)
		loop_timer_free(asking->timer);
	loop_free(asking->loop);
	mailbox_free(asking->mailbox);
}

/* One list, as `run` begins.  0 with its outcome, or -errno; -ENOENT: there is nobody to ask. */
static int ask(const struct config *config, struct kube_state *ret)
{
	_cleanup_(close_asking) struct asking asking = { 0 };
	const struct kube_config kube = { .server = config->kube_server,
					  .token_file = config->kube_token_file,
					  .ca_file = config->kube_ca_file,
					  .node = config->node_name,
					  .labels = config->pod_labels,
					  .max_pods = config->max_cgroups };
	int r = mailbox_new(config->max_cgroups, &asking.mailbox);

	if (r == 0)
		r = loop_new(&asking.loop);
	if (r == 0)
		r = fetcher_new(asking.loop, &asking.fetcher);
	if (r == 0)
		r = kube_open(asking.loop, asking.fetcher, &kube, asking.mailbox, &asking.kube);
	if (r == 0)
		r = loop_timer_new(asking.loop, on_look, &asking, &asking.timer);
	if (r < 0)
		return r;
	asking.until_ns = host_monotonic_ns() + ANSWER_LIMIT_NS;
	loop_timer_set(asking.timer, host_monotonic_ns());
	r = loop_run(asking.loop);
	if (r == 0)
		kube_state(asking.kube, ret);
	return r;
}

static void probe_kube(const struct config *config, struct probe_row *row)
{
	struct kube_state state = { 0 };
	int r = ask(config, &state);

	if (r == -ENOENT) {
		row->state = PROBE_ABSENT;
		snprintf(row->why, sizeof(row->why), "this is no pod of a cluster");
		snprintf(row->fix, sizeof(row->fix),
			 "name an API server with --kube-server, or leave names to the files");
	} else if (r < 0) {
		row->state = PROBE_BROKEN;
		snprintf(row->why, sizeof(row->why), "%s", strerror(-r));
	} else if (state.connected) {
		row->state = PROBE_USABLE;
		snprintf(row->why, sizeof(row->why), "%llu pods of node '%.100s'",
			 (unsigned long long)state.pods, config->node_name);
	} else {
		row->state = PROBE_BROKEN;
		snprintf(row->why, sizeof(row->why), "the API server gave no list of pods");
		snprintf(row->fix, sizeof(row->fix),
			 "see the log line above; it needs pods get, list and watch");
	}
}

static void probe_local(const struct config *config, struct probe_row *row)
{
	const char *root = config->rootfs ? config->rootfs : "/";
	_close_ int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct local_config wanted = { .root_fd = root_fd, .max_pods = config->max_cgroups };
	struct asking asking = { 0 };
	struct local *local = NULL;
	int r = root_fd < 0 ? -errno : mailbox_new(config->max_cgroups, &asking.mailbox);

	if (r == 0)
		r = loop_new(&asking.loop);
	if (r == 0)
		r = local_open(asking.loop, &wanted, asking.mailbox, &local);
	if (r < 0) {
		row->state = PROBE_BROKEN;
		snprintf(row->why, sizeof(row->why), "%s", strerror(-r));
	} else if (local_usable(local)) {
		row->state = PROBE_USABLE;
		snprintf(row->why, sizeof(row->why), "log directories or runtime files are there");
	} else {
		row->state = PROBE_ABSENT;
		snprintf(row->why, sizeof(row->why),
			 "no kubelet's log directory and no container runtime's files");
		snprintf(row->fix, sizeof(row->fix),
			 "in a container, mount the host's /var/log below --rootfs");
	}
	local_close(local);
	close_asking(&asking);
}

void probe_names(const struct config *config, struct probe_list *list, bool *ret_named)
{
	struct probe_row kube = { .source = "kube" }, local = { .source = "local" };
	bool kube_wanted = config->pods == PODS_AUTO || config->pods == PODS_KUBE;
	bool local_wanted = config->pods == PODS_AUTO || config->pods == PODS_LOCAL;

	probe_kube(config, &kube);
	probe_local(config, &local);
	/* Both at once: the files are quicker, the API server knows more. */
	if (kube.state == PROBE_USABLE && kube_wanted)
		kube.state = PROBE_CHOSEN;
	if (local.state == PROBE_USABLE && local_wanted)
		local.state = PROBE_CHOSEN;
	probe_add(list, &kube);
	probe_add(list, &local);
	*ret_named = kube.state == PROBE_CHOSEN || local.state == PROBE_CHOSEN;
}
