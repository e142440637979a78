/* SPDX-License-Identifier: Apache-2.0 */
#include "names/kube.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "names/kube_access.h"
#include "names/kube_answer.h"
#include "names/kube_known.h"
#include "platform/host.h"
#include "platform/log.h"
#include "platform/scope.h"

#ifndef PODJOULE_VERSION
#define PODJOULE_VERSION "unknown"
#endif

#define SECOND         UINT64_C(1000000000)
#define MAX_COMPLAINT  (64u << 10)
#define WATCH_S        290 /* give or take a tenth, so that a cluster's nodes do not meet */
#define SILENCE_S      30
#define LIST_LIMIT     (600 * SECOND)
#define MAX_BACKOFF_S  30
#define MAX_RETRY      (60 * SECOND)
#define FORBIDDEN_WAIT (60 * SECOND)
#define LEAST_WAIT     (SECOND / 20)
#define DELIVER_EVERY  (SECOND / 20)

struct kube {
	struct fetcher *fetcher;
	struct mailbox *mailbox;
	struct kube_access access;
	uint32_t max_pods;
	struct known *known;
	struct loop_timer *next, *deliver;
	uint64_t random;

	enum kube_phase phase;
	bool listed; /* once at least */
	bool insist; /* the list has to be the newest there is, not what is at hand */

	/* The request under way. */
	struct fetch_job *job;
	struct kube_answer answer;
	uint64_t started_ns, watch_s;
	size_t complained; /* bytes of an answer that is none */

	unsigned int failures; /* since a watch last brought something */
	struct health health;
	bool said_connected, said_full;
	struct kube_state state;
};

static uint64_t random_below(struct kube *kube, uint64_t limit)
{
	kube->random ^= kube->random << 13;
	kube->random ^= kube->random >> 7;
	kube->random ^= kube->random << 17;
	return limit ? kube->random % limit : 0;
}

static void schedule(struct kube *kube, uint64_t wait_ns)
{
	loop_timer_set(kube->next, host_monotonic_ns() + wait_ns);
}

/* Full jitter: what fails together must not come back together. */
static uint64_t back_off(struct kube *kube)
{
	uint64_t most_s = MIN(UINT64_C(1) << MIN(kube->failures, 16u), (uint64_t)MAX_BACKOFF_S);

	kube->failures++;
	return LEAST_WAIT + random_below(kube, most_s * SECOND);
}

static uint64_t count_pods(const struct kube *kube)
{
	struct known_state known;

	known_state(kube->known, &known);
	return known.pods;
}

/* For the metrics, which another thread makes. */
static void tell_figures(const struct kube *kube)
{
	struct kube_state state;

	kube_state(kube, &state);
	mailbox_set_api(kube->mailbox, &(struct api_figures){ .asked = true,
							      .connected = state.connected,
							      .events = state.events,
							      .relists = state.relists,
							      .dropped = state.dropped });
}

static void say_connected(struct kube *kube)
{
	if (kube->said_connected)
		return;
	kube->said_connected = true;
	log_info("kube: '%s' tells of the pods of node '%s': %" PRIu64, kube->access.server,
		 kube->access.node, count_pods(kube));
}

/* A watch has brought something.  A head alone proves little: a proxy may end it at once, again and
 * again, and that is one loss. */
static void set_proven(struct kube *kube)
{
	kube->failures = 0;
	health_changed(&kube->health, 0);
	say_connected(kube);
}

/* cause: -errno or an HTTP status.  What is known stays known. */
static void set_lost(struct kube *kube, int cause, const char *why)
{
	const char *advice = "pods keep the names that they have; trying again";

	kube->state.tried = true;
	kube->state.connected = false;
	tell_figures(kube);
	if (!health_changed(&kube->health, cause))
		return;
	kube->said_connected = false;
	if (cause == 401)
		advice = "check the token (--kube-token-file); trying again";
	else if (cause == 403)
		advice = "let this service account get, list and watch pods; trying again";
	log_warn("kube: cannot %s the pods of node '%s' at '%s': %s; %s",
		 kube->phase == KUBE_LIST ? "list" : "watch", kube->access.node,
		 kube->access.server, why, advice);
}

static void lose_status(struct kube *kube, const struct fetch_result *result)
{
	uint64_t retry = MIN(result->retry_after_ns, MAX_RETRY);
	uint64_t wait = back_off(kube);
	char why[64];

	snprintf(why, sizeof(why), "it answers HTTP %ld%s", result->status,
		 result->status == 401   ? " (who are you?)"
		 : result->status == 403 ? " (not allowed)"
					 : "");
	set_lost(kube, (int)result->status, why);
	if (result->status == 403)
		wait = FORBIDDEN_WAIT + random_below(kube, FORBIDDEN_WAIT / 10);
	else if (retry)
		wait = retry + random_below(kube, retry / 4);
	schedule(kube, wait);
}

