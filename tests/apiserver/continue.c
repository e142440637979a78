/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/continue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/tree.h"

#define TOKEN_MAX 1024

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *place_write(const struct place *place, const char *namespace)
{
	_sbuf_ struct sbuf json = SBUF_INIT(TOKEN_MAX), token = SBUF_INIT(2 * TOKEN_MAX);
	uint32_t bits = 0;
	int n_bits = 0;

	sbuf_puts(&json, "{\"v\":\"meta.k8s.io/v1\",\"rv\":");
	if (place->rv == PLACE_INCONSISTENT)
		sbuf_puts(&json, "-1");
	else
		sbuf_u64(&json, place->rv);
	sbuf_printf(&json, ",\"start\":\"%s%s%s\\u0000\"}", namespace[0] ? "" : place->namespace,
		    namespace[0] || !place->namespace[0] ? "" : "/", place->name);
	for (size_t i = 0; i < json.len; i++) {
		bits = bits << 8 | (unsigned char)json.text[i];
		for (n_bits += 8; n_bits >= 6; n_bits -= 6)
			sbuf_putc(&token, alphabet[bits >> (n_bits - 6) & 63]);
	}
	if (n_bits > 0)
		sbuf_putc(&token, alphabet[bits << (6 - n_bits) & 63]);
	return tree_copy(token.text);
}

static int decode(const char *token, struct sbuf *out)
{
	uint32_t bits = 0;
	int n_bits = 0;

	for (; *token && *token != '='; token++) {
		const char *at = strchr(alphabet, *token);

		if (!at)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)(at - alphabet);
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		sbuf_putc(out, (char)(bits >> n_bits));
	}
	return out->error || out->len == 0 ? -EINVAL : 0;
}

int place_read(const char *token, const char *namespace, struct place *ret)
{
	_sbuf_ struct sbuf json = SBUF_INIT(TOKEN_MAX);
	_tree_ cJSON *tree = NULL;
	struct place place = { 0 };
	const cJSON *rv;
	const char *start, *slash;

	if (decode(token, &json) < 0)
		return -EINVAL;
	tree = tree_parse(json.text, json.len);
	rv = tree_at(tree, "rv");
	start = tree_text(tree, "start"); /* ends at its NUL */
	if (!cJSON_IsNumber(rv) || !(rv->valuedouble >= -1 && rv->valuedouble < 1e15) ||
	    strlen(start) >= sizeof(place.name))
		return -EINVAL;
	place.rv = rv->valuedouble < 0 ? PLACE_INCONSISTENT : (uint64_t)rv->valuedouble;
	slash = namespace[0] ? NULL : strchr(start, '/');
	if (slash)
		snprintf(place.namespace, sizeof(place.namespace), "%.*s", (int)(slash - start),
			 start);
	else
		snprintf(place.namespace, sizeof(place.namespace), "%s", namespace);
	snprintf(place.name, sizeof(place.name), "%s", slash ? slash + 1 : start);
	*ret = place;
	return 0;
}
