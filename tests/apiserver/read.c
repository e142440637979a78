/* SPDX-License-Identifier: Apache-2.0 */
/* GET of one object and of many. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/continue.h"
#include "apiserver/tree.h"
#include "apiserver/verbs.h"
#include "platform/parse.h"

#define FUTURE_WAIT_NS (3ull * 1000000000)

/* How a list was asked for. */
struct listing {
	const struct resource *resource;
	const char *namespace;
	struct selector selector;
	uint64_t limit; /* 0: none */
	uint64_t rv;    /* what the client named */
	bool has_rv, exact;
	struct place from; /* of a continue token; rv 0: from the start */
	uint64_t told_rv;  /* of the answer */
};

void verb_get(struct request *request, struct answer *answer)
{
	const struct target *target = &request->target;
	const struct version *version = store_get(&request->server->store, target->resource,
						  target->namespace, target->name);

	if (version)
		answer_version(answer, 200, version);
	else
		status_not_found(answer, target->resource, target->name);
}

static int read_number(const struct request *request, const char *key, uint64_t *ret, bool *ret_has,
		       struct answer *answer)
{
	const char *text = request_query(request, key);

	*ret_has = text && text[0];
	if (!*ret_has || parse_u64(text, ret) == 0)
		return 0;
	if (strcmp(key, "resourceVersion") == 0)
		status_fail(answer, 500, NULL, NULL,
			    "%s: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": "
			    "invalid syntax",
			    key, text, text);
	else
		status_fail(answer, 400, "BadRequest", NULL,
			    "strconv.ParseInt: parsing \"%s\": invalid syntax", text);
	return -EINVAL;
}

/* A token that is too old brings a new one, which goes on with what is there now. */
static void token_expired(const struct listing *list, struct answer *answer)
{
	struct place again = list->from;
	_free_ char *token = NULL;
	_tree_ cJSON *tree = NULL;

	again.rv = PLACE_INCONSISTENT;
	token = place_write(&again, list->namespace);
	status_fail(answer, 410, "Expired", NULL,
		    "The provided continue parameter is too old to display a consistent list "
		    "result. You can start a new list without the continue parameter, or use the "
		    "continue token in this response to retrieve the remainder of the results. "
		    "Continuing with the provided token results in an inconsistent list - objects "
		    "that were created, modified, or deleted between the time the first chunk was "
		    "returned and now may show up in the list.");
	tree = tree_parse(answer->body.text, answer->body.len);
	cJSON_AddStringToObject(tree_object(tree, "metadata"), "continue", token);
	answer_tree(answer, 410, tree);
}

static void wait_for_future(struct request *request, uint64_t rv, struct answer *answer)
{
	uint64_t now_ns = host_monotonic_ns();
	cJSON *details, *causes;

	if (request->wait_until_ns == 0) {
		request->wait_until_ns = now_ns + FUTURE_WAIT_NS;
		request->wait_rv = rv;
	}
	if (now_ns < request->wait_until_ns)
		return;
	details = cJSON_CreateObject();
	causes = cJSON_AddArrayToObject(details, "causes");
	cJSON_AddItemToArray(causes, cJSON_CreateObject());
	cJSON_AddStringToObject(causes->child, "reason", "ResourceVersionTooLarge");
	cJSON_AddStringToObject(causes->child, "message", "Too large resource version");
	cJSON_AddNumberToObject(details, "retryAfterSeconds", 1);
	status_fail(answer, 504, "Timeout", details,
		    "Timeout: Too large resource version: %" PRIu64 ", current: %" PRIu64, rv,
		    request->server->store.rv);
	answer->retry_after_s = 1;
}

/* Which state of the store: 0, or -EINVAL and there is an answer, or the request waits. */
static int choose_version(struct request *request, struct listing *list, struct answer *answer)
{
	struct store *store = &request->server->store;
	const struct shelf *shelf = store_shelf(store, list->resource);
	uint64_t wanted = list->from.rv ? list->from.rv : list->rv;

	list->told_rv = store->rv;
	if (list->from.rv == PLACE_INCONSISTENT)
		return 0;
	if (list->has_rv && list->rv == 0) {
		list->told_rv = shelf->last_rv; /* of the cache, which may be behind */
		list->limit = 0;
		return 0;
	}
	if (wanted > store->rv) {
		wait_for_future(request, wanted, answer);
		return -EINVAL;
	}
	if (!list->exact && list->from.rv == 0)
		return 0;
	list->told_rv = wanted;
	if (wanted >= shelf->floor_rv)
		return 0;
	if (list->from.rv)
		token_expired(list, answer);
	else
		status_expired(answer);
	return -EINVAL;
}

static bool listed(const struct listing *list, const struct version *version)
{
	if (list->namespace[0] && strcmp(list->namespace, version->namespace) != 0)
		return false;
	if (list->from.rv && version_compare(version, list->from.namespace, list->from.name) <= 0)
		return false;
	return selector_matches(&list->selector, version);
}

