/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/json.h"

#include <math.h>
#include <time.h>

#include "expose/render.h"

#define NS_PER_SECOND 1000000000u

void json_item(struct json *json)
{
	if (json->follows)
		sbuf_putc(json->out, ',');
	json->follows = true;
}

void json_key(struct json *json, const char *name)
{
	json_item(json);
	sbuf_putc(json->out, '"');
	sbuf_puts(json->out, name); /* our own words: nothing to escape */
	sbuf_puts(json->out, "\":");
}

void json_open(struct json *json, char bracket)
{
	sbuf_putc(json->out, bracket);
	json->follows = false;
}

void json_close(struct json *json, char bracket)
{
	sbuf_putc(json->out, bracket);
	json->follows = true;
}

void json_text(struct json *json, const char *name, const char *text)
{
	json_key(json, name);
	sbuf_json(json->out, text);
}

void json_null(struct json *json, const char *name)
{
	json_key(json, name);
	sbuf_puts(json->out, "null");
}

void json_bool(struct json *json, const char *name, bool value)
{
	json_key(json, name);
	sbuf_puts(json->out, value ? "true" : "false");
}

void json_u64(struct json *json, const char *name, uint64_t value)
{
	json_key(json, name);
	sbuf_u64(json->out, value);
}

void json_nano(struct json *json, const char *name, nj_t nano)
{
	json_key(json, name);
	sbuf_nano(json->out, nano);
}

void json_double(struct json *json, const char *name, double value)
{
	json_key(json, name);
	if (isfinite(value))
		sbuf_double(json->out, value);
	else
		sbuf_puts(json->out, "null");
}

void json_time(struct json *json, const char *name, uint64_t wall_ns)
{
	json_key(json, name);
	sbuf_putc(json->out, '"');
	render_time(json->out, wall_ns);
	sbuf_putc(json->out, '"');
}

void json_moment(struct json *json, const char *name, uint64_t t_ns)
{
	const struct snapshot *s = json->snapshot;

	if (t_ns)
		json_time(json, name, s->wall_ns - (s->t_ns - MIN(s->t_ns, t_ns)));
	else
		json_null(json, name);
}

void json_joules(struct json *json, const char *name, const nj_t *nj)
{
	json_key(json, name);
	json_open(json, '{');
	for (int c = 0; c < _COLUMN_MAX; c++) {
		if (json->snapshot->has_column[c])
			json_nano(json, column_name(c), nj[c]);
	}
	json_close(json, '}');
}

void json_stddev(struct json *json, const char *name, const double *variance_nj2)
{
	json_key(json, name);
	json_open(json, '{');
	for (int c = 0; c < _COLUMN_MAX; c++) {
		if (json->snapshot->has_column[c])
			json_double(json, column_name(c),
				    sqrt(fmax(0, variance_nj2[c])) / NS_PER_SECOND);
	}
	json_close(json, '}');
}

int render_time(struct sbuf *out, uint64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / NS_PER_SECOND);
	struct tm tm = { 0 };

	gmtime_r(&seconds, &tm);
	return sbuf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ", tm.tm_year + 1900,
			   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			   (unsigned int)(wall_ns % NS_PER_SECOND));
}
