/* SPDX-License-Identifier: Apache-2.0 */
#include "naming.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "activity/activity.h"
#include "names/kube.h"
#include "names/local.h"
#include "names/vm.h"
#include "platform/fetch.h"
#include "platform/log.h"
#include "platform/scope.h"

#define NS_PER_SECOND 1000000000ull

/*
 * How long owners and functions are waited for while the API server is away.  After that a pod that
 * the node's files have named is booked to the owner that its name suggests.
 */
#define API_PATIENCE_NS (60 * NS_PER_SECOND)
#define LOOK_EVERY_NS   (30 * NS_PER_SECOND)

struct naming_sources {
	struct naming_config config;
	struct loop *loop;
	int root_fd;
	struct fetcher *fetcher;
	struct kube *kube;
	struct local *local;
	struct vm_finder *vms;
	struct loop_timer *timer; /* only while the API server is one of those who are asked */
	uint64_t opened_ns;
	uint64_t asked_ns; /* containers born until then have been asked for */
	bool watches_ask;
};

/* Containers that nobody has named, met since the last time. */
static void on_ask(void *ctx, uint32_t events _unused_)
{
	struct naming_sources *sources = ctx;
	struct snapshot *now;

	mailbox_answered(sources->config.mailbox);
	now = local_usable(sources->local) ? snapshot_current(sources->config.pool) : NULL;
	if (!now)
		return;
	for (size_t i = 0; i < now->n_accounts; i++) {
		const struct snapshot_account *account = &now->accounts[i];

		if (account->bucket == BUCKET_CONTAINERS && account->name && !account->container &&
		    !account->sandbox && account->name->is.class == PATH_CONTAINER &&
		    account->born_ns >= sources->asked_ns)
			local_ask(sources->local, account->name->is.container_id,
				  account->name->is.pod_uid);
	}
	/* What was born while the snapshot was made may not be in it. */
	sources->asked_ns = now->t_ns - MIN(now->t_ns, NS_PER_SECOND);
	snapshot_put(sources->config.pool, now);
}

/* Is the API server's word still to be had?  An outage is waited for, but not for ever. */
static bool expects_api(const struct naming_sources *sources)
{
	uint64_t since_ns = sources->opened_ns;
	struct kube_state state;

	if (!sources->kube)
		return false;
	kube_state(sources->kube, &state);
	if (state.connected || !sources->local)
		return true;
	return host_monotonic_ns() - MAX(since_ns, state.last_ok_ns) < API_PATIENCE_NS;
}

static void tell(struct naming_sources *sources)
{
	struct naming naming = { .any = sources->kube || sources->local,
				 .api = expects_api(sources) };

	mailbox_set_naming(sources->config.mailbox, naming);
}

static void on_timer(void *ctx)
{
	struct naming_sources *sources = ctx;

	tell(sources);
	loop_timer_set(sources->timer, host_monotonic_ns() + LOOK_EVERY_NS);
}

/* auto: no API server to be found is no news; kube: it is what was asked for. */
static int open_kube(struct naming_sources *sources)
{
	const struct config *config = sources->config.config;
	struct kube_config kube = { .server = config->kube_server,
				    .token_file = config->kube_token_file,
				    .ca_file = config->kube_ca_file,
				    .node = config->node_name,
				    .labels = config->pod_labels,
				    .max_pods = config->max_cgroups };
	int r = fetcher_new(sources->loop, &sources->fetcher);

	if (r < 0)
		return log_errno(r, "names: cannot make an HTTP client");
	r = kube_open(sources->loop, sources->fetcher, &kube, sources->config.mailbox,
		      &sources->kube);
	if (r == -ENOENT && config->pods == PODS_KUBE) {
		log_error("--pods=kube: this is no pod of a cluster; name the API server with "
			  "--kube-server=URL, or try --pods=auto");
		return r;
	}
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = loop_timer_new(sources->loop, on_timer, sources, &sources->timer);
	if (r < 0)
		return log_errno(r, "names: cannot make a timer");
	loop_timer_set(sources->timer, host_monotonic_ns() + LOOK_EVERY_NS);
	return 0;
}

static int open_local(struct naming_sources *sources)
{
	const struct config *config = sources->config.config;
	const char *root = config->rootfs ? config->rootfs : "/";
	struct local_config local = { .max_pods = config->max_cgroups };
	int r;

	sources->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sources->root_fd < 0)
		return log_errno(-errno, "--rootfs: cannot open '%s'", root);
	local.root_fd = sources->root_fd;
	r = local_open(sources->loop, &local, sources->config.mailbox, &sources->local);
	if (r < 0)
		return log_errno(r, "names: cannot look into the node's files");
	r = loop_add(sources->loop, mailbox_ask_fd(sources->config.mailbox), EPOLLIN, on_ask,
		     sources);
	if (r < 0)
		return log_errno(r, "names: cannot hear who needs a name");
	sources->watches_ask = true;
	return 0;
}

/* Virtual machines are looked for whatever names pods; a node without cgroups has none to name. */
static void open_vms(struct naming_sources *sources)
{
	const char *wanted = sources->config.hierarchy;
	struct hierarchy hierarchy;
	struct vm_config vms = { .host = sources->config.host,
				 .hierarchy = hierarchy.name,
				 .hierarchy_dir = hierarchy.dir };
	int r = hierarchy_find(sources->config.host, *wanted ? wanted : NULL, &hierarchy);

	if (r == 0)
		r = vm_finder_open(sources->loop, &vms, sources->config.mailbox, &sources->vms);
	if (r < 0)
		log_warn("names: virtual machines are named by their cgroup alone: %s",
			 strerror(-r));
}

static void close_sources(struct naming_sources **sources)
{
	naming_close(*sources);
}

int naming_open(struct loop *loop, const struct naming_config *config, struct naming_sources **ret)
{
	_cleanup_(close_sources) struct naming_sources *sources = calloc(1, sizeof(*sources));
	enum pods_mode mode = config->config->pods;
	int r = 0;

	if (!sources)
		return -ENOMEM;
	sources->config = *config;
	sources->loop = loop;
	sources->root_fd = -1;
	sources->opened_ns = host_monotonic_ns();
	if (mode == PODS_AUTO || mode == PODS_LOCAL)
		r = open_local(sources);
	if (r == 0 && (mode == PODS_AUTO || mode == PODS_KUBE))
		r = open_kube(sources);
	if (r < 0)
		return r;
	open_vms(sources);
	tell(sources);
	*ret = TAKE_PTR(sources);
	return 0;
}

bool naming_works(const struct naming_sources *sources, bool *ret_known)
{
	struct kube_state state = { .tried = true };

	if (sources->kube)
		kube_state(sources->kube, &state);
	*ret_known = state.tried;
	return state.connected || (sources->local && local_usable(sources->local));
}

void naming_close(struct naming_sources *sources)
{
	if (!sources)
		return;
	if (sources->watches_ask)
		loop_remove(sources->loop, mailbox_ask_fd(sources->config.mailbox));
	if (sources->timer)
		loop_timer_free(sources->timer);
	kube_close(sources->kube);
	fetcher_free(sources->fetcher);
	local_close(sources->local);
	vm_finder_close(sources->vms);
	if (sources->root_fd >= 0)
		close(sources->root_fd);
	free(sources);
}
