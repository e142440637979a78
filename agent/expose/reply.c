/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/reply.h"

#include <stdio.h>
#include <string.h>

#include "platform/scope.h"

static const struct {
	const char *type;
	const char *vary; /* bodies with one encoding and one form do not vary */
} looks[_BODY_KIND_MAX] = {
	[BODY_TEXT] = { "text/plain; version=0.0.4; charset=utf-8", "Accept, Accept-Encoding" },
	[BODY_OPENMETRICS] = { "application/openmetrics-text; version=1.0.0; charset=utf-8",
			       "Accept, Accept-Encoding" },
	[BODY_JSON] = { "application/json", "Accept-Encoding" },
	[BODY_FRONT] = { "text/html; charset=utf-8", "Accept-Encoding" },
};

static void free_response(struct MHD_Response **response)
{
	if (*response)
		MHD_destroy_response(*response);
}

/* Counted by MHD: dropping ours leaves the one of the connection that sends it. */
#define _response_ _cleanup_(free_response)

static void let_go(void *body)
{
	body_unref(body);
}

/* Figures that move every second are worth no cache; nobody guesses types. */
static enum MHD_Result queue(struct MHD_Connection *connection, unsigned int status,
			     struct MHD_Response *response, const char *type)
{
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_NO ||
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") ==
		    MHD_NO ||
	    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_NO)
		return MHD_NO;
	return MHD_queue_response(connection, status, response);
}

enum MHD_Result reply_body(struct MHD_Connection *connection, enum body_kind kind, bool gzip,
			   struct body *body)
{
	_response_ struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback_cls(body->len, body->bytes,
								       let_go, body);

	if (!response) {
		body_unref(body);
		return MHD_NO;
	}
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, looks[kind].vary) == MHD_NO)
		return MHD_NO;
	if (gzip &&
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip") == MHD_NO)
		return MHD_NO;
	if (kind == BODY_FRONT &&
	    MHD_add_response_header(response, "Content-Security-Policy",
				    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
				    "base-uri 'none'; frame-ancestors 'none'") == MHD_NO)
		return MHD_NO;
	return queue(connection, MHD_HTTP_OK, response, looks[kind].type);
}

static struct MHD_Response *copy_of(const char *text)
{
	return MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
}

enum MHD_Result reply_line(struct MHD_Connection *connection, unsigned int status, const char *line)
{
	_response_ struct MHD_Response *response = NULL;
	char text[256];

	snprintf(text, sizeof(text), "%s\n", line);
	response = copy_of(text);
	if (!response)
		return MHD_NO;
	return queue(connection, status, response, "text/plain; charset=utf-8");
}

static const char *title_of(unsigned int status)
{
	switch (status) {
	case MHD_HTTP_BAD_REQUEST:
		return "Bad Request";
	case MHD_HTTP_NOT_FOUND:
		return "Not Found";
	case MHD_HTTP_METHOD_NOT_ALLOWED:
		return "Method Not Allowed";
	case MHD_HTTP_CONTENT_TOO_LARGE:
		return "Content Too Large";
	case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
		return "Request Header Fields Too Large";
	case MHD_HTTP_SERVICE_UNAVAILABLE:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}

enum MHD_Result reply_problem(struct MHD_Connection *connection, unsigned int status,
			      const char *detail)
{
	_response_ struct MHD_Response *response = NULL;
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\"}\n",
		 title_of(status), status, detail);
	response = copy_of(text);
	if (!response)
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED &&
	    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_NO)
		return MHD_NO;
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE &&
	    MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1") == MHD_NO)
		return MHD_NO;
	/* What is left of a refused request is not read as the next one. */
	if ((status == MHD_HTTP_CONTENT_TOO_LARGE || status == MHD_HTTP_METHOD_NOT_ALLOWED) &&
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_NO)
		return MHD_NO;
	return queue(connection, status, response, "application/problem+json");
}
