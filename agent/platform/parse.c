/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/parse.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/scope.h"

#define CPU_LIMIT 8192 /* more than any kernel is built for */

struct suffix {
	const char *name;
	uint64_t factor;
};

/* The locale that isdigit() and friends ask does not matter here. */
static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* Blanks and one newline, and then nothing. */
static bool is_end(const char *s)
{
	s = skip_blanks(s);
	if (*s == '\n')
		s++;
	return *s == '\0';
}

/* At least one digit, as many as there are; *s is left behind the last. */
static int take_u64(const char **s, uint64_t *ret)
{
	uint64_t value = 0;
	bool overflow = false;

	if (!is_digit(**s))
		return -EINVAL;
	for (; is_digit(**s); ++*s) {
		overflow |= __builtin_mul_overflow(value, 10, &value);
		overflow |= __builtin_add_overflow(value, (uint64_t)(**s - '0'), &value);
	}
	if (overflow)
		return -ERANGE;

	*ret = value;
	return 0;
}

int parse_u64(const char *text, uint64_t *ret)
{
	uint64_t value = 0;
	int r;

	text = skip_blanks(text);
	r = take_u64(&text, &value);
	if (r == -EINVAL || !is_end(text))
		return -EINVAL;
	if (r < 0)
		return r;

	*ret = value;
	return 0;
}

/* [+-] digits [. digits] [e [+-] digits], nothing of strtod's hex, inf and nan. */
static const char *skip_decimal(const char *s)
{
	size_t digits = 0;

	if (*s == '+' || *s == '-')
		s++;
	for (; is_digit(*s); s++)
		digits++;
	if (*s == '.')
		for (s++; is_digit(*s); s++)
			digits++;
	if (!digits)
		return NULL;
	if (*s == 'e' || *s == 'E') {
		s++;
		if (*s == '+' || *s == '-')
			s++;
		if (!is_digit(*s))
			return NULL;
		while (is_digit(*s))
			s++;
	}
	return s;
}

int parse_double(const char *text, double *ret)
{
	const char *end;
	double value;

	text = skip_blanks(text);
	end = skip_decimal(text);
	if (!end || !is_end(end))
		return -EINVAL;
	/* glibc hands out its one C locale here: nothing is allocated, nothing to free. */
	value = strtod_l(text, NULL, newlocale(LC_ALL_MASK, "C", (locale_t)0));
	if (!isfinite(value))
		return -ERANGE;

	*ret = value;
	return 0;
}

static const struct suffix *find_suffix(const char *name, const struct suffix *suffixes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, suffixes[i].name))
			return &suffixes[i];
	return NULL;
}

/* "1.5s" is 1 and 5 tenths: *ret_digits and *ret_scale are 5 and 10. */
static int take_fraction(const char **s, uint64_t *ret_digits, uint64_t *ret_scale)
{
	uint64_t digits = 0, scale = 1;

	if (**s == '.') {
		++*s;
		if (!is_digit(**s))
			return -EINVAL;
		for (; is_digit(**s); ++*s) {
			if (scale >= 1000000000000000000u)
				return -EINVAL;
			digits = digits * 10 + (uint64_t)(**s - '0');
			scale *= 10;
		}
	}

	*ret_digits = digits;
	*ret_scale = scale;
	return 0;
}

int parse_duration_ns(const char *text, uint64_t *ret)
{
	static const struct suffix units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", 60000000000 },
		{ "h", 3600000000000 },
		{ "d", 86400000000000 },
	};
	uint64_t whole = 0, digits, scale, value;
	unsigned __int128 part;
	const struct suffix *unit;
	int r;

	r = take_u64(&text, &whole);
	if (r == -EINVAL || take_fraction(&text, &digits, &scale) < 0)
		return -EINVAL;
	unit = find_suffix(text, units, ARRAY_SIZE(units));
	if (!unit)
		return -EINVAL;
	if (r < 0)
		return r;

	/* A fraction of a nanosecond is refused, not rounded. */
	part = (unsigned __int128)digits * unit->factor;
	if (part % scale)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit->factor, &value) ||
	    __builtin_add_overflow(value, (uint64_t)(part / scale), &value))
		return -ERANGE;

	*ret = value;
	return 0;
}

