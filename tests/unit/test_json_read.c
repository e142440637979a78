/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>

#include "no_leaks.h"
#include "oom.h"
#include "platform/json.h"
#include "platform/sbuf.h"

TestSuite(json_read, .fini = no_leaks);

static void array_of(struct sbuf *out, const char *element, size_t n)
{
	sbuf_putc(out, '[');
	for (size_t i = 0; i < n; i++) {
		sbuf_puts(out, i ? "," : "");
		sbuf_puts(out, element);
	}
	sbuf_putc(out, ']');
}

Test(json_read, gives_the_tree_that_the_library_itself_gives)
{
	static const char *const texts[] = {
		"{\"a\":[1,2,{\"b\":\"\\u00e9\\n\"}],\"c\":null,\"d\":-1.5e3,\"e\":{}}",
		"[]",
		"\"x\"",
		"17",
		"[[[[[[true,false]]]]]]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_json_ struct json json = { .root = NULL };
		cJSON *want = cJSON_Parse(texts[i]);

		cr_assert(eq(int, json_read(&json, texts[i], strlen(texts[i])), 0), "%s", texts[i]);
		cr_expect(cJSON_Compare(json.root, want, true), "%s", texts[i]);
		cJSON_Delete(want);
	}
}

Test(json_read, refuses_what_is_no_json)
{
	static const char *const texts[] = { "",    "{",           "[1,",  "{\"a\":}",
					     "nul", "\"\\ud800\"", "{1:2}" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_json_ struct json json = { .root = NULL };

		cr_expect(eq(int, json_read(&json, texts[i], strlen(texts[i])), -EBADMSG), "%s",
			  texts[i]);
		cr_expect(eq(ptr, (void *)json.root, NULL));
	}
}

Test(json_read, takes_no_more_memory_than_it_may)
{
	static const char *const elements[] = { "[]", "{}", "0",
						"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"" };
	bool refused = false, taken = false;

	for (size_t i = 0; i < ARRAY_SIZE(elements); i++) {
		for (size_t n = 1; n < 600000; n *= 4) {
			_sbuf_ struct sbuf text = SBUF_INIT(32 << 20);
			_json_ struct json json = { .root = NULL };
			int r;

			array_of(&text, elements[i], n);
			r = json_read(&json, text.text, text.len);
			cr_assert(r == 0 || r == -E2BIG);
			cr_assert(le(sz, json.bytes, JSON_MAX_BYTES));
			refused |= r == -E2BIG;
			taken |= r == 0 && json.bytes > 100000;
			/* What a list of pods has: ten bytes of text for each node. */
			if (r == -E2BIG)
				cr_assert(gt(sz, n, 20000));
		}
	}
	cr_assert(refused && taken);
}

Test(json_read, leaves_the_librarys_own_trees_alone)
{
	cJSON *before = cJSON_Parse("{\"a\":1}"), *after;
	_json_ struct json json = { .root = NULL };

	cr_assert(eq(int, json_read(&json, "[1,2]", 5), 0));
	after = cJSON_Parse("{\"b\":2}");
	json_free(&json);
	cr_expect(eq(int, cJSON_GetObjectItem(after, "b")->valueint, 2));
	cJSON_Delete(before);
	cJSON_Delete(after);
}

Test(json_read, survives_a_failing_allocator)
{
	_sbuf_ struct sbuf text = SBUF_INIT(8 << 20);

	array_of(&text, "[{},{}]", 40000);
	OOM_SWEEP(n)
	{
		_json_ struct json json = { .root = NULL };
		int r = json_read(&json, text.text, text.len);
		bool failed = oom_stop();

		cr_assert(eq(int, r, failed ? -ENOMEM : 0));
		cr_assert(eq(int, json.root != NULL, !failed));
	}
}
