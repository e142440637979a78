/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/tree.h"

#define MESSAGE_MAX 4096

void answer_free(struct answer *answer)
{
	sbuf_free(&answer->body);
	while (answer->n_warnings > 0)
		free(answer->warnings[--answer->n_warnings]);
}

void answer_tree(struct answer *answer, unsigned int status, const cJSON *tree)
{
	_free_ char *text = tree_print(tree);

	answer->status = status;
	answer->text = false;
	sbuf_reset(&answer->body);
	sbuf_puts(&answer->body, text);
	sbuf_putc(&answer->body, '\n');
}

void answer_version(struct answer *answer, unsigned int status, const struct version *version)
{
	answer->status = status;
	sbuf_reset(&answer->body);
	sbuf_append(&answer->body, version->text, version->len);
	sbuf_putc(&answer->body, '\n');
}

void answer_text(struct answer *answer, unsigned int status, const char *text)
{
	answer->status = status;
	answer->text = true;
	sbuf_reset(&answer->body);
	sbuf_puts(&answer->body, text);
}

void answer_warn(struct answer *answer, const char *format, ...)
{
	char line[MESSAGE_MAX];
	va_list args;

	if (answer->n_warnings == ANSWER_WARNINGS)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	answer->warnings[answer->n_warnings++] = tree_copy(line);
}

static void fail(struct answer *answer, unsigned int code, const char *reason, cJSON *details,
		 const char *message)
{
	_tree_ cJSON *status = cJSON_CreateObject();

	cJSON_AddStringToObject(status, "kind", "Status");
	cJSON_AddStringToObject(status, "apiVersion", "v1");
	cJSON_AddObjectToObject(status, "metadata");
	cJSON_AddStringToObject(status, "status", "Failure");
	cJSON_AddStringToObject(status, "message", message);
	if (reason)
		cJSON_AddStringToObject(status, "reason", reason);
	if (details)
		cJSON_AddItemToObject(status, "details", details);
	cJSON_AddNumberToObject(status, "code", code);
	answer_tree(answer, code, status);
}

void status_fail(struct answer *answer, unsigned int code, const char *reason, cJSON *details,
		 const char *format, ...)
{
	char message[MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	fail(answer, code, reason, details, message);
}

static cJSON *details_of(const struct resource *resource, const char *name, const char *kind)
{
	cJSON *details = cJSON_CreateObject();

	if (name && name[0])
		cJSON_AddStringToObject(details, "name", name);
	if (resource->group[0])
		cJSON_AddStringToObject(details, "group", resource->group);
	cJSON_AddStringToObject(details, "kind", kind);
	return details;
}

cJSON *status_details(const struct resource *resource, const char *name)
{
	return details_of(resource, name, resource->plural);
}

void status_not_found(struct answer *answer, const struct resource *resource, const char *name)
{
	char what[RESOURCE_API_VERSION_MAX];

	resource_qualified(resource, resource->plural, what);
	status_fail(answer, 404, "NotFound", status_details(resource, name), "%s \"%s\" not found",
		    what, name);
}

void status_exists(struct answer *answer, const struct resource *resource, const char *name)
{
	char what[RESOURCE_API_VERSION_MAX];

	resource_qualified(resource, resource->plural, what);
	status_fail(answer, 409, "AlreadyExists", status_details(resource, name),
		    "%s \"%s\" already exists", what, name);
}

void status_modified(struct answer *answer, const struct resource *resource, const char *name)
{
	char what[RESOURCE_API_VERSION_MAX];

	resource_qualified(resource, resource->plural, what);
	status_fail(answer, 409, "Conflict", status_details(resource, name),
		    "Operation cannot be fulfilled on %s \"%s\": the object has been modified; "
		    "please apply your changes to the latest version and try again",
		    what, name);
}

void status_expired(struct answer *answer)
{
	status_fail(answer, 410, "Expired", NULL,
		    "The resourceVersion for the provided list is too old.");
}

void status_cause(cJSON *causes, const char *reason, const char *field, const char *format, ...)
{
	cJSON *cause = cJSON_CreateObject();
	char message[MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	cJSON_AddStringToObject(cause, "reason", reason);
	cJSON_AddStringToObject(cause, "message", message);
	cJSON_AddStringToObject(cause, "field", field);
	cJSON_AddItemToArray(causes, cause);
}

void status_invalid(struct answer *answer, const struct resource *resource, const char *name,
		    cJSON *causes)
{
	_sbuf_ struct sbuf message = SBUF_INIT(1u << 20);
	cJSON *details = details_of(resource, name, resource->kind), *cause;
	bool several = cJSON_GetArraySize(causes) > 1;
	char what[RESOURCE_API_VERSION_MAX];

	/* Leases and Events are judged by code of the core, which names no group. */
	resource_qualified(resource, resource->kind, what);
	sbuf_printf(&message, "%s \"%s\" is invalid: %s", resource->custom ? what : resource->kind,
		    name, several ? "[" : "");
	cJSON_ArrayForEach(cause, causes)
		sbuf_printf(&message, "%s%s: %s", cause == causes->child ? "" : ", ",
			    tree_text(cause, "field"), tree_text(cause, "message"));
	sbuf_puts(&message, several ? "]" : "");
	cJSON_AddItemToObject(details, "causes", causes);
	fail(answer, 422, "Invalid", details, message.error ? "is invalid" : message.text);
}
