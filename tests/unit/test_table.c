/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>

#include "example_fill.h"
#include "expose/cells.h"
#include "expose/render.h"
#include "no_leaks.h"

TestSuite(table, .fini = no_leaks);
TestSuite(csv, .fini = no_leaks);

static void render(const struct snapshot *snapshot, const struct table_style *style,
		   struct sbuf *out)
{
	cr_assert(eq(int, render_table(snapshot, style, out), 0));
}

static bool is_printed(char c)
{
	return (unsigned char)c >= 0x20 && c != 0x7f;
}

/* Every line fits, and no byte moves the cursor but the newline at its end. */
static void check_lines(char *text, unsigned int width)
{
	for (char *end; (end = strchr(text, '\n')); text = end + 1) {
		*end = '\0';
		for (const char *c = text; *c; c++)
			cr_assert(is_printed(*c), "'%s'", text);
		cr_assert(le(uint, cells_width(text), width), "'%s'", text);
	}
	cr_assert(eq(str, text, ""));
}

Test(table, fits_any_terminal_with_any_names)
{
	static const unsigned int widths[] = { 80, 81, 99, 132, 200 };

	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		_sbuf_ struct sbuf out = SBUF_INIT(1 << 20);
		struct table_style style = { .width = widths[i] };
		struct example e;

		example_open(&e, i + 1);
		snprintf(e.facts.cpu, sizeof(e.facts.cpu), "\033]0;title\a %s", example_hostile[3]);
		example_fill(&e, 90);
		style.before = i % 2 ? &e.snapshot : NULL;
		render(&e.snapshot, &style, &out);
		check_lines(out.text, widths[i]);
		example_close(&e);
	}
}

Test(table, survives_a_terminal_without_columns)
{
	_sbuf_ struct sbuf out = SBUF_INIT(1 << 20);
	struct table_style style = { .width = 0 };
	struct example e;

	example_open(&e, 1);
	example_fill(&e, 20);
	render(&e.snapshot, &style, &out);
	check_lines(out.text, 80);
	example_close(&e);
}

Test(table, colours_only_on_request)
{
	_sbuf_ struct sbuf plain = SBUF_INIT(1 << 20), coloured = SBUF_INIT(1 << 20);
	struct example e;

	example_open(&e, 2);
	example_fill(&e, 20);
	render(&e.snapshot, &(struct table_style){ .width = 100 }, &plain);
	render(&e.snapshot, &(struct table_style){ .width = 100, .colour = true }, &coloured);
	cr_assert(not(example_has(plain.text, "\033")));
	cr_assert(example_has(coloured.text, "\033"));
	example_close(&e);
}

Test(table, who_used_most_stands_first)
{
	_sbuf_ struct sbuf out = SBUF_INIT(1 << 20);
	struct example e;
	const char *small, *large;

	example_open(&e, 3);
	example_work(&e, example_unit(&e, 10, "small.service"));
	example_book(&e, example_unit(&e, 11, "large.service"), 900000000000000);
	render(&e.snapshot, &(struct table_style){ .width = 80 }, &out);
	small = strstr(out.text, "small.service");
	large = strstr(out.text, "large.service");
	cr_assert(small && large && large < small);

	sbuf_reset(&out);
	render(&e.snapshot, &(struct table_style){ .width = 80, .rows = 1 }, &out);
	cr_assert(example_has(out.text, "3 more with "), "what is not shown is counted: %s",
		  out.text);
	cr_assert(not(example_has(out.text, "small.service")));
	example_close(&e);
}

Test(table, live_watts_are_of_the_interval)
{
	_sbuf_ struct sbuf out = SBUF_INIT(1 << 20);
	struct example before, now;
	const char *line;

	example_open(&before, 4);
	example_open(&now, 4);
	example_unit(&before, 10, "web.service");
	example_unit(&now, 10, "web.service");
	example_book(&before, &before.snapshot.accounts[3], 100000000000);
	example_book(&now, &now.snapshot.accounts[3], 106000000000);
	now.snapshot.t_ns += 2000000000;
	render(&now.snapshot, &(struct table_style){ .width = 80, .before = &before.snapshot },
	       &out);
	line = strstr(out.text, "web.service");
	cr_assert(line && strstr(line, "106.000    3.000"), "6 J in 2 s: %s", out.text);
	cr_assert(example_has(line, "100%"), "the only one that did anything");
	example_close(&before);
	example_close(&now);
}

