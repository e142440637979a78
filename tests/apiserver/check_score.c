/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of an AddOnPlacementScore: the one that clients of ours write. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/rules.h"
#include "apiserver/tree.h"

#define SCORE_LIMIT 100
#define FIELD_MAX   160

static void wrong_type(cJSON *causes, const char *field, const cJSON *value, const char *wanted)
{
	status_cause(causes, "FieldValueTypeInvalid", field,
		     "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"",
		     tree_type(value), field, wanted, tree_type(value));
}

/* Takes out what the schema does not have, and notes its name. */
static void prune(cJSON *object, const char *at, const char *const *known, size_t n, cJSON *unknown)
{
	cJSON *member = object->child, *next;
	char field[FIELD_MAX];

	for (; member; member = next) {
		bool found = false;

		next = member->next;
		for (size_t i = 0; i < n; i++)
			found = found || strcmp(member->string, known[i]) == 0;
		if (found)
			continue;
		snprintf(field, sizeof(field), "%s.%s", at, member->string);
		cJSON_AddItemToArray(unknown, cJSON_CreateString(field));
		cJSON_Delete(cJSON_DetachItemViaPointer(object, member));
	}
}

static void check_value(const cJSON *value, const char *field, cJSON *causes)
{
	double number;

	if (!value) {
		status_cause(causes, "FieldValueRequired", field, "Required value");
		return;
	}
	number = cJSON_IsNumber(value) ? value->valuedouble : 0.5;
	if (number != trunc(number))
		wrong_type(causes, field, value, "integer");
	else if (number > SCORE_LIMIT)
		status_cause(causes, "FieldValueInvalid", field,
			     "Invalid value: %.0f: %s in body should be less than or equal to %d",
			     number, field, SCORE_LIMIT);
	else if (number < -SCORE_LIMIT)
		status_cause(
			causes, "FieldValueInvalid", field,
			"Invalid value: %.0f: %s in body should be greater than or equal to %d",
			number, field, -SCORE_LIMIT);
}

static bool named_before(const cJSON *scores, const cJSON *score)
{
	const char *name = cJSON_GetStringValue(tree_at(score, "name"));
	const cJSON *other;

	for (other = scores->child; name && other != score; other = other->next)
		if (strcmp(tree_text(other, "name"), name) == 0)
			return true;
	return false;
}

static void check_one(cJSON *scores, cJSON *score, int index, cJSON *causes, cJSON *unknown)
{
	static const char *const known[] = { "name", "value" };
	char at[FIELD_MAX / 2], field[FIELD_MAX];
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(score, "name");

	snprintf(at, sizeof(at), "status.scores[%d]", index);
	if (!cJSON_IsObject(score)) {
		wrong_type(causes, at, score, "object");
		return;
	}
	prune(score, at, known, ARRAY_SIZE(known), unknown);
	snprintf(field, sizeof(field), "%s.name", at);
	if (!name)
		status_cause(causes, "FieldValueRequired", field, "Required value");
	else if (!cJSON_IsString(name))
		wrong_type(causes, field, name, "string");
	snprintf(field, sizeof(field), "%s.value", at);
	check_value(cJSON_GetObjectItemCaseSensitive(score, "value"), field, causes);
	if (named_before(scores, score))
		status_cause(causes, "FieldValueDuplicate", at,
			     "Duplicate value: map[string]interface {}{\"name\":\"%s\"}",
			     name->valuestring);
}

static void check_conditions(const cJSON *conditions, cJSON *causes)
{
	static const char *const required[] = { "lastTransitionTime", "message", "reason", "status",
						"type" };
	const cJSON *condition;
	char field[FIELD_MAX];
	int index = 0;

	cJSON_ArrayForEach(condition, conditions)
	{
		for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
			if (cJSON_GetObjectItemCaseSensitive(condition, required[i]))
				continue;
			snprintf(field, sizeof(field), "status.conditions[%d].%s", index,
				 required[i]);
			status_cause(causes, "FieldValueRequired", field, "Required value");
		}
		index++;
	}
}

void rules_check_score(cJSON *status, cJSON *causes, cJSON *unknown)
{
	static const char *const known[] = { "conditions", "scores", "validUntil" };
	const cJSON *until;
	cJSON *scores, *score;
	int index = 0;

	if (status && !cJSON_IsObject(status))
		wrong_type(causes, "status", status, "object");
	if (!cJSON_IsObject(status))
		return;
	prune(status, "status", known, ARRAY_SIZE(known), unknown);
	scores = cJSON_GetObjectItemCaseSensitive(status, "scores");
	if (scores && !cJSON_IsArray(scores))
		wrong_type(causes, "status.scores", scores, "array");
	if (cJSON_IsArray(scores)) {
		cJSON_ArrayForEach(score, scores)
			check_one(scores, score, index++, causes, unknown);
	}
	until = cJSON_GetObjectItemCaseSensitive(status, "validUntil");
	if (until && !cJSON_IsString(until))
		wrong_type(causes, "status.validUntil", until, "string");
	else if (until && !rules_date_time(until->valuestring))
		status_cause(causes, "FieldValueInvalid", "status.validUntil",
			     "Invalid value: \"%s\": status.validUntil in body must be of type "
			     "date-time: \"%s\"",
			     until->valuestring, until->valuestring);
	check_conditions(cJSON_GetObjectItemCaseSensitive(status, "conditions"), causes);
}
