/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/family.h"

#include <stdio.h>

#include "platform/scope.h"

static const struct {
	const char *name, *unit, *help;
	enum metric_type type;
	enum metric_level level;
} families[] = {
#define X(id, l, n, t, u, h)                                                                       \
	[FAMILY_##id] = { .name = n, .type = METRIC_##t, .unit = u, .help = h, .level = LEVEL_##l },
	METRIC_FAMILIES(X)
#undef X
};
_Static_assert(ARRAY_SIZE(families) == _FAMILY_MAX, "every family is described");

const char *metric_level_name(enum metric_level level)
{
	static const char *const names[] = {
#define X(level) [LEVEL_##level] = #level,
		METRIC_LEVELS(X)
#undef X
	};

	return names[level];
}

static const char *suffix_of(enum metric_type type)
{
	switch (type) {
	case METRIC_counter:
		return "_total";
	case METRIC_info:
		return "_info";
	default:
		return "";
	}
}

void family_suffix(struct page *page, const char *suffix)
{
	page->name_len = (size_t)snprintf(page->name, sizeof(page->name), "%s%s",
					  families[page->family].name,
					  suffix ? suffix : suffix_of(families[page->family].type));
}

void family_open(struct page *page, enum family id)
{
	page->family = id;
	page->begun = false;
	family_suffix(page, NULL);
}

static void begin(struct page *page)
{
	static const char *const types[] = {
		[METRIC_counter] = "counter",
		[METRIC_gauge] = "gauge",
		[METRIC_info] = "info",
		[METRIC_histogram] = "histogram",
	};
	enum metric_type type = families[page->family].type;
	const char *suffix = page->open_metrics ? "" : suffix_of(type);
	const char *name = families[page->family].name;
	const char *word = !page->open_metrics && type == METRIC_info ? "gauge" : types[type];

	page->begun = true;
	sbuf_printf(page->out, "# HELP %s%s %s\n", name, suffix, families[page->family].help);
	sbuf_printf(page->out, "# TYPE %s%s %s\n", name, suffix, word);
	if (page->open_metrics && *families[page->family].unit)
		sbuf_printf(page->out, "# UNIT %s %s\n", name, families[page->family].unit);
}

void sample_begin(struct page *page)
{
	if (!page->begun)
		begin(page);
	page->series[families[page->family].level]++;
	page->labels = 0;
	sbuf_append(page->out, page->name, page->name_len);
}

void sample_label(struct page *page, const char *name, const char *value)
{
	sbuf_putc(page->out, page->labels++ ? ',' : '{');
	sbuf_puts(page->out, name);
	sbuf_puts(page->out, "=\"");
	sbuf_label(page->out, value);
	sbuf_putc(page->out, '"');
}

void sample_label_u64(struct page *page, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	sample_label(page, name, text);
}

void sample_labels(struct page *page, const char *text, size_t len)
{
	sbuf_putc(page->out, page->labels++ ? ',' : '{');
	sbuf_append(page->out, text, len);
}

static void before_value(struct page *page)
{
	sbuf_puts(page->out, page->labels ? "} " : " ");
}

void sample_u64(struct page *page, uint64_t value)
{
	before_value(page);
	sbuf_u64(page->out, value);
	sbuf_putc(page->out, '\n');
}

void sample_nano(struct page *page, nj_t nano)
{
	before_value(page);
	sbuf_nano(page->out, nano);
	sbuf_putc(page->out, '\n');
}

void sample_double(struct page *page, double value)
{
	before_value(page);
	sbuf_double(page->out, value);
	sbuf_putc(page->out, '\n');
}
