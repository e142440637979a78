/* SPDX-License-Identifier: Apache-2.0 */
/* Which path is what, who may come in, and what is done there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/control.h"
#include "apiserver/discovery.h"
#include "apiserver/server.h"
#include "apiserver/tree.h"
#include "apiserver/verbs.h"
#include "apiserver/watch.h"

#define SEGMENTS_MAX 10
#define TOKEN_MAX    4096

struct segments {
	char *text[SEGMENTS_MAX];
	size_t n;
};

/* Cuts in place; -ENOENT when there are too many, or one is too long to be a name. */
static int cut(char *path, struct segments *ret)
{
	*ret = (struct segments){ 0 };
	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 0)
			break;
		if (ret->n == SEGMENTS_MAX || len >= TARGET_MAX)
			return -ENOENT;
		ret->text[ret->n++] = path;
		path += len;
		if (*path)
			*path++ = '\0';
	}
	return 0;
}

static void set(char *into, const char *text)
{
	snprintf(into, TARGET_MAX, "%s", text);
}

int route_target(const char *path, struct target *ret)
{
	_free_ char *copy = tree_copy(path);
	struct target target = { 0 };
	const char *group = "", *version;
	struct segments s;
	size_t at = 0;

	if (cut(copy, &s) < 0 || s.n < 3)
		return -ENOENT;
	if (strcmp(s.text[at++], "apis") == 0)
		group = s.text[at++];
	version = s.text[at++];
	if (!resource_group_known(group, version))
		return -ENOENT;
	if (at < s.n && strcmp(s.text[at], "watch") == 0) {
		target.watch = true;
		at++;
	}
	/* "namespaces/x/pods" is about pods; "namespaces/x" and "…/x/status" about a namespace. */
	if (s.n > at + 2 && strcmp(s.text[at], "namespaces") == 0 &&
	    !(s.n == at + 3 &&
	      (strcmp(s.text[at + 2], "status") == 0 || strcmp(s.text[at + 2], "finalize") == 0))) {
		set(target.namespace, s.text[at + 1]);
		at += 2;
	}
	if (at >= s.n)
		return -ENOENT;
	target.resource = resource_find(group, version, s.text[at++]);
	if (!target.resource)
		return strchr(group, '.') && strstr(group, "open-cluster") ? -ENOENT : -ENXIO;
	if (at < s.n)
		set(target.name, s.text[at++]);
	if (at < s.n)
		set(target.sub, s.text[at++]);
	if (at < s.n || (target.namespace[0] && !target.resource->namespaced) ||
	    (target.name[0] && target.resource->namespaced && !target.namespace[0]))
		return -ENXIO;
	*ret = target;
	return 0;
}

const char *route_verb(const struct request *request)
{
	const char *method = request->method;
	bool one = request->target.name[0];

	if (request_is_watch(request))
		return "watch";
	if (strcmp(method, "GET") == 0)
		return one ? "get" : "list";
	if (strcmp(method, "POST") == 0)
		return "create";
	if (strcmp(method, "PUT") == 0)
		return "update";
	if (strcmp(method, "PATCH") == 0)
		return "patch";
	return one ? "delete" : "deletecollection";
}

enum request_kind route_kind(const struct request *request)
{
	if (strcmp(request->method, "GET") != 0)
		return KIND_WRITE;
	if (request_is_watch(request))
		return KIND_WATCH;
	return request->target.resource && !request->target.name[0] ? KIND_LIST : KIND_GET;
}

