/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells: text for a terminal, counted in columns.  Names that we did not write cannot move the
 * cursor, change colours or turn the line around: such characters are shown as \x1b or \u202e.
 * Pure.
 */
#ifndef PODJOULE_CELLS_H
#define PODJOULE_CELLS_H

#include <stdint.h>

#include "platform/sbuf.h"

/* CUT: as LEFT, without padding.  MIDDLE: as LEFT, but what does not fit is cut out of the middle.
 */
enum cells_align { CELLS_CUT, CELLS_LEFT, CELLS_RIGHT, CELLS_MIDDLE };

/* At most width columns of text, "…" where it did not fit, padded with spaces. */
int cells_put(struct sbuf *out, const char *text, unsigned int width, enum cells_align align);
unsigned int cells_width(const char *text);
/* A bar of width columns of which part (0..1) is filled, in eighths of a column. */
int cells_bar(struct sbuf *out, double part, unsigned int width);
/* Right-aligned: three decimals while they fit, then none, then an exponent. */
int cells_number(struct sbuf *out, double value, unsigned int width);
int cells_percent(struct sbuf *out, double part, unsigned int width); /* < 0: "-" */
int cells_count(struct sbuf *out, uint64_t count, unsigned int width);

#endif
