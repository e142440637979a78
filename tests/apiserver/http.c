/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server: requests come in, wait where they have to, and answers go out. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "apiserver/send.h"
#include "apiserver/server.h"
#include "apiserver/tree.h"
#include "apiserver/watch.h"
#include "platform/log.h"

#define CONTROL_MAX_BODY_BYTES (64u << 20)
#define CONNECTION_BYTES       (128u << 10)
#define LOOK_EVERY_NS          (200ull * 1000000)

const char *request_query(const struct request *request, const char *key)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, key);
}

const char *request_header(const struct request *request, const char *key)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, key);
}

bool request_is_watch(const struct request *request)
{
	const char *watch = request_query(request, "watch");

	if (!request->target.resource || strcmp(request->method, "GET") != 0)
		return false;
	if (request->target.watch)
		return true;
	return !request->target.name[0] && watch &&
	       (strcmp(watch, "1") == 0 || strcasecmp(watch, "true") == 0);
}

int request_selector(const struct request *request, struct selector *selector,
		     struct answer *answer)
{
	const char *fields = request_query(request, "fieldSelector");
	const char *labels = request_query(request, "labelSelector");
	char bad[256] = "";
	int r = 0;

	if (fields)
		r = selector_add_fields(selector, request->target.resource, fields, bad);
	if (r == 0 && labels)
		r = selector_add_labels(selector, labels);
	if (r == -ENOENT)
		status_fail(answer, 400, "BadRequest", NULL, "field label not supported: %s", bad);
	else if (r < 0)
		status_fail(answer, 400, "BadRequest", NULL, "unable to parse requirement: %s",
			    labels ? labels : fields);
	return r < 0 ? -EINVAL : 0;
}

bool server_peer_gone(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd look = { .events = POLLRDHUP };

	if (!info)
		return false;
	look.fd = info->connect_fd;
	return poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void waiting_link(struct request *request)
{
	struct server *server = request->server;

	request->suspended = true;
	request->next = server->waiting;
	request->previous = NULL;
	if (server->waiting)
		server->waiting->previous = request;
	server->waiting = request;
	MHD_suspend_connection(request->connection);
}

static void waiting_unlink(struct request *request)
{
	if (!request->suspended)
		return;
	request->suspended = false;
	if (request->next)
		request->next->previous = request->previous;
	if (request->previous)
		request->previous->next = request->next;
	else
		request->server->waiting = request->next;
}

static void waiting_tick(struct server *server, uint64_t now_ns)
{
	struct request *next;

	for (struct request *request = server->waiting; request; request = next) {
		bool due = now_ns >= request->wait_until_ns ||
			   (request->wait_rv > 0 && server->store.rv >= request->wait_rv);

		next = request->next;
		if (server->stopping || (server->look && server_peer_gone(request->connection)))
			request->released = true;
		if (!due && !request->released)
			continue;
		waiting_unlink(request);
		MHD_resume_connection(request->connection);
	}
}

void server_tick(struct server *server, uint64_t now_ns)
{
	pthread_mutex_lock(&server->lock);
	server->look = now_ns >= server->next_look_ns;
	if (server->look)
		server->next_look_ns = now_ns + LOOK_EVERY_NS;
	storm_tick(server, now_ns);
	watches_tick(server, now_ns);
	pipes_tick(server, now_ns);
	waiting_tick(server, now_ns);
	pthread_mutex_unlock(&server->lock);
}

static enum MHD_Result serve(struct request *request)
{
	struct server *server = request->server;
	_answer_ struct answer answer = ANSWER_INIT;
	bool waits;

	pthread_mutex_lock(&server->lock);
	if (server->stopping)
		answer.hang_up = true;
	else
		route_serve(request, &answer);
	waits = answer.status == 0 && !answer.hang_up;
	if (waits && request->released)
		answer.hang_up = true;
	else if (waits)
		waiting_link(request);
	if (request->begun)
		journal_status(&server->journal, request->journal_seq, answer.status);
	pthread_mutex_unlock(&server->lock);
	if (answer.hang_up)
		return MHD_NO;
	return waits ? MHD_YES : send_answer(request, &answer);
}

/* MHD calls this once for the head, for each piece of the body, and at its end. */
static enum MHD_Result on_request(void *ctx _unused_, struct MHD_Connection *connection,
				  const char *url, const char *method, const char *version _unused_,
				  const char *data, size_t *data_size, void **request_ctx)
{
	struct request *request = *request_ctx;

	if (!request->method) {
		bool control = strncmp(url, "/fake/", 6) == 0;

		request->connection = connection;
		request->method = method;
		request->path = tree_copy(url);
		request->body.max = control ? CONTROL_MAX_BODY_BYTES : SERVER_MAX_BODY_BYTES;
		return MHD_YES;
	}
	if (*data_size > 0) {
		if (sbuf_append(&request->body, data, *data_size) < 0)
			request->too_large = true;
		*data_size = 0;
		return MHD_YES;
	}
	return serve(request);
}

static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection _unused_)
{
	struct request *request = tree_alloc(sizeof(*request));

	request->server = ctx;
	request->uri = tree_copy(uri);
	return request;
}

static void on_completed(void *ctx, struct MHD_Connection *connection _unused_, void **request_ctx,
			 enum MHD_RequestTerminationCode code _unused_)
{
	struct request *request = *request_ctx;
	struct server *server = ctx;

	if (!request)
		return;
	pthread_mutex_lock(&server->lock);
	waiting_unlink(request);
	pthread_mutex_unlock(&server->lock);
	sbuf_free(&request->body);
	free(request->uri);
	free(request->path);
	free(request);
	*request_ctx = NULL;
}

static void on_event(void *ctx, const struct resource *resource)
{
	watches_notify(ctx, resource);
}

int server_start(struct server *server, struct listen *listen)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(listen->port) };
	const union MHD_DaemonInfo *info;
	bool tls = listen->certificate;
	struct MHD_OptionItem secrets[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, listen->certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, listen->key },
		{ MHD_OPTION_END, 0, NULL },
	};

	if (!tls)
		secrets[0].option = MHD_OPTION_END;
	if (inet_pton(AF_INET, listen->host, &address.sin_addr) != 1)
		return log_errno(-EINVAL, "http: '%s' is no IPv4 address", listen->host);
	tree_uuid(server->flow_uid);
	tree_uuid(server->priority_uid);
	server->store.on_event = on_event;
	server->store.ctx = server;
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0),
		0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR, &address,
		MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
		MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_ARRAY, secrets, MHD_OPTION_END);
	if (!server->daemon)
		return log_errno(errno ? -errno : -EIO,
				 "http: cannot listen on %s:%u; is the port free%s", listen->host,
				 listen->port, tls ? ", and do certificate and key fit" : "");
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
	listen->port = info ? info->port : listen->port;
	return 0;
}

void server_stop(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	pipes_wake(server);
	waiting_tick(server, host_monotonic_ns());
	storm_end(&server->storm);
	pthread_mutex_unlock(&server->lock);
	MHD_stop_daemon(server->daemon);
	journal_clear(&server->journal);
	store_free(&server->store);
}
