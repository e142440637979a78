/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/tree.h"
#include "apiserver/watch_frame.h"
#include "platform/parse.h"

#define NS_PER_S 1000000000ull
/* The last bookmark comes so long before the deadline. */
#define LAST_BOOKMARK_NS (17 * NS_PER_S / 10)
/* Frames that are made in one go; more has to wait until the client has read these. */
#define FILL_BYTES (256u << 10)

static bool concerns(const struct watch *watch, const struct version *version)
{
	if (!version || (watch->namespace[0] && strcmp(watch->namespace, version->namespace) != 0))
		return false;
	if (watch->name[0] && strcmp(watch->name, version->name) != 0)
		return false;
	return selector_matches(&watch->selector, version);
}

/* What an event is to this client: one that enters or leaves its selection is born or gone. */
static void tell(struct watch *watch, const struct event *event)
{
	bool before = concerns(watch, event->before);
	bool after = !event->gone && concerns(watch, event->after);
	_free_ char *old = NULL;

	if (event->rv <= watch->start_rv || (!before && !after))
		return;
	if (after)
		watch_frame_event(watch, before ? "MODIFIED" : "ADDED", event->after->text);
	else if (event->gone)
		watch_frame_event(watch, "DELETED", event->after->text);
	else {
		old = version_text_at(event->before, event->rv);
		watch_frame_event(watch, "DELETED", old);
	}
}

/* Nothing is left to tell; what time has brought comes now. */
static void up_to_date(struct watch *watch, const struct shelf *shelf)
{
	if (watch->bookmark_due) {
		watch->bookmark_due = false;
		watch_frame_bookmark(watch, MAX(watch->start_rv, shelf->last_rv));
	}
	if (watch->pipe.end == PIPE_OPEN && host_monotonic_ns() >= watch->deadline_ns) {
		watch_frame_flush(watch);
		watch->pipe.end = PIPE_END;
	}
}

static void watch_fill(struct pipe *pipe)
{
	struct watch *watch = container_of(pipe, struct watch, pipe);
	struct store *store = &pipe->server->store;
	struct shelf *shelf = store_shelf(store, watch->resource);

	watch->n_frames = 0;
	/* The real one lets go of a client that cannot follow. */
	if (watch->seq < shelf->first) {
		pipe->end = PIPE_END;
		return;
	}
	while (pipe->end == PIPE_OPEN && watch->seq < shelf->next && pipe->out.len < FILL_BYTES)
		tell(watch, &shelf->ring[watch->seq++ % store->history]);
	if (pipe->end == PIPE_OPEN && watch->seq == shelf->next)
		up_to_date(watch, shelf);
	pipe->burst = watch->n_frames > 1;
}

static void watch_free(struct pipe *pipe)
{
	struct watch *watch = container_of(pipe, struct watch, pipe);

	if (watch->next)
		watch->next->previous = watch->previous;
	if (watch->previous)
		watch->previous->next = watch->next;
	else
		*watch->head = watch->next;
	selector_free(&watch->selector);
	sbuf_free(&pipe->out);
	free(watch->held);
	free(watch->uri);
	free(watch);
}

static void watch_link(struct watch *watch, struct request *request)
{
	struct server *server = request->server;

	pipe_link(&watch->pipe, server, request->connection);
	watch->head = &server->watches;
	watch->next = server->watches;
	if (server->watches)
		server->watches->previous = watch;
	server->watches = watch;
}

/* Everything that is there, as if it had been added just now; in no particular order. */
static void begin_with_all(struct watch *watch, struct store *store)
{
	struct shelf *shelf = store_shelf(store, watch->resource);

	for (size_t i = 0; i < shelf->n && watch->pipe.end == PIPE_OPEN; i++) {
		const struct version *version = shelf->items[(i + shelf->n - 1) % shelf->n];

		if (concerns(watch, version))
			watch_frame_event(watch, "ADDED", version->text);
	}
	watch->seq = shelf->next;
	watch->start_rv = shelf->last_rv;
}

static void begin_at(struct watch *watch, struct store *store, uint64_t rv)
{
	struct shelf *shelf = store_shelf(store, watch->resource);

	watch->start_rv = rv;
	if (rv < shelf->floor_rv) {
		watch_frame_expired(watch, rv, shelf->floor_rv);
		watch->seq = shelf->next;
		return;
	}
	for (watch->seq = shelf->next; watch->seq > shelf->first; watch->seq--)
		if (shelf->ring[(watch->seq - 1) % store->history].rv <= rv)
			break;
}

/* 0 or -EINVAL and an answer; *ret is 0 when the server shall choose. */
static int read_timeout(const struct request *request, uint64_t *ret_ns, struct answer *answer)
{
	const char *text = request_query(request, "timeoutSeconds");
	uint64_t seconds = 0;

	if (text && text[0] == '-') {
		status_fail(answer, 503, "ServiceUnavailable", NULL,
			    "timeoutSeconds is below zero");
		return -EINVAL;
	}
	if (text && text[0] && (parse_u64(text, &seconds) < 0 || seconds > 1u << 30)) {
		status_fail(answer, 400, "BadRequest", NULL,
			    "strconv.ParseInt: parsing \"%s\": invalid syntax", text);
		return -EINVAL;
	}
	*ret_ns = seconds * NS_PER_S;
	return 0;
}

