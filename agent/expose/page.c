/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/page.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "expose/accept.h"
#include "expose/body.h"
#include "expose/interval.h"
#include "expose/listener.h"
#include "expose/reply.h"
#include "expose/scrapers.h"
#include "platform/host.h"
#include "platform/log.h"
#include "platform/parse.h"

#define MAX_HEADER_BYTES 8192
/* A connection's pool holds its headers, their index and the answer's own headers. */
#define POOL_BYTES              (2u * MAX_HEADER_BYTES)
#define MAX_CONNECTIONS         64u
#define TIMEOUT_SECONDS         10u
#define SCRAPER_TIMEOUT_SECONDS 150u /* of one that will come again, longer than most intervals */
#define NS_PER_SECOND           1000000000ull
/* Scrapers of a pair come within this time of each other, if at all; then memory is given back. */
#define KEEP_BODIES_NS (2 * NS_PER_SECOND)

/* What is known of a connection. */
struct caller {
	bool taken;
	bool scraped; /* it has been served /metrics */
};

struct page_server {
	struct loop *loop;
	struct page_config config;
	struct MHD_Daemon *daemon;
	int epoll_fd; /* the daemon's; -1 until it is in the loop */
	uint16_t port;
	struct loop_timer *run_timer;    /* when MHD wants to be called without an event */
	struct loop_timer *forget_timer; /* drops bodies between scrapes */
	struct body_cache *bodies;
	struct interval_list intervals;
	struct caller callers[MAX_CONNECTIONS];
	struct scrapers scrapers;
	struct health render; /* an error that lasts is logged once */
};

struct request {
	struct page_server *server;
	struct MHD_Connection *connection;
	const char *method;
	void **state;
};

struct route {
	const char *path;
	bool health; /* served by --health-listen too */
	enum MHD_Result (*answer)(const struct request *request);
};

/* What a request's state points to between its headers and its answer. */
static int headers_seen;

static const char *header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result not_made(const struct request *request, int error)
{
	struct page_server *server = request->server;

	if (error == -EAGAIN)
		return reply_problem(request->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				     "no sample has been taken yet");
	if (error == -EBUSY)
		return reply_problem(request->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				     "too many requests with ?for= are waiting already");
	if (error == -ESHUTDOWN)
		return reply_problem(request->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				     "the agent is stopping");
	if (health_changed(&server->render, error))
		log_errno(error, "page: cannot render an answer");
	return reply_problem(request->connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
			     "the answer could not be rendered, see the log");
}

static void note_scrape(const struct request *request, uint64_t snapshot_ns)
{
	struct page_server *server = request->server;
	const union MHD_ConnectionInfo *address =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const union MHD_ConnectionInfo *context =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct caller *caller = context ? context->socket_context : NULL;
	uint64_t now_ns = host_monotonic_ns();
	struct scrapers_peer peer;

	if (strcmp(request->method, MHD_HTTP_METHOD_GET) != 0 || !address ||
	    !scrapers_peer(address->client_addr, &peer))
		return;
	peer.first = !caller || !caller->scraped;
	if (caller)
		caller->scraped = true;
	peer.derives = header(request, "X-Prometheus-Scrape-Timeout-Seconds") != NULL;
	/* The next scrape should find its connection: that is how we know one server from another.
	 */
	if (peer.derives)
		MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT,
					  SCRAPER_TIMEOUT_SECONDS);
	scrapers_note(&server->scrapers, &peer, snapshot_ns, now_ns);
	snapshot_set_seen(
		server->config.pool,
		(struct snapshot_seen){ .twice_ns = scrapers_seen(&server->scrapers, now_ns),
					.once_ns = scrapers_seen_once(&server->scrapers, now_ns) });
}

static enum MHD_Result answer_body(const struct request *request, enum body_kind kind)
{
	struct page_server *server = request->server;
	bool gzip = accept_gzip(header(request, MHD_HTTP_HEADER_ACCEPT_ENCODING));
	struct body *body;
	int r;

	r = body_cache_get(server->bodies, kind, gzip, &body);
	if (r < 0)
		return not_made(request, r);
	if (health_changed(&server->render, 0))
		log_info("page: can render answers again");
	loop_timer_set(server->forget_timer, host_monotonic_ns() + KEEP_BODIES_NS);
	if (kind == BODY_TEXT || kind == BODY_OPENMETRICS)
		note_scrape(request, body->t_ns);
	return reply_body(request->connection, kind, gzip, body);
}