Test(table, says_what_it_rests_on)
{
	_sbuf_ struct sbuf out = SBUF_INIT(1 << 20);
	struct example e;

	example_open(&e, 5);
	render(&e.snapshot, &(struct table_style){ .width = 80 }, &out);
	cr_assert(example_has(out.text, "\nmeasured: package, dram; above idle"), "%s", out.text);

	e.snapshot.n_zones = 1;
	memset(e.snapshot.has_column, 0, sizeof(e.snapshot.has_column));
	example_zone(&e, 0, ZONE_PLATFORM, "0", COLUMN_PLATFORM);
	e.snapshot.zones[0].zone.quality = QUALITY_MODELLED;
	e.snapshot.zones[0].zone.error_ratio = 0.35;
	sbuf_reset(&out);
	render(&e.snapshot, &(struct table_style){ .width = 80 }, &out);
	cr_assert(example_has(out.text, "\nmodelled: platform ±35 %; above idle"), "%s", out.text);

	e.snapshot.n_zones = 0;
	memset(e.snapshot.has_column, 0, sizeof(e.snapshot.has_column));
	sbuf_reset(&out);
	render(&e.snapshot, &(struct table_style){ .width = 80 }, &out);
	cr_assert(example_has(out.text, "no energy source works here"), "%s", out.text);
	example_close(&e);
}

Test(table, hostile_characters_are_shown_not_sent)
{
	_sbuf_ struct sbuf out = SBUF_INIT(1 << 10);

	cells_put(&out, "a\033[2J\302\233\342\200\256b\xff\n", 80, CELLS_CUT);
	cr_assert(eq(str, out.text, "a\\x1b[2J\\x9b\\u202eb\xef\xbf\xbd\\x0a"));
	sbuf_reset(&out);
	cells_put(&out, "日本語です", 6, CELLS_LEFT);
	cr_assert(eq(str, out.text, "日本… "), "cut between characters, padded to width");
}

/* Reads one RFC 4180 field; what follows it. */
static const char *csv_field(const char *at, char *ret, size_t size)
{
	bool quoted = *at == '"';
	size_t n = 0;

	at += quoted;
	while (*at && n + 1 < size) {
		if (quoted && at[0] == '"' && at[1] != '"')
			break;
		if (!quoted && (*at == ',' || *at == '\r'))
			break;
		at += quoted && *at == '"';
		ret[n++] = *at++;
	}
	ret[n] = '\0';
	at += quoted;
	cr_assert(at[0] == ',' || at[0] == '\r', "a field ends where it should: %.20s", at);
	return at;
}

static uint64_t nano_of(const char *text)
{
	uint64_t nano = 0;

	for (; *text; text++) {
		if (*text != '.')
			nano = nano * 10 + (uint64_t)(*text - '0');
	}
	return nano;
}

Test(csv, rows_sum_to_their_zone)
{
	enum { TIME, KIND, ZONE = 8, JOULES = 10, FIELDS = 14 };

	for (uint64_t seed = 1; seed <= 30; seed++) {
		_sbuf_ struct sbuf out = SBUF_INIT(16 << 20);
		uint64_t node_nj = 0, owners_nj = 0;
		struct example e;
		const char *at;

		example_open(&e, seed);
		example_fill(&e, 60);
		for (size_t i = e.snapshot.n_accounts; i-- > 50;)
			example_fold(&e, i);
		cr_assert(eq(int, render_csv(&e.snapshot, &out), 0));
		for (at = strchr(out.text, '\n') + 1; *at; at += 2) {
			char fields[FIELDS][300];

			for (int i = 0; i < FIELDS; i++) {
				at = csv_field(at, fields[i], sizeof(fields[i]));
				at += i + 1 < FIELDS;
			}
			cr_assert(strncmp(at, "\r\n", 2) == 0, "%d fields a row", FIELDS);
			if (strcmp(fields[ZONE], "package"))
				continue;
			if (!strcmp(fields[KIND], "node"))
				node_nj += nano_of(fields[JOULES]);
			else
				owners_nj += nano_of(fields[JOULES]);
		}
		cr_assert(gt(u64, node_nj, 0));
		cr_assert(eq(u64, owners_nj, node_nj));
		example_close(&e);
	}
}