int parse_size(const char *text, uint64_t *ret)
{
	static const struct suffix units[] = {
		{ "", 1 },          { "K", 1 << 10 }, { "KiB", 1 << 10 }, { "M", 1 << 20 },
		{ "MiB", 1 << 20 }, { "G", 1 << 30 }, { "GiB", 1 << 30 },
	};
	const struct suffix *unit;
	uint64_t value = 0;
	int r;

	r = take_u64(&text, &value);
	if (r == -EINVAL)
		return r;
	unit = find_suffix(text, units, ARRAY_SIZE(units));
	if (!unit)
		return -EINVAL;
	if (r < 0)
		return r;
	if (__builtin_mul_overflow(value, unit->factor, &value))
		return -ERANGE;

	*ret = value;
	return 0;
}

bool parse_bool(const char *text, bool *ret)
{
	static const char *const words[] = { "0", "1", "false", "true", "no", "yes" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(text, words[i])) {
			*ret = i & 1;
			return true;
		}
	}
	return false;
}

int parse_flat_keyed(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	if (!len)
		return -EINVAL;
	while (*text) {
		const char *line = text, *end = strchrnul(text, '\n');

		text = *end ? end + 1 : end;
		if (strncmp(line, key, len) || line[len] != ' ')
			continue;

		uint64_t value = 0;
		const char *s = skip_blanks(line + len);
		int r = take_u64(&s, &value);

		if (r == -EINVAL || skip_blanks(s) != end)
			return -EINVAL;
		if (r < 0)
			return r;
		*ret = value;
		return 0;
	}
	return -ENOENT;
}

/* One pass over "0-3,8": with each == NULL it only validates. */
static int walk_cpulist(const char *text, void (*each)(unsigned int cpu, void *ctx), void *ctx)
{
	uint64_t next = 0, first, last;

	text = skip_blanks(text);
	if (is_end(text))
		return 0; /* no CPU, as in /sys/devices/system/cpu/offline */
	for (;;) {
		if (take_u64(&text, &first) < 0)
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (take_u64(&text, &last) < 0)
				return -EINVAL;
		}
		if (first < next || last < first || last >= CPU_LIMIT)
			return -EINVAL;
		next = last + 1;
		for (uint64_t cpu = first; each && cpu <= last; cpu++)
			each((unsigned int)cpu, ctx);

		if (*text != ',')
			return is_end(text) ? 0 : -EINVAL;
		text++;
	}
}

int parse_cpulist(const char *text, void (*each)(unsigned int cpu, void *ctx), void *ctx)
{
	int r = walk_cpulist(text, NULL, NULL);

	return r < 0 ? r : walk_cpulist(text, each, ctx);
}

static bool is_host_char(char c, bool bracketed)
{
	if (is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-')
		return true;
	return bracketed ? c == ':' || c == '%' : c == '_';
}

int parse_address(const char *text, char *ret_host, size_t host_size, uint16_t *ret_port)
{
	bool bracketed = *text == '[';
	const char *host = text + bracketed, *end = host;
	uint64_t port = 0;
	size_t len;

	while (is_host_char(*end, bracketed))
		end++;
	len = (size_t)(end - host);
	if (len >= host_size)
		return -EINVAL;
	if (bracketed && (!len || *end++ != ']'))
		return -EINVAL;
	if (*end++ != ':')
		return -EINVAL;
	if (take_u64(&end, &port) < 0 || *end || port > UINT16_MAX)
		return -EINVAL;

	memcpy(ret_host, host, len);
	ret_host[len] = '\0';
	*ret_port = (uint16_t)port;
	return 0;
}

static size_t find_name(const char *word, size_t len, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], word, len))
			return i;
	return n;
}

int parse_list(const char *text, const char *const *names, size_t n,
	       int (*each)(size_t index, void *ctx), void *ctx, char *ret_bad, size_t bad_size)
{
	/* The first pass validates, so that nothing is called for a list that is refused. */
	for (int pass = 0; pass < 2; pass++) {
		for (const char *word = text;;) {
			size_t len = strcspn(word, ","), i = find_name(word, len, names, n);

			if (i == n) {
				snprintf(ret_bad, bad_size, "%.*s", (int)MIN(len, bad_size), word);
				return -EINVAL;
			}
			if (pass && each) {
				int r = each(i, ctx);

				if (r)
					return r;
			}
			if (!word[len])
				break;
			word += len + 1;
		}
	}
	return 0;
}