static int read_rv(const struct request *request, uint64_t *ret, struct answer *answer)
{
	const char *text = request_query(request, "resourceVersion");

	*ret = 0;
	if (!text || !text[0] || parse_u64(text, ret) == 0)
		return 0;
	status_fail(answer, 500, NULL, NULL,
		    "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": "
		    "invalid syntax",
		    text, text);
	return -EINVAL;
}

static void set_times(struct watch *watch, const struct settings *settings, uint64_t timeout_ns)
{
	uint64_t now_ns = host_monotonic_ns();

	if (timeout_ns == 0)
		timeout_ns = settings->min_timeout_ns +
			     (uint64_t)((double)settings->min_timeout_ns * drand48());
	watch->deadline_ns = now_ns + timeout_ns;
	watch->next_bookmark_ns = now_ns + settings->bookmark_ns;
	watch->last_bookmark = timeout_ns <= LAST_BOOKMARK_NS;
}

void watch_open(struct request *request, struct answer *answer)
{
	struct server *server = request->server;
	_selector_ struct selector selector = { 0 };
	const char *bookmarks = request_query(request, "allowWatchBookmarks");
	const char *match = request_query(request, "resourceVersionMatch");
	struct watch *watch;
	uint64_t rv, timeout_ns;

	if (match && match[0]) {
		status_fail(answer, 422, "Invalid", NULL,
			    "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: "
			    "Forbidden: resourceVersionMatch is forbidden for watch");
		return;
	}
	if (request_selector(request, &selector, answer) < 0 || read_rv(request, &rv, answer) < 0 ||
	    read_timeout(request, &timeout_ns, answer) < 0)
		return;
	watch = tree_alloc(sizeof(*watch));
	watch->pipe.out = (struct sbuf)SBUF_INIT(ANSWER_MAX_BYTES);
	watch->pipe.fill = watch_fill;
	watch->pipe.free = watch_free;
	watch->resource = request->target.resource;
	watch->uri = tree_copy(request->uri);
	memcpy(watch->namespace, request->target.namespace, sizeof(watch->namespace));
	memcpy(watch->name, request->target.name, sizeof(watch->name));
	watch->selector = selector;
	selector = (struct selector){ 0 };
	watch->bookmarks = bookmarks && (strcmp(bookmarks, "true") == 0 || bookmarks[0] == '1');
	set_times(watch, &server->settings, timeout_ns);
	watch_link(watch, request);
	if (request->has_fault)
		watch_frame_attach(watch, &request->fault);
	if (watch->pipe.end == PIPE_OPEN && rv > 0)
		begin_at(watch, &server->store, rv);
	else
		begin_with_all(watch, &server->store);
	watch->pipe.burst = watch->n_frames > 1;
	answer->status = 200;
	answer->watch = watch;
}

void watches_notify(struct server *server, const struct resource *resource)
{
	for (struct watch *watch = server->watches; watch; watch = watch->next)
		if (watch->resource == resource && watch->pipe.end == PIPE_OPEN)
			pipe_wake(&watch->pipe);
}

void watches_tick(struct server *server, uint64_t now_ns)
{
	for (struct watch *watch = server->watches; watch; watch = watch->next) {
		bool due = now_ns >= watch->next_bookmark_ns;

		if (watch->pipe.end != PIPE_OPEN)
			continue;
		if (due)
			watch->next_bookmark_ns = now_ns + server->settings.bookmark_ns;
		if (!watch->last_bookmark && now_ns + LAST_BOOKMARK_NS >= watch->deadline_ns) {
			watch->last_bookmark = true;
			due = true;
		}
		watch->bookmark_due = watch->bookmark_due || (due && watch->bookmarks);
		if (due || now_ns >= watch->deadline_ns)
			pipe_wake(&watch->pipe);
	}
}

void watches_strike(struct server *server)
{
	struct fault fault;

	for (struct watch *watch = server->watches; watch; watch = watch->next) {
		if (watch->has_fault || watch->pipe.end != PIPE_OPEN)
			continue;
		for (size_t i = 0; i < server->faults.n; i++) {
			if (!fault_strikes_open(&server->faults.items[i], watch->uri))
				continue;
			if (faults_take(&server->faults, KIND_WATCH, watch->uri, &fault)) {
				watch_frame_attach(watch, &fault);
				pipe_wake(&watch->pipe);
			}
			break;
		}
	}
}

void watches_release(struct server *server)
{
	for (struct watch *watch = server->watches; watch; watch = watch->next) {
		if (!watch->has_fault)
			continue;
		watch->has_fault = false;
		watch->pipe.piece_bytes = 0;
		watch->pipe.next_piece_ns = 0;
		if (watch->pipe.end == PIPE_HANG)
			watch->pipe.end = PIPE_OPEN;
		pipe_wake(&watch->pipe);
	}
}

void watches_break(struct server *server)
{
	for (struct watch *watch = server->watches; watch; watch = watch->next) {
		watch->pipe.end = PIPE_BREAK;
		pipe_wake(&watch->pipe);
	}
}