static void lose(struct kube *kube, int error, const char *why)
{
	set_lost(kube, error, why);
	schedule(kube, back_off(kube));
}

static void list_again(struct kube *kube, uint64_t wait)
{
	kube->phase = KUBE_LIST;
	schedule(kube, wait);
}

static void on_head(void *ctx, long status)
{
	struct kube *kube = ctx;

	if (status != 200)
		return;
	kube->state.last_ok_ns = host_monotonic_ns();
	if (kube->phase == KUBE_WATCH)
		kube->state.connected = true;
	tell_figures(kube);
}

static void say_full(struct kube *kube)
{
	if (!kube->answer.full || kube->said_full)
		return;
	kube->said_full = true;
	log_warn("kube: node '%s' has more than %" PRIu32
		 " pods; those beyond get no name from the "
		 "API server, raise --max-cgroups",
		 kube->access.node, kube->max_pods);
}

static int on_data(void *ctx, long status, const char *bytes, size_t len)
{
	struct kube *kube = ctx;
	struct known_state known;
	int r;

	if (status != 200) {
		kube->complained += len;
		return kube->complained > MAX_COMPLAINT ? -E2BIG : 0;
	}
	kube->state.last_ok_ns = host_monotonic_ns();
	r = kube_answer_feed(&kube->answer, bytes, len);
	if (kube->answer.any)
		set_proven(kube);
	say_full(kube);
	tell_figures(kube);
	known_state(kube->known, &known);
	if (known.waiting) {
		if (!r)
			fetch_pause(kube->job, 1);
		loop_timer_set(kube->deliver, host_monotonic_ns() + DELIVER_EVERY);
	}
	return r;
}

static void on_deliver(void *ctx)
{
	struct kube *kube = ctx;

	if (known_deliver(kube->known))
		loop_timer_set(kube->deliver, host_monotonic_ns() + DELIVER_EVERY);
	else if (kube->job)
		fetch_pause(kube->job, 0);
}

static void end_list(struct kube *kube)
{
	bool more = false;
	uint64_t version = 0;
	int r = kube_answer_end(&kube->answer, &version, &more);

	if (r < 0) {
		lose(kube, r, "what it answers is no list of pods");
		return;
	}
	/* A server that has just started may be behind what we know; or the store was restored. */
	if (version < kube->answer.version && !kube->insist) {
		kube->insist = true;
		schedule(kube, back_off(kube));
		return;
	}
	if (!more)
		known_list_end(kube->known);
	kube->answer.version = version;
	kube->insist = false;
	kube->state.relists += kube->listed;
	kube->listed = true;
	kube->phase = KUBE_WATCH;
	kube->state.connected = kube->state.tried = true;
	tell_figures(kube);
	say_connected(kube);
	schedule(kube, 0);
}

static void end_watch(struct kube *kube)
{
	uint64_t lasted = host_monotonic_ns() - kube->started_ns, version;
	bool more;

	if (kube_answer_end(&kube->answer, &version, &more) < 0) {
		lose(kube, -EBADMSG, "its answer ended in the middle of an event");
		return;
	}
	/* Not even a bookmark in all that time: a version that is never reached looks so, too. */
	if (!kube->answer.any && lasted > kube->watch_s * SECOND / 2) {
		list_again(kube, 0);
		return;
	}
	if (lasted >= SECOND)
		set_proven(kube);
	schedule(kube, lasted < SECOND ? SECOND - lasted + random_below(kube, SECOND / 4) : 0);
}

/* A watch that cannot be read any further may have lost something. */
static void end_badly(struct kube *kube, const struct fetch_result *result)
{
	bool unreadable = result->error == -EBADMSG && result->status == 200;

	if (kube->answer.expired) {
		log_debug("kube: '%s' has forgotten what came after version %" PRIu64
			  "; listing the pods again",
			  kube->access.server, kube->answer.version);
		list_again(kube, back_off(kube));
		return;
	}
	if (kube->answer.refused) {
		set_lost(kube, -EPROTO, "it reports an error in the middle of the watch");
		list_again(kube, back_off(kube));
		return;
	}
	lose(kube, result->error, result->why);
	if (unreadable)
		kube->phase = KUBE_LIST;
}

static void on_done(void *ctx, const struct fetch_result *result)
{
	struct kube *kube = ctx;

	kube->job = NULL;
	if (result->error) {
		end_badly(kube, result);
	} else if (result->status == 410 && kube->phase == KUBE_WATCH) {
		kube->answer.expired = true;
		end_badly(kube, result);
	} else if (result->status != 200) {
		lose_status(kube, result);
	} else if (kube->phase == KUBE_LIST) {
		end_list(kube);
	} else {
		end_watch(kube);
	}
}