static enum MHD_Result answer_metrics(const struct request *request)
{
	bool open = accept_exposition(header(request, MHD_HTTP_HEADER_ACCEPT)) ==
		    EXPOSITION_OPENMETRICS;

	return answer_body(request, open ? BODY_OPENMETRICS : BODY_TEXT);
}

static enum MHD_Result answer_front(const struct request *request)
{
	return answer_body(request, BODY_FRONT);
}

static enum MHD_Result answer_health(const struct request *request)
{
	const struct page_config *config = &request->server->config;
	char line[160] = "ok";
	bool well = !config->healthy || config->healthy(config->ctx, line, sizeof(line));

	return reply_line(request->connection, well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
			  line);
}

static enum MHD_Result answer_ready(const struct request *request)
{
	struct snapshot_pool *pool = request->server->config.pool;
	struct snapshot *snapshot = snapshot_current(pool);

	if (!snapshot)
		return reply_line(request->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				  "not ready: no sample has been taken yet");
	snapshot_put(pool, snapshot);
	return reply_line(request->connection, MHD_HTTP_OK, "ready");
}

/* The second time that a request with ?for= gets here: its time is up. */
static enum MHD_Result finish_interval(const struct request *request,
				       const struct interval *interval)
{
	bool gzip = accept_gzip(header(request, MHD_HTTP_HEADER_ACCEPT_ENCODING));
	struct snapshot *between;
	struct body *body;
	int r;

	r = interval_result(interval, &between);
	if (r < 0)
		return not_made(request, r);
	r = body_new(between, BODY_JSON, gzip, &body);
	snapshot_free(between);
	if (r < 0)
		return not_made(request, r);
	return reply_body(request->connection, BODY_JSON, gzip, body);
}

static enum MHD_Result answer_snapshot(const struct request *request)
{
	struct interval *interval = NULL;
	const char *text = NULL;
	uint64_t span_ns;
	size_t len = 0;
	int r;

	if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, "for", 3,
					  &text, &len) == MHD_NO)
		return answer_body(request, BODY_JSON);
	if (!text || strlen(text) != len || parse_duration_ns(text, &span_ns) < 0 ||
	    span_ns < INTERVAL_MIN_NS || span_ns > INTERVAL_MAX_NS)
		return reply_problem(request->connection, MHD_HTTP_BAD_REQUEST,
				     "for takes a duration from 100ms to 1h, such as 5s");
	r = interval_begin(&request->server->intervals, request->connection, span_ns, &interval);
	if (r < 0)
		return not_made(request, r);
	*request->state = interval;
	return MHD_YES;
}

static const struct route routes[] = {
	{ "/metrics", false, answer_metrics }, { "/healthz", true, answer_health },
	{ "/readyz", true, answer_ready },     { "/v1/snapshot", false, answer_snapshot },
	{ "/", false, answer_front },
};

static const struct route *find_route(const struct page_server *server, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (server->config.health_only && !routes[i].health)
			continue;
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	}
	return NULL;
}

/* Refuses by the headers alone, before any of a body is read.  *ret_status 0: go on. */
static enum MHD_Result refuse(const struct request *request, const struct route *route,
			      const char *method, unsigned int *ret_status)
{
	const union MHD_ConnectionInfo *size = MHD_get_connection_info(
		request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	const char *length = header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
	const char *detail;

	*ret_status = 0;
	if (size && size->header_size > MAX_HEADER_BYTES) {
		*ret_status = MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
		detail = "headers of more than 8 KiB";
	} else if (!route) {
		*ret_status = MHD_HTTP_NOT_FOUND;
		detail = "nothing is served here";
	} else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
		   strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		*ret_status = MHD_HTTP_METHOD_NOT_ALLOWED;
		detail = "only GET and HEAD are served here";
	} else if ((length && strcmp(length, "0") != 0) ||
		   header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
		*ret_status = MHD_HTTP_CONTENT_TOO_LARGE;
		detail = "a request body is not taken here";
	} else {
		return MHD_YES;
	}
	return reply_problem(request->connection, *ret_status, detail);
}

/* MHD calls this with the headers, and again when the request is complete or resumed. */
static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version _unused_,
			      const char *upload _unused_, size_t *upload_size, void **state)
{
	const struct request request = { cls, connection, method, state };
	const struct route *route = find_route(cls, url);
	enum MHD_Result result;
	unsigned int status;

	if (*state && *state != &headers_seen)
		return finish_interval(&request, *state);
	if (*state) {
		*upload_size = 0;
		return route->answer(&request);
	}
	result = refuse(&request, route, method, &status);
	if (status == 0)
		*state = &headers_seen;
	return result;
}

