/* SPDX-License-Identifier: Apache-2.0 */
/* Scripted peer: an HTTP server on loopback that says what a test wants it to, byte by byte. */
#ifndef PODJOULE_SCRIPTED_PEER_H
#define PODJOULE_SCRIPTED_PEER_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "platform/host.h"
#include "platform/loop.h"
#include "platform/scope.h"

#define PEER_MAX_CONNECTIONS 16
#define PEER_MAX_REQUESTS    64
#define MS                   UINT64_C(1000000)

/* What to answer to the nth request (from 0); false: hang up.  In the peer's thread. */
typedef bool (*peer_script)(int fd, unsigned int n, const char *request);

struct peer {
	int listen_fd, stop_fd;
	char url[64];
	pthread_t thread;
	peer_script script;
	atomic_uint n_requests, n_connections;
	char requests[PEER_MAX_REQUESTS][2048];
	uint64_t at_ns[PEER_MAX_REQUESTS];
};

static inline bool peer_send(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static inline bool peer_say(int fd, const char *text)
{
	return peer_send(fd, text, strlen(text));
}

static inline bool peer_chunk(int fd, const char *text)
{
	char size[32];

	snprintf(size, sizeof(size), "%zx\r\n", strlen(text));
	return peer_say(fd, size) && peer_say(fd, text) && peer_say(fd, "\r\n");
}

static inline bool peer_answer(int fd, const char *status, const char *fields, const char *body)
{
	char head[512];

	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status,
		 strlen(body), fields);
	return peer_say(fd, head) && peer_say(fd, body);
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* One request, or false: hung up. */
static inline bool peer_serve(struct peer *peer, int fd)
{
	unsigned int n = atomic_load(&peer->n_requests) % PEER_MAX_REQUESTS;
	char *request = peer->requests[n];
	size_t len = 0;

	while (len < sizeof(peer->requests[0]) - 1) {
		ssize_t got = recv(fd, request + len, 1, 0);

		if (got <= 0)
			return false;
		request[++len] = '\0';
		if (len >= 4 && !memcmp(request + len - 4, "\r\n\r\n", 4))
			break;
	}
	peer->at_ns[n] = host_monotonic_ns();
	atomic_fetch_add(&peer->n_requests, 1);
	return peer->script(fd, n, request);
}

static inline void *peer_run(void *ctx)
{
	struct peer *peer = ctx;
	struct pollfd fds[PEER_MAX_CONNECTIONS + 2] = {
		{ .fd = peer->stop_fd, .events = POLLIN },
		{ .fd = peer->listen_fd, .events = POLLIN },
	};
	nfds_t n = 2;

	while (poll(fds, n, -1) >= 0 && !fds[0].revents) {
		if (fds[1].revents && n < ARRAY_SIZE(fds)) {
			fds[n++] = (struct pollfd){ .fd = accept(peer->listen_fd, NULL, NULL),
						    .events = POLLIN };
			atomic_fetch_add(&peer->n_connections, 1);
			continue;
		}
		for (nfds_t i = 2; i < n; i++) {
			if (!fds[i].revents || peer_serve(peer, fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i] = fds[--n];
			break;
		}
	}
	for (nfds_t i = 2; i < n; i++)
		close(fds[i].fd);
	return NULL;
}

static inline void peer_open(struct peer *peer, peer_script script)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	memset(peer, 0, sizeof(*peer));
	peer->script = script;
	peer->stop_fd = eventfd(0, EFD_CLOEXEC);
	peer->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(zero(int, bind(peer->listen_fd, (struct sockaddr *)&address, len)));
	cr_assert(zero(int, listen(peer->listen_fd, 16)));
	cr_assert(zero(int, getsockname(peer->listen_fd, (struct sockaddr *)&address, &len)));
	snprintf(peer->url, sizeof(peer->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	cr_assert(zero(int, pthread_create(&peer->thread, NULL, peer_run, peer)));
}

static inline void peer_close(struct peer *peer)
{
	const uint64_t one = 1;

	cr_assert(eq(sz, (size_t)write(peer->stop_fd, &one, sizeof(one)), sizeof(one)));
	pthread_join(peer->thread, NULL);
	close(peer->listen_fd);
	close(peer->stop_fd);
}

/* Run the loop until ready(), which is asked every few milliseconds; false: it never came. */
struct peer_wait {
	struct loop *loop;
	struct loop_timer *timer;
	bool (*ready)(void);
	uint64_t end_ns;
	bool was;
};

static inline void peer_look(void *ctx)
{
	struct peer_wait *wait = ctx;
	uint64_t now = host_monotonic_ns();

	wait->was = wait->ready();
	if (wait->was || now > wait->end_ns)
		loop_stop(wait->loop);
	else
		loop_timer_set(wait->timer, now + 2 * MS);
}

static inline bool peer_wait(struct loop *loop, bool (*ready)(void), uint64_t limit_ms)
{
	struct peer_wait wait = { .loop = loop,
				  .ready = ready,
				  .end_ns = host_monotonic_ns() + limit_ms * MS };

	/* The allocation that a sweep lets fail may be this one. */
	if (loop_timer_new(loop, peer_look, &wait, &wait.timer) < 0)
		cr_assert(zero(int, loop_timer_new(loop, peer_look, &wait, &wait.timer)));
	loop_timer_set(wait.timer, 1);
	cr_assert(zero(int, loop_run(loop)));
	loop_timer_free(wait.timer);
	return wait.was;
}

#endif