static int start_request(struct kube *kube, const char *token)
{
	const char *const headers[] = { "Accept: application/json",
					"User-Agent: podjoule-agent/" PODJOULE_VERSION,
					*token ? token : NULL, NULL };
	char url[KUBE_MAX_URL + sizeof(kube->access.query_node) + 256];
	struct fetch fetch = { .url = url,
			       .headers = headers,
			       .ca_file = kube_access_ca(&kube->access),
			       .on_head = on_head,
			       .on_data = on_data,
			       .on_done = on_done,
			       .ctx = kube };
	int len = snprintf(url, sizeof(url), "%s/api/v1/pods?fieldSelector=spec.nodeName%%3D%s",
			   kube->access.server, kube->access.query_node);
	char *end = url + len;
	size_t left = sizeof(url) - (size_t)len;

	if (kube->phase == KUBE_LIST) {
		snprintf(end, left, "%s", kube->insist ? "" : "&resourceVersion=0");
		fetch.silence_limit_ns = SILENCE_S * SECOND;
		fetch.limit_ns = LIST_LIMIT;
	} else {
		kube->watch_s = WATCH_S * 9 / 10 + random_below(kube, WATCH_S / 5 + 1);
		snprintf(end, left,
			 "&watch=1&allowWatchBookmarks=true&resourceVersion=%" PRIu64
			 "&timeoutSeconds=%" PRIu64,
			 kube->answer.version, kube->watch_s);
		fetch.silence_limit_ns = (kube->watch_s + SILENCE_S) * SECOND;
	}
	kube_answer_begin(&kube->answer, kube->phase, kube->insist);
	kube->complained = 0;
	kube->started_ns = host_monotonic_ns();
	return fetch_start(kube->fetcher, &fetch, &kube->job);
}

static void on_next(void *ctx)
{
	struct kube *kube = ctx;
	_sbuf_ struct sbuf token = SBUF_INIT(64 << 10);
	char why[160];
	int r;

	/* What comes next may be more; it has to wait as long. */
	if (known_deliver(kube->known)) {
		schedule(kube, DELIVER_EVERY);
		return;
	}
	r = kube_access_token(&kube->access, &token);
	if (r < 0) {
		snprintf(why, sizeof(why), "no token in '%.100s': %s",
			 kube->access.own_token ? kube->access.token_file : "the service account",
			 r == -EINVAL ? "empty, or not text" : strerrordesc_np(-r));
		lose(kube, r, why);
		return;
	}
	r = start_request(kube, token.text ? token.text : "");
	kube_access_forget(&token);
	if (r < 0)
		lose(kube, r, strerrordesc_np(-r));
}

static void close_kube(struct kube **kube)
{
	kube_close(*kube);
}

int kube_open(struct loop *loop, struct fetcher *fetcher, const struct kube_config *config,
	      struct mailbox *mailbox, struct kube **ret)
{
	_cleanup_(close_kube) struct kube *kube = calloc(1, sizeof(*kube));
	int r;

	if (!kube)
		return -ENOMEM;
	kube->fetcher = fetcher;
	kube->mailbox = mailbox;
	kube->max_pods = config->max_pods;
	if (getrandom(&kube->random, sizeof(kube->random), GRND_NONBLOCK) < 0)
		kube->random = host_monotonic_ns();
	kube->random |= 1;
	r = kube_access_open(config, &kube->access);
	if (r < 0)
		return r;
	r = known_new(mailbox, config->max_pods, &kube->known);
	if (r < 0)
		return r;
	r = kube_answer_init(&kube->answer, kube->known, config->labels);
	if (r < 0)
		return r;
	r = loop_timer_new(loop, on_next, kube, &kube->next);
	if (r < 0)
		return r;
	r = loop_timer_new(loop, on_deliver, kube, &kube->deliver);
	if (r < 0)
		return r;
	tell_figures(kube);
	schedule(kube, 0);

	*ret = TAKE_PTR(kube);
	return 0;
}

void kube_state(const struct kube *kube, struct kube_state *ret)
{
	struct known_state known;

	known_state(kube->known, &known);
	*ret = kube->state;
	ret->pods = known.pods;
	ret->events = kube->answer.events;
	ret->dropped = kube->answer.dropped + known.dropped;
}

void kube_close(struct kube *kube)
{
	if (!kube)
		return;
	fetch_cancel(kube->job);
	loop_timer_free(kube->next);
	loop_timer_free(kube->deliver);
	kube_answer_free(&kube->answer);
	known_free(kube->known);
	kube_access_close(&kube->access);
	free(kube);
}
