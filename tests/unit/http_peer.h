/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP peer: a page server in a thread of its own, and a client that checks what it says. */
#ifndef PODJOULE_HTTP_PEER_H
#define PODJOULE_HTTP_PEER_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "expose/page.h"
#include "fake_node.h"
#include "platform/log.h"
#include "platform/loop.h"
#include "platform/parse.h"

#define ANSWER_BYTES (4 << 20)

static struct fake_node node;
static struct loop *loop;
static struct page_server *server;
static pthread_t thread;
static int stop_fd = -1;
static atomic_bool well = true;
static char last_error[512];
static char *answer; /* the last one: head, NUL, body */
static char *body;
static size_t body_len;

static inline void keep_error(enum log_level level, const char *line)
{
	if (level == LOG_LEVEL_ERROR)
		snprintf(last_error, sizeof(last_error), "%s", line);
}

static inline bool is_well(void *ctx, char *ret_line, unsigned int size)
{
	(void)ctx;
	snprintf(ret_line, size, well ? "ok: for a test" : "not ok: for a test");
	return well;
}

static inline void on_stop(void *ctx, uint32_t events)
{
	(void)ctx;
	(void)events;
	loop_stop(loop);
}

static inline void *serve(void *ctx)
{
	(void)ctx;
	loop_run(loop);
	return NULL;
}

static inline void start(uint32_t n_containers, bool health_only)
{
	const struct page_config config = { .host = "127.0.0.1",
					    .health_only = health_only,
					    .healthy = is_well };
	struct page_config with_pool = config;

	log_set_sink(keep_error);
	cr_assert(eq(int, fake_node_open(&node, n_containers), 0));
	with_pool.pool = node.pool;
	cr_assert(eq(int, loop_new(&loop), 0));
	cr_assert(eq(int, page_open(loop, &with_pool, &server), 0));
	stop_fd = eventfd(0, EFD_CLOEXEC);
	cr_assert(eq(int, loop_add(loop, stop_fd, EPOLLIN, on_stop, NULL), 0));
	cr_assert(eq(int, pthread_create(&thread, NULL, serve, NULL), 0));
}

static inline void stop(void)
{
	const uint64_t one = 1;

	cr_assert(eq(sz, (size_t)write(stop_fd, &one, sizeof(one)), sizeof(one)));
	pthread_join(thread, NULL);
	page_close(server);
	loop_free(loop);
	close(stop_fd);
	fake_node_close(&node);
	free(answer);
	answer = NULL;
}

static inline int dial(void)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(page_port(server)),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(ge(int, fd, 0));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	cr_assert(eq(int, connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0));
	return fd;
}

static inline void say(int fd, const char *text)
{
	cr_assert(eq(sz, (size_t)send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text)));
}

/* Everything until the server hangs up; returns the status, 0 when there was no answer. */
static inline int hear(int fd)
{
	size_t len = 0;
	uint64_t status = 0;
	char *end;

	if (!answer)
		answer = malloc(ANSWER_BYTES + 1);
	for (;;) {
		ssize_t n = recv(fd, answer + len, ANSWER_BYTES - len, 0);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	answer[len] = '\0';
	body = answer + len;
	body_len = 0;
	end = memmem(answer, len, "\r\n\r\n", 4);
	if (end) {
		body = end + 4;
		body_len = (size_t)(answer + len - body);
		end[2] = '\0'; /* keeps the line end of the last field */
	}
	if (len > 12 && strncmp(answer, "HTTP/1.1 ", 9) == 0) {
		char digits[4] = { answer[9], answer[10], answer[11] };

		parse_u64(digits, &status);
	}
	return (int)status;
}

/* One request on a connection of its own; fields are whole lines. */
static inline int request(const char *method, const char *target, const char *fields)
{
	char text[10240];
	int fd = dial(), status;

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n",
		 method, target, fields);
	say(fd, text);
	status = hear(fd);
	close(fd);
	return status;
}

/* A substring of the body. */
static inline bool shows(const char *text)
{
	return strstr(body, text) != NULL;
}

/* A whole field of the head. */
static inline bool has(const char *field)
{
	char line[256];

	snprintf(line, sizeof(line), "\r\n%s\r\n", field);
	return strcasestr(answer, line) != NULL;
}

#endif
