/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "apiserver/tree.h"
#include "apiserver/watch.h"

/* Bodies up to here come with their length, larger ones in chunks. */
#define WHOLE_BYTES 2048
/* Bodies from here on are compressed for who wants it. */
#define GZIP_BYTES  (128u << 10)
#define GZIP_WINDOW (15 + 16)

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	MHD_add_response_header(response, name, value);
}

static void add_headers(const struct request *request, const struct answer *answer,
			struct MHD_Response *response)
{
	const char *audit = request_header(request, "Audit-ID");
	char id[37], text[32];

	tree_uuid(id);
	add_header(response, "Audit-Id", audit && audit[0] ? audit : id);
	add_header(response, "Cache-Control", "no-cache, private");
	add_header(response, "Content-Type",
		   answer->text ? "text/plain; charset=utf-8" : "application/json");
	if (answer->text || answer->status == 403)
		add_header(response, "X-Content-Type-Options", "nosniff");
	if (answer->status != 401) {
		add_header(response, "X-Kubernetes-Pf-Flowschema-Uid", request->server->flow_uid);
		add_header(response, "X-Kubernetes-Pf-Prioritylevel-Uid",
			   request->server->priority_uid);
	}
	if (answer->retry_after_s > 0) {
		snprintf(text, sizeof(text), "%u", answer->retry_after_s);
		add_header(response, "Retry-After", text);
	}
	for (size_t i = 0; i < answer->n_warnings; i++)
		add_header(response, "Warning", answer->warnings[i]);
}

static bool wants_indent(const struct request *request)
{
	static const char *const people[] = { "curl", "Wget", "Mozilla" };
	const char *agent = request_header(request, "User-Agent");
	const char *pretty = request_query(request, "pretty");

	if (pretty)
		return strcmp(pretty, "true") == 0 || strcmp(pretty, "1") == 0;
	for (size_t i = 0; agent && i < ARRAY_SIZE(people); i++)
		if (strncmp(agent, people[i], strlen(people[i])) == 0)
			return true;
	return false;
}

static void indent(struct sbuf *body)
{
	struct sbuf pretty = SBUF_INIT(ANSWER_MAX_BYTES);
	size_t len = body->len;

	while (len > 0 && body->text[len - 1] == '\n')
		len--;
	tree_indent(body->text, len, &pretty);
	sbuf_putc(&pretty, '\n');
	sbuf_free(body);
	*body = pretty;
}

/* True when the body is smaller now. */
static bool compress_body(struct sbuf *body)
{
	z_stream z = { .next_in = (Bytef *)body->text, .avail_in = (uInt)body->len };
	struct sbuf out = SBUF_INIT(ANSWER_MAX_BYTES);
	Bytef piece[16384];
	int r;

	if (deflateInit2(&z, 4, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	do {
		z.next_out = piece;
		z.avail_out = sizeof(piece);
		r = deflate(&z, Z_FINISH);
		sbuf_append(&out, piece, sizeof(piece) - z.avail_out);
	} while (r == Z_OK);
	deflateEnd(&z);
	if (r != Z_STREAM_END || out.error) {
		sbuf_free(&out);
		return false;
	}
	sbuf_free(body);
	*body = out;
	return true;
}

static bool wants_gzip(const struct request *request, const struct sbuf *body)
{
	const char *accept = request_header(request, "Accept-Encoding");

	return accept && strstr(accept, "gzip") && body->len >= GZIP_BYTES;
}

/* What a fault does to a body that is whole. */
static void spoil(const struct fault *fault, struct pipe *pipe)
{
	static const char noise[] = "\xff\xfe}]\"{\x01\\";

	switch (fault->what) {
	case FAULT_GARBLE:
		if (pipe->out.len > 2 * sizeof(noise))
			memcpy(pipe->out.text + pipe->out.len / 2, noise, sizeof(noise) - 1);
		break;
	case FAULT_TRUNCATE:
		pipe->out.len /= 2;
		break;
	case FAULT_CLOSE:
		pipe->out.len = MIN(pipe->out.len, fault->bytes);
		pipe->end = PIPE_BREAK;
		break;
	case FAULT_SLOW:
		pipe->piece_bytes = fault->bytes;
		pipe->piece_ns = fault->delay_ns;
		break;
	default:
		break;
	}
}

static bool needs_pipe(const struct request *request, const struct sbuf *body)
{
	return body->len > WHOLE_BYTES ||
	       (request->has_fault && request->fault.what != FAULT_STATUS &&
		request->fault.what != FAULT_EXPIRE);
}

static struct MHD_Response *body_response(struct request *request, struct answer *answer)
{
	struct server *server = request->server;
	struct MHD_Response *response;
	struct pipe *pipe;

	if (!needs_pipe(request, &answer->body))
		return MHD_create_response_from_buffer(answer->body.len, answer->body.text,
						       MHD_RESPMEM_MUST_COPY);
	pipe = pipe_of_text(&answer->body);
	if (request->has_fault)
		spoil(&request->fault, pipe);
	pthread_mutex_lock(&server->lock);
	pipe_link(pipe, server, request->connection);
	pthread_mutex_unlock(&server->lock);
	response = pipe_response(pipe, MHD_SIZE_UNKNOWN);
	if (!response) {
		pthread_mutex_lock(&server->lock);
		pipe_unlink(pipe);
		pipe->free(pipe);
		pthread_mutex_unlock(&server->lock);
	}
	return response;
}

static struct MHD_Response *watch_response(struct answer *answer)
{
	struct watch *watch = TAKE_PTR(answer->watch);
	struct server *server = watch->pipe.server;
	struct MHD_Response *response = pipe_response(&watch->pipe, MHD_SIZE_UNKNOWN);

	if (!response) {
		pthread_mutex_lock(&server->lock);
		pipe_unlink(&watch->pipe);
		watch->pipe.free(&watch->pipe);
		pthread_mutex_unlock(&server->lock);
	}
	return response;
}

enum MHD_Result send_answer(struct request *request, struct answer *answer)
{
	struct MHD_Response *response;
	enum MHD_Result sent;
	bool gzip = false;

	if (!answer->watch && answer->body.error)
		return MHD_NO; /* no memory: as if the server had died */
	if (!answer->watch && !answer->text && wants_indent(request))
		indent(&answer->body);
	if (!answer->watch && wants_gzip(request, &answer->body))
		gzip = compress_body(&answer->body);
	response = answer->watch ? watch_response(answer) : body_response(request, answer);
	if (!response)
		return MHD_NO;
	add_headers(request, answer, response);
	if (gzip) {
		add_header(response, "Content-Encoding", "gzip");
		add_header(response, "Vary", "Accept-Encoding");
	}
	sent = MHD_queue_response(request->connection, answer->status, response);
	MHD_destroy_response(response);
	return sent;
}
