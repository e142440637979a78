/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/fetch.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

#include "platform/fetch_job.h"
#include "platform/host.h"
#include "platform/scope.h"

#define MAX_CONNECTIONS 8 /* kept open for the next request */

/* The loop tells a callback nothing of its fd. */
struct socket_watch {
	struct socket_watch *next, **link;
	struct fetcher *fetcher;
	curl_socket_t fd;
};

struct fetcher {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
	struct fetch_job *jobs;
	struct socket_watch *sockets;
	unsigned int in_curl; /* curl refuses to start or remove a transfer out of its callbacks */
	bool settling;
	int error; /* a socket could not be watched: what is under way would wait for ever */
};

static void unlink_job(struct fetch_job *job)
{
	if (!job->link)
		return;
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
	job->link = NULL;
}

static void free_job(struct fetch_job *job)
{
	unlink_job(job);
	if (job->added)
		curl_multi_remove_handle(job->fetcher->multi, job->easy);
	curl_easy_cleanup(job->easy);
	curl_slist_free_all(job->headers);
	loop_timer_free(job->silence);
	free(job);
}

static void free_job_ptr(struct fetch_job **job)
{
	if (*job)
		free_job(*job);
}

/* The job lives until on_done() is through, so that it may be cancelled in there. */
static void finish(struct fetch_job *job, int error, const char *why)
{
	struct fetch_result result;

	fetch_job_result(job, error, why, &result);
	if (job->added)
		curl_multi_remove_handle(job->fetcher->multi, job->easy);
	job->added = false;
	job->finishing = true;
	unlink_job(job);
	job->fetch.on_done(job->fetch.ctx, &result);
	free_job(job);
}

static void add_job(struct fetch_job *job)
{
	CURLMcode code = curl_multi_add_handle(job->fetcher->multi, job->easy);

	job->added = code == CURLM_OK;
	if (!job->added)
		job->doomed = -ENOMEM;
}

/* What had to wait until curl was left.  True: something happened, look again. */
static bool settle_job(struct fetcher *fetcher)
{
	int error = fetcher->error;

	fetcher->error = 0;
	for (struct fetch_job *job = fetcher->jobs; job; job = job->next) {
		if (error && !job->doomed)
			job->doomed = error;
		if (!job->cancelled && !job->doomed && !job->added)
			add_job(job);
	}
	for (struct fetch_job *job = fetcher->jobs; job; job = job->next) {
		if (job->cancelled)
			free_job(job);
		else if (job->doomed)
			finish(job, job->doomed, strerrordesc_np(-job->doomed));
		else
			continue;
		return true;
	}
	return false;
}

static bool settle_message(struct fetcher *fetcher)
{
	int left;
	CURLMsg *message = curl_multi_info_read(fetcher->multi, &left);
	struct fetch_job *job;
	CURLcode code;

	if (!message)
		return false;
	if (message->msg != CURLMSG_DONE)
		return true;
	code = message->data.result;
	curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&job);
	finish(job, fetch_job_error(job, code), fetch_job_why(job, code));
	return true;
}

static void enter(struct fetcher *fetcher)
{
	fetcher->in_curl++;
}

static void leave(struct fetcher *fetcher)
{
	if (--fetcher->in_curl || fetcher->settling)
		return;
	fetcher->settling = true;
	while (settle_job(fetcher) || settle_message(fetcher))
		;
	fetcher->settling = false;
}

static void drive(struct fetcher *fetcher, curl_socket_t fd, int events)
{
	int running;

	enter(fetcher);
	curl_multi_socket_action(fetcher->multi, fd, events, &running);
	leave(fetcher);
}

