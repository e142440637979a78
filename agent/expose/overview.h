/* SPDX-License-Identifier: Apache-2.0 */
/* Overview: the node's part of the table: what it is, its zones, what the numbers rest on.  Pure.
 */
#ifndef PODJOULE_OVERVIEW_H
#define PODJOULE_OVERVIEW_H

#include "expose/render.h"

#define COLOUR_BOLD   "\033[1m"
#define COLOUR_DIM    "\033[2m"
#define COLOUR_GREEN  "\033[32m"
#define COLOUR_YELLOW "\033[33m"
#define COLOUR_PLAIN  "\033[0m"

struct overview {
	const struct snapshot *snapshot;
	const struct table_style *style;
	unsigned int width;
	struct sbuf *out;
};

void overview_head(const struct overview *overview);
void overview_zones(const struct overview *overview);
void overview_foot(const struct overview *overview);
/* A text that was put together in a buffer of its own, or "": then the table has its error. */
const char *overview_text(const struct overview *overview, const struct sbuf *text);
/* An ANSI sequence, if the style wants colour. */
void overview_colour(const struct overview *overview, const char *code);

#endif
