/* SPDX-License-Identifier: Apache-2.0 */
/* What the real server refuses. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/rules.h"
#include "apiserver/tree.h"

#define NAME_MAX_BYTES 253
#define NOTE_MAX_BYTES 1024

static bool name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool inner = i > 0 && i + 1 < len;

		if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) &&
		    !(inner && (name[i] == '-' || name[i] == '.')))
			return false;
	}
	return true;
}

int rules_check_name(const struct resource *resource, const char *name, struct answer *answer)
{
	cJSON *causes;

	if (name_valid(name))
		return 0;
	causes = cJSON_CreateArray();
	if (!name[0])
		status_cause(causes, "FieldValueRequired", "metadata.name",
			     "Required value: name or generateName is required");
	else
		status_cause(
			causes, "FieldValueInvalid", "metadata.name",
			"Invalid value: \"%s\": a lowercase RFC 1123 subdomain must consist of "
			"lower case alphanumeric characters, '-' or '.', and must start and "
			"end with an alphanumeric character",
			name);
	status_invalid(answer, resource, name, causes);
	return -EINVAL;
}

/* d: a digit; everything else stands for itself. */
static bool looks_like(const char *text, const char *pattern)
{
	for (; *pattern; pattern++, text++)
		if (*pattern == 'd' ? !isdigit((unsigned char)*text) : *text != *pattern)
			return false;
	return true;
}

static bool zone_valid(const char *text)
{
	if (strcmp(text, "Z") == 0)
		return true;
	return (*text == '+' || *text == '-') && looks_like(text + 1, "dd:dd") && !text[6];
}

bool rules_date_time(const char *text)
{
	static const char whole[] = "dddd-dd-ddTdd:dd:dd";

	if (!looks_like(text, whole))
		return false;
	text += sizeof(whole) - 1;
	if (*text == '.') {
		if (!isdigit((unsigned char)*++text))
			return false;
		while (isdigit((unsigned char)*text))
			text++;
	}
	return zone_valid(text);
}

/* Leases count in microseconds, and insist on all six places. */
static int check_lease(const cJSON *lease, struct answer *answer)
{
	static const char *const paths[] = { "spec.acquireTime", "spec.renewTime" };
	static const char pattern[] = "dddd-dd-ddTdd:dd:dd.dddddd";

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const cJSON *value = tree_at(lease, paths[i]);
		const char *text = cJSON_GetStringValue(value);
		const char *rest = text && strlen(text) >= 19 ? text + 19 : "";

		if (!value || cJSON_IsNull(value))
			continue;
		if (text && looks_like(text, pattern) && zone_valid(text + sizeof(pattern) - 1))
			continue;
		status_fail(answer, 400, "BadRequest", NULL,
			    "Lease in version \"v1\" cannot be handled as a Lease: parsing time "
			    "\"%s\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"%s\" "
			    "as \".000000\"",
			    text ? text : "", rest);
		return -EINVAL;
	}
	return 0;
}

static void check_event(const cJSON *event, cJSON *causes)
{
	const char *type = tree_text(event, "type");
	const char *about = tree_text(event, "regarding.namespace");

	if (!tree_text(event, "eventTime")[0])
		status_cause(causes, "FieldValueRequired", "eventTime", "Required value");
	if (!tree_text(event, "action")[0])
		status_cause(causes, "FieldValueRequired", "action", "Required value");
	if (strlen(tree_text(event, "note")) > NOTE_MAX_BYTES)
		status_cause(causes, "FieldValueInvalid", "message",
			     "Invalid value: \"\": can have at most 1024 characters");
	if (strcmp(type, "Normal") != 0 && strcmp(type, "Warning") != 0)
		status_cause(causes, "FieldValueInvalid", "type",
			     "Invalid value: \"\": has invalid value: %s", type);
	if (strcmp(about[0] ? about : "default", tree_text(event, "metadata.namespace")) != 0)
		status_cause(causes, "FieldValueInvalid", "involvedObject.namespace",
			     "Invalid value: \"\": does not match event.namespace");
}

static void check_work(const cJSON *work, cJSON *causes)
{
	static const char field[] = "spec.workload.manifests";
	const cJSON *manifests = tree_at(work, field);

	if (manifests && !cJSON_IsArray(manifests))
		status_cause(causes, "FieldValueTypeInvalid", field,
			     "Invalid value: \"%s\": %s in body must be of type array: \"%s\"",
			     tree_type(manifests), field, tree_type(manifests));
}

/* Unknown fields: a warning each, or together a refusal. */
static int judge_unknown(const struct resource *resource, const cJSON *unknown, bool strict,
			 struct answer *answer)
{
	_sbuf_ struct sbuf list = SBUF_INIT(64u << 10);
	const cJSON *field;

	cJSON_ArrayForEach(field, unknown)
	{
		sbuf_printf(&list, "%sunknown field \"%s\"", list.len > 0 ? ", " : "",
			    field->valuestring);
		if (!strict)
			answer_warn(answer, "299 - \"unknown field \\\"%s\\\"\"",
				    field->valuestring);
	}
	if (!strict || list.len == 0)
		return 0;
	status_fail(answer, 422, "Invalid", NULL,
		    "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
		    resource->kind, resource->version, resource->kind, list.text);
	return -EINVAL;
}

int rules_check(const struct resource *resource, cJSON *object, bool strict, struct answer *answer)
{
	_tree_ cJSON *causes = cJSON_CreateArray(), *unknown = cJSON_CreateArray();

	if (strcmp(resource->kind, "Lease") == 0)
		return check_lease(object, answer);
	if (strcmp(resource->group, "events.k8s.io") == 0)
		check_event(object, causes);
	else if (strcmp(resource->kind, "ManifestWork") == 0)
		check_work(object, causes);
	else if (strcmp(resource->kind, "AddOnPlacementScore") == 0)
		rules_check_score(tree_at(object, "status"), causes, unknown);
	if (judge_unknown(resource, unknown, strict, answer) < 0)
		return -EINVAL;
	if (!causes->child)
		return 0;
	status_invalid(answer, resource, tree_text(object, "metadata.name"), TAKE_PTR(causes));
	return -EINVAL;
}