static void on_socket(void *ctx, uint32_t events)
{
	struct socket_watch *watch = ctx;
	int actions = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		      (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		      (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	drive(watch->fetcher, watch->fd, actions);
}

static void on_timer(void *ctx)
{
	drive(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void drop_watch(struct socket_watch *watch)
{
	loop_remove(watch->fetcher->loop, watch->fd);
	*watch->link = watch->next;
	if (watch->next)
		watch->next->link = watch->link;
	free(watch);
}

static int add_watch(struct fetcher *fetcher, curl_socket_t fd, uint32_t events)
{
	_free_ struct socket_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	*watch = (struct socket_watch){
		.fetcher = fetcher, .fd = fd, .next = fetcher->sockets, .link = &fetcher->sockets
	};
	r = loop_add(fetcher->loop, fd, events, on_socket, watch);
	if (r < 0)
		return r;
	curl_multi_assign(fetcher->multi, fd, watch);
	if (watch->next)
		watch->next->link = &watch->next;
	fetcher->sockets = TAKE_PTR(watch);
	return 0;
}

/* curl may close an fd and get the same number again for another connection. */
static int want_socket(CURL *easy _unused_, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
	struct fetcher *fetcher = ctx;
	struct socket_watch *watch = of_socket;
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	int r;

	if (watch && what != CURL_POLL_REMOVE && !loop_change(fetcher->loop, fd, events))
		return 0;
	if (watch) {
		drop_watch(watch);
		curl_multi_assign(fetcher->multi, fd, NULL);
	}
	if (what == CURL_POLL_REMOVE)
		return 0;
	r = add_watch(fetcher, fd, events);
	if (r < 0) {
		/* -1 would end curl's multi handle for good. */
		fetcher->error = r;
		loop_timer_set(fetcher->timer, host_monotonic_ns());
	}
	return 0;
}

static int want_timer(CURLM *multi _unused_, long timeout_ms, void *ctx)
{
	struct fetcher *fetcher = ctx;

	if (fetcher->error)
		return 0;
	loop_timer_set(fetcher->timer,
		       timeout_ms < 0 ? 0 : host_monotonic_ns() + (uint64_t)timeout_ms * 1000000u);
	return 0;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct fetch_job *job = ctx;
	long status = 0;
	int r;

	if (job->cancelled)
		return CURL_WRITEFUNC_ERROR;
	if (job->paused)
		return CURL_WRITEFUNC_PAUSE;
	job->heard_ns = host_monotonic_ns();
	if (!n || !job->fetch.on_data)
		return n * size;
	curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
	r = job->fetch.on_data(job->fetch.ctx, status, bytes, n * size);
	if (r < 0)
		job->refused = r;
	return r < 0 || job->cancelled ? CURL_WRITEFUNC_ERROR : n * size;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
	struct fetch_job *job = ctx;
	long status = 0;

	if (job->cancelled)
		return 0;
	job->heard_ns = host_monotonic_ns();
	job->head_bytes += n * size;
	if (job->head_bytes > FETCH_MAX_HEAD) {
		job->refused = -E2BIG;
		return 0;
	}
	/* Behind the body there may be more fields, and another empty line. */
	if (job->had_head || !n || (bytes[0] != '\r' && bytes[0] != '\n'))
		return n * size;
	curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return n * size;
	job->had_head = true;
	if (job->fetch.on_head)
		job->fetch.on_head(job->fetch.ctx, status);
	return job->cancelled ? 0 : n * size;
}

static void on_silence(void *ctx)
{
	struct fetch_job *job = ctx;
	uint64_t now = host_monotonic_ns(), limit = job->fetch.silence_limit_ns;
	char why[64];

	/* Who is not read from cannot be heard. */
	if (job->paused)
		job->heard_ns = now;
	if (now - job->heard_ns < limit) {
		loop_timer_set(job->silence, job->heard_ns + limit);
		return;
	}
	snprintf(why, sizeof(why), "not a byte for %g s", (double)limit / 1e9);
	finish(job, -ETIMEDOUT, why);
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_state = CURLE_FAILED_INIT;

static void init_curl(void)
{
	curl_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void free_fetcher_ptr(struct fetcher **fetcher)
{
	fetcher_free(*fetcher);
}

int fetcher_new(struct loop *loop, struct fetcher **ret)
{
	_cleanup_(free_fetcher_ptr) struct fetcher *fetcher = NULL;
	int r;

	pthread_once(&curl_once, init_curl);
	if (curl_state != CURLE_OK)
		return -ENOMEM;
	fetcher = calloc(1, sizeof(*fetcher));
	if (!fetcher)
		return -ENOMEM;
	fetcher->loop = loop;
	fetcher->multi = curl_multi_init();
	if (!fetcher->multi)
		return -ENOMEM;
	r = loop_timer_new(loop, on_timer, fetcher, &fetcher->timer);
	if (r < 0)
		return r;
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, (long)MAX_CONNECTIONS);

	*ret = TAKE_PTR(fetcher);
	return 0;
}

void fetcher_free(struct fetcher *fetcher)
{
	if (!fetcher)
		return;
	while (fetcher->jobs)
		free_job(fetcher->jobs);
	curl_multi_cleanup(fetcher->multi);
	while (fetcher->sockets)
		drop_watch(fetcher->sockets);
	loop_timer_free(fetcher->timer);
	free(fetcher);
}

int fetch_start(struct fetcher *fetcher, const struct fetch *fetch, struct fetch_job **ret)
{
	_cleanup_(free_job_ptr) struct fetch_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	job->fetcher = fetcher;
	job->fetch = *fetch;
	job->heard_ns = host_monotonic_ns();
	r = fetch_job_prepare(job, fetch, on_body, on_header);
	if (r < 0)
		return r;
	if (fetch->silence_limit_ns) {
		r = loop_timer_new(fetcher->loop, on_silence, job, &job->silence);
		if (r < 0)
			return r;
		loop_timer_set(job->silence, job->heard_ns + fetch->silence_limit_ns);
	}
	if (!fetcher->in_curl) {
		add_job(job);
		if (!job->added)
			return job->doomed;
	}

	job->next = fetcher->jobs;
	job->link = &fetcher->jobs;
	if (job->next)
		job->next->link = &job->next;
	fetcher->jobs = job;
	*ret = TAKE_PTR(job);
	return 0;
}

void fetch_cancel(struct fetch_job *job)
{
	if (!job || job->finishing)
		return;
	if (job->fetcher->in_curl)
		job->cancelled = true;
	else
		free_job(job);
}

void fetch_pause(struct fetch_job *job, int paused)
{
	struct fetcher *fetcher = job->fetcher;

	if (job->paused == !!paused || job->finishing || job->cancelled)
		return;
	job->paused = paused;
	job->heard_ns = host_monotonic_ns();
	if (!job->added)
		return;
	/* What curl has read meanwhile is handed out before it returns. */
	enter(fetcher);
	curl_easy_pause(job->easy, paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
	leave(fetcher);
}
