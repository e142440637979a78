/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/pipe.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/server.h"
#include "apiserver/tree.h"

/* The real server was seen to cut a burst of frames at this many bytes. */
#define CUT_BYTES 0x800

void pipe_link(struct pipe *pipe, struct server *server, struct MHD_Connection *connection)
{
	pipe->server = server;
	pipe->connection = connection;
	pipe->next = server->pipes;
	pipe->previous = NULL;
	if (server->pipes)
		server->pipes->previous = pipe;
	server->pipes = pipe;
}

void pipe_unlink(struct pipe *pipe)
{
	if (!pipe->server)
		return;
	if (pipe->next)
		pipe->next->previous = pipe->previous;
	if (pipe->previous)
		pipe->previous->next = pipe->next;
	else
		pipe->server->pipes = pipe->next;
	pipe->server = NULL;
}

void pipe_wake(struct pipe *pipe)
{
	if (!pipe->suspended)
		return;
	pipe->suspended = false;
	MHD_resume_connection(pipe->connection);
}

void pipes_wake(struct server *server)
{
	for (struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
		pipe_wake(pipe);
}

void pipes_tick(struct server *server, uint64_t now_ns)
{
	for (struct pipe *pipe = server->pipes; pipe; pipe = pipe->next) {
		if (!pipe->suspended)
			continue;
		if (server->look && server_peer_gone(pipe->connection)) {
			sbuf_reset(&pipe->out);
			pipe->sent = 0;
			pipe->end = PIPE_BREAK;
			pipe_wake(pipe);
		} else if (pipe->next_piece_ns > 0 && now_ns >= pipe->next_piece_ns) {
			pipe_wake(pipe);
		}
	}
}

static ssize_t pipe_sleep(struct pipe *pipe)
{
	pipe->suspended = true;
	MHD_suspend_connection(pipe->connection);
	return 0;
}

static ssize_t pipe_take(struct pipe *pipe, char *buf, size_t max)
{
	uint64_t now_ns = host_monotonic_ns();
	size_t n;

	if (pipe->server->stopping)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (pipe->sent == pipe->out.len) {
		sbuf_reset(&pipe->out);
		pipe->sent = 0;
		if (pipe->end == PIPE_OPEN && pipe->fill)
			pipe->fill(pipe);
	}
	n = MIN(pipe->out.len - pipe->sent, max);
	if (n == 0 && pipe->end == PIPE_END)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0 && pipe->end == PIPE_BREAK)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0 || now_ns < pipe->next_piece_ns)
		return pipe_sleep(pipe);
	if (pipe->burst && pipe->sent == 0)
		n = MIN(n, (size_t)CUT_BYTES);
	if (pipe->piece_bytes > 0) {
		n = MIN(n, pipe->piece_bytes);
		pipe->next_piece_ns = now_ns + pipe->piece_ns;
	}
	memcpy(buf, pipe->out.text + pipe->sent, n);
	pipe->sent += n;
	return (ssize_t)n;
}

static ssize_t pipe_read(void *ctx, uint64_t position _unused_, char *buf, size_t max)
{
	struct pipe *pipe = ctx;
	struct server *server = pipe->server;
	ssize_t n;

	pthread_mutex_lock(&server->lock);
	n = pipe_take(pipe, buf, max);
	pthread_mutex_unlock(&server->lock);
	return n;
}

static void pipe_done(void *ctx)
{
	struct pipe *pipe = ctx;
	struct server *server = pipe->server;

	pthread_mutex_lock(&server->lock);
	pipe_unlink(pipe);
	pipe->free(pipe);
	pthread_mutex_unlock(&server->lock);
}

struct MHD_Response *pipe_response(struct pipe *pipe, uint64_t size)
{
	return MHD_create_response_from_callback(size, 64u << 10, pipe_read, pipe, pipe_done);
}

static void text_free(struct pipe *pipe)
{
	sbuf_free(&pipe->out);
	free(pipe);
}

struct pipe *pipe_of_text(struct sbuf *text)
{
	struct pipe *pipe = tree_alloc(sizeof(*pipe));

	pipe->out = *text;
	pipe->end = PIPE_END;
	pipe->free = text_free;
	*text = (struct sbuf)SBUF_INIT(text->max);
	return pipe;
}