static void completed(void *cls _unused_, struct MHD_Connection *connection _unused_, void **state,
		      enum MHD_RequestTerminationCode how _unused_)
{
	if (*state && *state != &headers_seen)
		interval_free(*state);
	*state = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection _unused_, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct page_server *server = cls;
	struct caller *caller = *context;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (caller)
			*caller = (struct caller){ 0 };
		return;
	}
	for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
		if (server->callers[i].taken)
			continue;
		server->callers[i].taken = true;
		*context = &server->callers[i];
		return;
	}
}

/* MHD complains about what clients do: nothing that an operator must act on. */
static void __attribute__((format(printf, 2, 0)))
log_daemon(void *cls _unused_, const char *format, va_list args)
{
	char line[256];

	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\r\n")] = '\0';
	log_debug("page: %s", line);
}

/* MHD_run() never waits.  Its timeout is asked for afterwards, so that no idle server wakes up. */
static void run(struct page_server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;
	uint64_t at_ns = 0;

	MHD_run(server->daemon);
	if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
		at_ns = host_monotonic_ns() + wait_ms * 1000000ull;
	loop_timer_set(server->run_timer, at_ns);
}

static void on_event(void *ctx, uint32_t events _unused_)
{
	run(ctx);
}

static void on_timer(void *ctx)
{
	run(ctx);
}

static void on_woken(void *ctx)
{
	struct page_server *server = ctx;

	loop_timer_set(server->run_timer, host_monotonic_ns());
}

static void on_forget(void *ctx)
{
	struct page_server *server = ctx;

	body_cache_forget(server->bodies);
}

static int start_daemon(struct page_server *server, int listen_fd)
{
	const union MHD_DaemonInfo *info;
	int r;

	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle,
		server, MHD_OPTION_EXTERNAL_LOGGER, log_daemon, NULL, MHD_OPTION_LISTEN_SOCKET,
		listen_fd, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT,
		MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_SECONDS,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!server->daemon)
		return log_errno(-ENOMEM, "page: cannot start libmicrohttpd");
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return log_errno(-ENOSYS, "page: libmicrohttpd has no epoll descriptor");
	r = loop_add(server->loop, info->epoll_fd, EPOLLIN, on_event, server);
	if (r < 0)
		return log_errno(r, "page: cannot watch libmicrohttpd");
	server->epoll_fd = info->epoll_fd;
	return 0;
}

static void close_server(struct page_server **server)
{
	page_close(*server);
}

int page_open(struct loop *loop, const struct page_config *config, struct page_server **ret)
{
	_cleanup_(close_server) struct page_server *server = calloc(1, sizeof(*server));
	char name[300];
	int r, fd;

	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->config = *config;
	server->epoll_fd = -1;
	server->intervals = (struct interval_list){
		.loop = loop, .pool = config->pool, .woken = on_woken, .ctx = server
	};
	r = body_cache_new(config->pool, &server->bodies);
	if (r < 0)
		return r;
	r = loop_timer_new(loop, on_timer, server, &server->run_timer);
	if (r < 0)
		return r;
	r = loop_timer_new(loop, on_forget, server, &server->forget_timer);
	if (r < 0)
		return r;
	r = listener_open(config->host, config->port,
			  config->health_only ? "health-listen" : "listen", &fd);
	if (r < 0)
		return r;
	server->port = listener_port(fd);
	r = start_daemon(server, fd); /* the socket is the daemon's from here on */
	if (r < 0)
		return r;

	listener_name(config->host, server->port, name, sizeof(name));
	log_info("page: serving %s on %s%s",
		 config->health_only ? "/healthz and /readyz" : "/metrics",
		 config->host[0] ? "http://" : "", name);
	*ret = TAKE_PTR(server);
	return 0;
}

uint16_t page_port(const struct page_server *server)
{
	return server->port;
}

void page_close(struct page_server *server)
{
	if (!server)
		return;
	if (server->epoll_fd >= 0)
		loop_remove(server->loop, server->epoll_fd);
	if (server->daemon) {
		/* MHD aborts when it is stopped while connections are asleep. */
		interval_close(&server->intervals);
		MHD_run(server->daemon);
		MHD_stop_daemon(server->daemon);
	}
	if (server->run_timer)
		loop_timer_free(server->run_timer);
	if (server->forget_timer)
		loop_timer_free(server->forget_timer);
	body_cache_free(server->bodies);
	free(server);
}
