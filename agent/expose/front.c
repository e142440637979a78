/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/front.h"

#include <string.h>

#include "expose/render.h"

#define FRONT_COLUMNS         110
#define FRONT_ROWS            50
#define FRONT_TABLE_MAX_BYTES (1u << 20)

static const char head_html[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<meta http-equiv=\"refresh\" content=\"5\">\n"
	"<link rel=\"icon\" href=\"data:,\">\n"
	"<title>podjoule</title>\n"
	"<style>\n"
	":root { color-scheme: light dark; }\n"
	"body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem;\n"
	"       padding: 0 1rem; }\n"
	"h1 { font-size: 1.4rem; margin: 0; }\n"
	"h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }\n"
	"p { margin: .25rem 0; }\n"
	"pre { font: .85rem/1.45 ui-monospace, monospace; overflow-x: auto; padding: 1rem;\n"
	"      border: 1px solid color-mix(in srgb, currentColor 25%, transparent);\n"
	"      border-radius: .5rem; }\n"
	"dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; }\n"
	"dd { margin: 0; }\n"
	"</style>\n"
	"</head>\n"
	"<body>\n"
	"<main>\n";

static const char tail_html[] =
	"</pre>\n"
	"<h2>Endpoints</h2>\n"
	"<dl>\n"
	"<dt><a href=\"/metrics\">/metrics</a></dt>\n"
	"<dd>for Prometheus: text 0.0.4 or OpenMetrics, by <code>Accept</code></dd>\n"
	"<dt><a href=\"/v1/snapshot\">/v1/snapshot</a></dt>\n"
	"<dd>everything since the start as JSON; <a href=\"/v1/snapshot?for=5s\">?for=5s</a> "
	"answers\n"
	"after five seconds with what they took</dd>\n"
	"<dt><a href=\"/healthz\">/healthz</a></dt>\n"
	"<dd>200 while samples keep coming</dd>\n"
	"<dt><a href=\"/readyz\">/readyz</a></dt>\n"
	"<dd>200 from the first sample on</dd>\n"
	"</dl>\n"
	"</main>\n"
	"</body>\n"
	"</html>\n";

/* Control characters other than line ends would make the HTML invalid: shown as U+FFFD. */
static void escape(struct sbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '&')
			sbuf_puts(out, "&amp;");
		else if (c == '<')
			sbuf_puts(out, "&lt;");
		else if (c == '>')
			sbuf_puts(out, "&gt;");
		else if (c == '"')
			sbuf_puts(out, "&quot;");
		else if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
			sbuf_puts(out, "\xef\xbf\xbd");
		else
			sbuf_putc(out, (char)c);
	}
}

int front_render(const struct snapshot *snapshot, struct sbuf *out)
{
	_sbuf_ struct sbuf table = SBUF_INIT(FRONT_TABLE_MAX_BYTES);
	const struct table_style style = { .width = FRONT_COLUMNS, .rows = FRONT_ROWS };
	const char *node = snapshot->facts->node;
	int r;

	r = render_table(snapshot, &style, &table);
	if (r < 0)
		return r;
	sbuf_puts(out, head_html);
	sbuf_puts(out, "<h1>podjoule on ");
	escape(out, node, strlen(node));
	sbuf_puts(out, "</h1>\n<p>Joules by workload since the agent started. This page reloads "
		       "every five seconds.</p>\n<pre>\n");
	escape(out, table.text ? table.text : "", table.len);
	sbuf_puts(out, tail_html);
	return out->error;
}
