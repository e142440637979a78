/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/cells.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "expose/utf8.h"

struct range {
	uint32_t first, last;
};

/* Control and format characters: C0, C1, soft hyphen, bidirectional marks, tags. */
static const struct range unsafe[] = {
	{ 0x0, 0x1f },      { 0x7f, 0x9f },     { 0xad, 0xad },       { 0x61c, 0x61c },
	{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },   { 0x2060, 0x206f },
	{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
};
/* Marks that stand on the character before them. */
static const struct range narrow[] = {
	{ 0x300, 0x36f },
	{ 0x1ab0, 0x1aff },
	{ 0x20d0, 0x20ff },
	{ 0xfe00, 0xfe0f },
};
/* Two columns on every terminal (East Asian Wide, emoji). */
static const struct range wide[] = {
	{ 0x1100, 0x115f }, { 0x2e80, 0xa4cf },   { 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff }, { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 }, { 0x1f300, 0x1faff }, { 0x20000, 0x3fffd },
};

static bool in_ranges(const struct range *ranges, size_t n, uint32_t code)
{
	for (size_t i = 0; i < n; i++) {
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	}
	return false;
}

/* One character as it will be shown: its bytes, how many it stands for, and its columns. */
struct cell {
	char text[16];
	size_t taken;
	unsigned int width;
};

static void next_cell(const char *text, struct cell *ret)
{
	uint32_t code;

	ret->taken = utf8_next(text, &code);
	if (code >= 0x20 && code < 0x7f) {
		ret->text[0] = (char)code;
		ret->text[1] = '\0';
		ret->width = 1;
		return;
	}
	if (in_ranges(unsafe, ARRAY_SIZE(unsafe), code)) {
		if (code < 0x100)
			snprintf(ret->text, sizeof(ret->text), "\\x%02x", code);
		else
			snprintf(ret->text, sizeof(ret->text), "\\u%04x", code);
		ret->width = (unsigned int)strlen(ret->text);
		return;
	}
	if (code == UTF8_REPLACEMENT)
		snprintf(ret->text, sizeof(ret->text), "\xef\xbf\xbd");
	else
		snprintf(ret->text, sizeof(ret->text), "%.*s", (int)ret->taken, text);
	ret->width = 1;
	if (in_ranges(wide, ARRAY_SIZE(wide), code))
		ret->width = 2;
	else if (in_ranges(narrow, ARRAY_SIZE(narrow), code))
		ret->width = 0;
}

unsigned int cells_width(const char *text)
{
	unsigned int width = 0;
	struct cell cell;

	for (; *text; text += cell.taken) {
		next_cell(text, &cell);
		width += cell.width;
	}
	return width;
}

static void pad(struct sbuf *out, unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		sbuf_putc(out, ' ');
}

/* The first columns of text that fit into room; how many. */
static unsigned int put_head(struct sbuf *out, const char *text, unsigned int room)
{
	unsigned int used = 0;
	struct cell cell;

	for (; *text; text += cell.taken) {
		next_cell(text, &cell);
		if (used + cell.width > room)
			break;
		sbuf_puts(out, cell.text);
		used += cell.width;
	}
	return used;
}

/* The last columns of a text of full columns that fit into room; how many. */
static unsigned int put_tail(struct sbuf *out, const char *text, unsigned int full,
			     unsigned int room)
{
	struct cell cell;

	for (; *text && full > room; text += cell.taken) {
		next_cell(text, &cell);
		full -= cell.width;
	}
	return put_head(out, text, room);
}

int cells_put(struct sbuf *out, const char *text, unsigned int width, enum cells_align align)
{
	unsigned int full = cells_width(text), used;
	unsigned int room = full <= width || !width ? width : width - 1;
	unsigned int tail = align == CELLS_MIDDLE && full > width ? room / 2 : 0;

	if (align == CELLS_RIGHT)
		pad(out, full, width);
	used = put_head(out, text, room - tail);
	if (full > width && width) {
		sbuf_puts(out, "…");
		used++;
	}
	if (tail)
		used += put_tail(out, text, full, tail);
	if (align == CELLS_LEFT || align == CELLS_MIDDLE)
		pad(out, used, width);
	return out->error;
}

int cells_bar(struct sbuf *out, double part, unsigned int width)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	unsigned int filled, used;

	if (!(part > 0))
		part = 0;
	filled = (unsigned int)((part < 1 ? part : 1) * width * 8 + 0.5);
	for (used = 0; used < filled / 8; used++)
		sbuf_puts(out, "█");
	if (filled % 8) {
		sbuf_puts(out, eighths[filled % 8]);
		used++;
	}
	pad(out, used, width);
	return out->error;
}

int cells_number(struct sbuf *out, double value, unsigned int width)
{
	char text[400]; /* DBL_MAX has 309 digits before its point */

	snprintf(text, sizeof(text), "%.3f", value);
	if (strlen(text) >= width)
		snprintf(text, sizeof(text), "%.0f", value);
	if (strlen(text) >= width)
		snprintf(text, sizeof(text), "%.1e", value);
	return cells_put(out, text, width, CELLS_RIGHT);
}

int cells_percent(struct sbuf *out, double part, unsigned int width)
{
	char text[32] = "-";

	if (part >= 0)
		snprintf(text, sizeof(text), part < 0.9995 ? "%.1f%%" : "%.0f%%", 100 * part);
	return cells_put(out, text, width, CELLS_RIGHT);
}

int cells_count(struct sbuf *out, uint64_t count, unsigned int width)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, count);
	if (strlen(text) >= width)
		snprintf(text, sizeof(text), "%.2e", (double)count);
	return cells_put(out, text, width, CELLS_RIGHT);
}