void route_forbid(const struct request *request, struct answer *answer)
{
	const struct target *target = &request->target;
	const char *user = request_header(request, "Authorization")
				   ? "system:serviceaccount:energy:agent"
				   : "system:anonymous";
	char what[RESOURCE_API_VERSION_MAX], named[TARGET_MAX + 4] = "", where[TARGET_MAX + 32];

	if (!target->resource) {
		status_fail(answer, 403, "Forbidden", cJSON_CreateObject(),
			    "forbidden: User \"%s\" cannot get path \"%s\"", user, request->path);
		return;
	}
	resource_qualified(target->resource, target->resource->plural, what);
	if (target->name[0])
		snprintf(named, sizeof(named), "\"%s\" ", target->name);
	if (target->namespace[0])
		snprintf(where, sizeof(where), "in the namespace \"%s\"", target->namespace);
	else
		snprintf(where, sizeof(where), "at the cluster scope");
	status_fail(answer, 403, "Forbidden", status_details(target->resource, target->name),
		    "%s %sis forbidden: User \"%s\" cannot %s resource \"%s%s%s\" in API group "
		    "\"%s\" %s",
		    what, named, user, route_verb(request), target->resource->plural,
		    target->sub[0] ? "/" : "", target->sub, target->resource->group, where);
}

/* The file as it is now, so that a test can replace the token. */
static const char *wanted_token(const struct settings *settings, char *buf, size_t size)
{
	_fclose_ FILE *file = NULL;

	if (!settings->token_file)
		return settings->token;
	file = fopen(settings->token_file, "re");
	if (!file || !fgets(buf, (int)size, file))
		buf[0] = '\0';
	buf[strcspn(buf, "\r\n")] = '\0';
	return buf;
}

/* 0, or -EACCES and the answer is 401 or 403. */
static int admit(const struct request *request, struct answer *answer)
{
	const char *given = request_header(request, "Authorization");
	char buf[TOKEN_MAX];
	const char *wanted = wanted_token(&request->server->settings, buf, sizeof(buf));

	if (!wanted)
		return 0;
	if (given && strncmp(given, "Bearer ", 7) == 0 && wanted[0] &&
	    strcmp(given + 7, wanted) == 0)
		return 0;
	if (given) {
		status_fail(answer, 401, "Unauthorized", NULL, "Unauthorized");
		return -EACCES;
	}
	if (discovery_is_open(request->path))
		return 0;
	route_forbid(request, answer);
	return -EACCES;
}

static void refuse_method(struct answer *answer)
{
	status_fail(answer, 405, "MethodNotAllowed", cJSON_CreateObject(),
		    "the server does not allow this method on the requested resource");
}

static void serve_collection(struct request *request, struct answer *answer)
{
	const struct target *target = &request->target;
	bool whole = target->resource->namespaced && !target->namespace[0];

	if (strcmp(request->method, "GET") == 0 && request_is_watch(request))
		watch_open(request, answer);
	else if (strcmp(request->method, "GET") == 0)
		verb_list(request, answer);
	else if (strcmp(request->method, "POST") == 0 && !whole)
		verb_create(request, answer);
	else if (strcmp(request->method, "DELETE") == 0 && !whole)
		verb_delete_all(request, answer);
	else
		refuse_method(answer);
}

static void serve_object(struct request *request, struct answer *answer)
{
	const struct target *target = &request->target;
	bool status = strcmp(target->sub, "status") == 0 && target->resource->status;

	if (strcmp(target->sub, "binding") == 0 && strcmp(target->resource->plural, "pods") == 0 &&
	    strcmp(request->method, "POST") == 0)
		verb_bind(request, answer);
	else if (target->sub[0] && !status)
		status_fail(answer, 404, "NotFound", cJSON_CreateObject(),
			    "the server could not find the requested resource");
	else if (strcmp(request->method, "GET") == 0 && target->watch)
		watch_open(request, answer);
	else if (strcmp(request->method, "GET") == 0)
		verb_get(request, answer);
	else if (strcmp(request->method, "PUT") == 0)
		verb_replace(request, answer);
	else if (strcmp(request->method, "PATCH") == 0)
		verb_patch(request, answer);
	else if (strcmp(request->method, "DELETE") == 0 && !target->sub[0])
		verb_delete(request, answer);
	else
		refuse_method(answer);
}

