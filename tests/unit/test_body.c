/* SPDX-License-Identifier: Apache-2.0 */
/* What the page server is made of: negotiation, bodies, the front page. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>

#include "expose/accept.h"
#include "expose/body.h"
#include "expose/front.h"
#include "fake_node.h"
#include "platform/sbuf.h"
#include "unit/no_leaks.h"

static struct fake_node node;

TestSuite(accept, .fini = no_leaks);
TestSuite(body, .fini = no_leaks);

Test(accept, reads_what_scrapers_send)
{
	static const struct {
		const char *header;
		enum exposition want;
	} cases[] = {
		{ NULL, EXPOSITION_TEXT },
		{ "", EXPOSITION_TEXT },
		{ "*/*", EXPOSITION_TEXT },
		{ "text/html,application/xhtml+xml,*/*;q=0.8", EXPOSITION_TEXT },
		{ "application/openmetrics-text", EXPOSITION_OPENMETRICS },
		{ "Application/OpenMetrics-Text; Version=\"1.0.0\"", EXPOSITION_OPENMETRICS },
		{ "application/openmetrics-text;version=0.0.1", EXPOSITION_TEXT },
		{ "application/openmetrics-text;q=0", EXPOSITION_TEXT },
		{ "application/openmetrics-text;q=0.2,text/plain;q=0.9", EXPOSITION_TEXT },
		{ "application/openmetrics-text;q=0.5,*/*;q=0.9,text/plain;q=0.1",
		  EXPOSITION_OPENMETRICS },
		{ "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.75",
		  EXPOSITION_OPENMETRICS },
		/* Prometheus 2.42 and 3.0 */
		{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		  "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		  EXPOSITION_OPENMETRICS },
		{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
		  "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
		  "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		  EXPOSITION_OPENMETRICS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect(eq(int, (int)accept_exposition(cases[i].header), (int)cases[i].want),
			  "%s", cases[i].header ? cases[i].header : "(none)");
}

Test(accept, gzips_only_for_those_who_take_it)
{
	static const struct {
		const char *header;
		bool want;
	} cases[] = {
		{ NULL, false },
		{ "", false },
		{ "gzip", true },
		{ "GZIP", true },
		{ "x-gzip", true },
		{ "deflate, gzip;q=1.0, *;q=0.5", true },
		{ "gzip;q=0", false },
		{ "gzip; q=0.000", false },
		{ "gzip;q=0,*", false },
		{ "*", true },
		{ "*;q=0", false },
		{ "identity", false },
		{ "gzip;q=0.5,identity", false },
		{ "gzip,identity;q=0.5", true },
		{ "br", false },
		{ "notgzip", false },
		{ "gzip;q=2", false },
		{ "gzip;q=0.5x", false },
		{ ",,gzip,,", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect(accept_gzip(cases[i].header) == cases[i].want, "%s",
			  cases[i].header ? cases[i].header : "(none)");
}

Test(body, lives_as_long_as_somebody_reads_it)
{
	struct body_cache *cache;
	struct body *first, *again, *next;
	char *copy;

	cr_assert(eq(int, fake_node_open(&node, 5), 0));
	cr_assert(eq(int, body_cache_new(node.pool, &cache), 0));
	cr_expect(eq(int, body_cache_get(cache, BODY_TEXT, false, &first), -EAGAIN));
	fake_node_publish(&node);
	cr_assert(eq(int, body_cache_get(cache, BODY_TEXT, false, &first), 0));
	cr_assert(eq(int, body_cache_get(cache, BODY_TEXT, false, &again), 0));
	cr_expect(first == again);
	copy = malloc(first->len);
	memcpy(copy, first->bytes, first->len);

	fake_node_publish(&node);
	cr_assert(eq(int, body_cache_get(cache, BODY_TEXT, false, &next), 0));
	cr_expect(next != first);
	body_cache_forget(cache);
	body_cache_free(cache);
	cr_expect(eq(int, memcmp(copy, first->bytes, first->len), 0));
	body_unref(first);
	body_unref(again);
	body_unref(next);
	free(copy);
	fake_node_close(&node);
}

Test(body, escapes_what_a_name_holds)
{
	struct sbuf out = SBUF_INIT(1 << 20);
	struct snapshot *snapshot;

	cr_assert(eq(int, fake_node_open(&node, 1), 0));
	snprintf(node.facts.node, sizeof(node.facts.node), "<script>\"&\x01");
	fake_node_publish(&node);
	snapshot = snapshot_current(node.pool);
	cr_assert(eq(int, front_render(snapshot, &out), 0));
	cr_expect(eq(ptr, strstr(out.text, "<script>"), NULL));
	cr_expect(eq(ptr, strchr(out.text, '\x01'), NULL));
	cr_expect(ne(ptr, strstr(out.text, "&lt;script&gt;&quot;&amp;\xef\xbf\xbd"), NULL));
	snapshot_put(node.pool, snapshot);
	sbuf_free(&out);
	fake_node_close(&node);
}