/* A built-in loses its kind and apiVersion in a list. */
static void put_item(const struct version *version, struct sbuf *out)
{
	if (version->head > 0) {
		sbuf_putc(out, '{');
		sbuf_append(out, version->text + version->head, version->len - version->head);
	} else {
		sbuf_append(out, version->text, version->len);
	}
}

static void put_meta(const struct listing *list, const char *token, size_t remaining,
		     struct sbuf *out)
{
	sbuf_puts(out, "\"metadata\":{");
	if (token && list->resource->custom)
		sbuf_printf(out, "\"continue\":\"%s\",", token);
	if (token && remaining > 0 && list->selector.n == 0 && list->resource->custom)
		sbuf_printf(out, "\"remainingItemCount\":%zu,", remaining);
	sbuf_printf(out, "\"resourceVersion\":\"%" PRIu64 "\"", list->told_rv);
	if (token && !list->resource->custom)
		sbuf_printf(out, ",\"continue\":\"%s\"", token);
	if (token && remaining > 0 && list->selector.n == 0 && !list->resource->custom)
		sbuf_printf(out, ",\"remainingItemCount\":%zu", remaining);
	sbuf_putc(out, '}');
}

/* The page, and in *ret_token where the next one begins (NULL: nowhere). */
static size_t put_items(const struct listing *list, struct version **items, size_t n,
			struct sbuf *out, char **ret_token)
{
	struct place last = { .rv = list->told_rv };
	size_t sent = 0, remaining = 0;

	if (list->from.rv == PLACE_INCONSISTENT)
		last.rv = PLACE_INCONSISTENT;
	sbuf_puts(out, "\"items\":[");
	for (size_t i = 0; i < n; i++) {
		if (!listed(list, items[i]))
			continue;
		if (list->limit > 0 && sent == list->limit) {
			remaining++;
			continue;
		}
		if (sent++ > 0)
			sbuf_putc(out, ',');
		put_item(items[i], out);
		snprintf(last.namespace, sizeof(last.namespace), "%s", items[i]->namespace);
		snprintf(last.name, sizeof(last.name), "%s", items[i]->name);
	}
	sbuf_putc(out, ']');
	if (remaining > 0)
		*ret_token = place_write(&last, list->namespace);
	return remaining;
}

static void put_list(const struct listing *list, struct version **items, size_t n,
		     struct answer *answer)
{
	_sbuf_ struct sbuf body = SBUF_INIT(ANSWER_MAX_BYTES);
	struct sbuf *out = &answer->body;
	char api_version[RESOURCE_API_VERSION_MAX];
	_free_ char *token = NULL;
	size_t remaining;

	resource_api_version(list->resource, api_version);
	remaining = put_items(list, items, n, &body, &token);
	answer->status = 200;
	if (list->resource->custom) {
		sbuf_printf(out, "{\"apiVersion\":\"%s\",", api_version);
		sbuf_append(out, body.text, body.len);
		sbuf_printf(out, ",\"kind\":\"%sList\",", list->resource->kind);
		put_meta(list, token, remaining, out);
	} else {
		sbuf_printf(out, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",",
			    list->resource->kind, api_version);
		put_meta(list, token, remaining, out);
		sbuf_putc(out, ',');
		sbuf_append(out, body.text, body.len);
	}
	sbuf_puts(out, "}\n");
	if (body.error)
		out->error = body.error;
}

static int read_listing(const struct request *request, struct listing *list, struct answer *answer)
{
	const char *match = request_query(request, "resourceVersionMatch");
	const char *token = request_query(request, "continue");
	bool has_limit;

	list->exact = match && strcmp(match, "Exact") == 0;
	if (request_selector(request, &list->selector, answer) < 0 ||
	    read_number(request, "resourceVersion", &list->rv, &list->has_rv, answer) < 0 ||
	    read_number(request, "limit", &list->limit, &has_limit, answer) < 0)
		return -EINVAL;
	if (token && token[0] && place_read(token, list->namespace, &list->from) < 0) {
		status_fail(answer, 400, "BadRequest", NULL, "continue key is not valid");
		return -EINVAL;
	}
	return 0;
}

void verb_list(struct request *request, struct answer *answer)
{
	struct listing list = { .resource = request->target.resource,
				.namespace = request->target.namespace };
	struct version **items;
	size_t n;

	if (read_listing(request, &list, answer) == 0 &&
	    choose_version(request, &list, answer) == 0) {
		bool past = list.exact || (list.from.rv && list.from.rv != PLACE_INCONSISTENT);

		store_snapshot(&request->server->store, list.resource, past ? list.told_rv : 0,
			       &items, &n);
		put_list(&list, items, n, answer);
		store_snapshot_free(items, n);
	}
	selector_free(&list.selector);
}