/* What a client can read; without JSON there is nothing that we could say. */
static bool accepts_json(const struct request *request)
{
	const char *accept = request_header(request, "Accept");

	return !accept || !accept[0] || strstr(accept, "json") || strstr(accept, "*/*") ||
	       strstr(accept, "application/*");
}

static void fault_status(const struct request *request, struct answer *answer)
{
	const struct fault *fault = &request->fault;
	const char *message = fault->message;

	if (fault->status == 429) {
		answer_text(answer, 429, "Too many requests, please try again later.\n");
		answer->retry_after_s = 1;
	} else if (fault->status == 401) {
		status_fail(answer, 401, "Unauthorized", NULL, "Unauthorized");
	} else if (fault->status == 403) {
		route_forbid(request, answer);
	} else if (fault->status == 404) {
		answer_text(answer, 404, "404 page not found\n");
	} else if (fault->status == 410) {
		status_expired(answer);
	} else {
		status_fail(answer, fault->status,
			    fault->status == 503   ? "ServiceUnavailable"
			    : fault->status == 504 ? "Timeout"
						   : "InternalError",
			    NULL, "%s",
			    message[0] ? message
				       : "the server is currently unable to handle the "
					 "request");
	}
	if (fault->retry_after_s >= 0)
		answer->retry_after_s = (unsigned int)fault->retry_after_s;
}

/* A fault that leaves nothing to serve. */
static bool fault_comes_first(struct request *request, struct answer *answer)
{
	const struct fault *fault = &request->fault;
	enum request_kind kind = route_kind(request);

	if (!request->has_fault)
		return false;
	if (fault->what == FAULT_STATUS) {
		fault_status(request, answer);
		return true;
	}
	if (kind == KIND_WATCH)
		return false; /* the stream itself suffers */
	if (fault->what == FAULT_EXPIRE) {
		status_expired(answer);
		return true;
	}
	if (fault->what == FAULT_CLOSE && fault->bytes == 0) {
		answer->hang_up = true;
		return true;
	}
	if (fault->what == FAULT_HANG && !request->released) {
		request->wait_until_ns = UINT64_MAX;
		return true;
	}
	answer->hang_up = fault->what == FAULT_HANG;
	return answer->hang_up;
}

/* Before the first look: where does it want to go, and does a fault wait there? */
static int begin(struct request *request)
{
	int r = route_target(request->path, &request->target);

	if (request->begun)
		return r;
	request->begun = true;
	request->journal_seq = journal_add(&request->server->journal, request->method, request->uri,
					   request_header(request, "User-Agent"),
					   request_header(request, "Accept"),
					   request_header(request, "Authorization"));
	request->has_fault = faults_take(&request->server->faults, route_kind(request),
					 request->uri, &request->fault);
	return r;
}

static void serve_api(struct request *request, int found, struct answer *answer)
{
	if (request->too_large)
		status_fail(answer, 413, "RequestEntityTooLarge", cJSON_CreateObject(),
			    "Request entity too large: limit is %u", SERVER_MAX_BODY_BYTES);
	else if (!accepts_json(request))
		status_fail(answer, 406, "NotAcceptable", cJSON_CreateObject(),
			    "only the following media types are accepted: application/json, "
			    "application/yaml, application/vnd.kubernetes.protobuf");
	else if (found == 0 && request->target.name[0])
		serve_object(request, answer);
	else if (found == 0)
		serve_collection(request, answer);
	else if (discovery_serve(request->path, request->method, answer))
		return;
	else if (found == -ENXIO)
		status_fail(answer, 404, "NotFound", cJSON_CreateObject(),
			    "the server could not find the requested resource");
	else
		answer_text(answer, 404, "404 page not found\n");
}

void route_serve(struct request *request, struct answer *answer)
{
	int found;

	if (strncmp(request->path, "/fake/", 6) == 0) {
		control_serve(request, answer);
		return;
	}
	found = begin(request);
	if (admit(request, answer) < 0 || fault_comes_first(request, answer))
		return;
	serve_api(request, found, answer);
}
