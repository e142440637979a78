/* SPDX-License-Identifier: Apache-2.0 */
/* The two notations that Kubernetes puts into strings: quantities and times. */
#include <stdbool.h>
#include <string.h>

#include "names/kube_pod.h"
#include "platform/scope.h"

#define MAX_DIGITS 18 /* of a mantissa; what is behind them only rounds up */
#define FAR        64 /* powers of ten that nothing comes back from */

typedef unsigned __int128 u128;

struct decimal {
	u128 mantissa;
	int exponent;
	bool more; /* digits that were not kept, and were not 0 */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "12.5" and what is behind it; false: no digit at all. */
static bool read_digits(const char **at, struct decimal *ret)
{
	bool fraction = false, any = false;
	int kept = 0;

	*ret = (struct decimal){ 0 };
	for (; is_digit(**at) || (**at == '.' && !fraction); (*at)++) {
		if (**at == '.') {
			fraction = true;
			continue;
		}
		any = true;
		if (kept < MAX_DIGITS) {
			ret->mantissa = ret->mantissa * 10 + (unsigned int)(**at - '0');
			kept += ret->mantissa != 0;
			ret->exponent -= fraction;
		} else {
			ret->more |= **at != '0';
			ret->exponent += !fraction;
		}
		ret->exponent = MIN(MAX(ret->exponent, -2 * FAR), 2 * FAR);
	}
	return any;
}

/* "e3", "E-3"; "E" alone is a suffix. */
static void read_exponent(const char **at, int *exponent)
{
	const char *digits = *at;
	bool negative;
	int value = 0;

	if (*digits != 'e' && *digits != 'E')
		return;
	digits++;
	negative = *digits == '-';
	digits += negative || *digits == '+';
	if (!is_digit(*digits))
		return;
	for (; is_digit(*digits); digits++)
		value = MIN(value * 10 + (*digits - '0'), 4 * FAR);
	*exponent += negative ? -value : value;
	*at = digits;
}

static bool read_suffix(const char *suffix, struct decimal *number)
{
	static const char decimal[] = "num kMGTPE", binary[] = "KMGTPE";
	const char *found;

	if (!*suffix)
		return true;
	if (suffix[1] == 'i' && !suffix[2]) {
		found = strchr(binary, suffix[0]);
		for (int i = 0; found && i <= found - binary; i++)
			number->mantissa *= 1024;
		return found;
	}
	found = suffix[0] != ' ' && !suffix[1] ? strchr(decimal, suffix[0]) : NULL;
	if (found)
		number->exponent += 3 * ((int)(found - decimal) - 3);
	return found;
}

uint32_t kube_cpu_milli(const char *quantity)
{
	const char *at = quantity + (*quantity == '+');
	struct decimal number;

	if (!read_digits(&at, &number))
		return 0;
	read_exponent(&at, &number.exponent);
	if (!read_suffix(at, &number))
		return 0;
	for (number.exponent += 3; number.exponent > 0 && number.mantissa; number.exponent--) {
		if (number.mantissa > UINT32_MAX)
			return UINT32_MAX;
		number.mantissa *= 10;
	}
	for (; number.exponent < 0 && number.mantissa; number.exponent++) {
		number.more |= number.mantissa % 10 != 0;
		number.mantissa /= 10;
	}
	number.mantissa += number.more;
	return (uint32_t)MIN(number.mantissa, (u128)UINT32_MAX);
}

/* n digits; -1: there are not so many. */
static int take_number(const char **at, int n)
{
	int value = 0;

	for (; n; n--, (*at)++) {
		if (!is_digit(**at))
			return -1;
		value = value * 10 + (**at - '0');
	}
	return value;
}

static bool take(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01, of a year from then on. */
static int64_t count_days(int year, int month, int day)
{
	int before = year - 1;
	int64_t days = 365LL * (year - 1970) + (before / 4 - before / 100 + before / 400) - 477;

	for (int i = 1; i < month; i++)
		days += days_in(year, i);
	return days + day - 1;
}

/* "Z", or "+02:00" in seconds; false: neither. */
static bool take_zone(const char **at, int *ret_s)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	*ret_s = 0;
	if (take(at, 'Z'))
		return true;
	if (!take(at, '+') && !take(at, '-'))
		return false;
	hours = take_number(at, 2);
	if (hours < 0 || hours > 23 || !take(at, ':'))
		return false;
	minutes = take_number(at, 2);
	*ret_s = sign * (hours * 3600 + minutes * 60);
	return minutes >= 0 && minutes <= 59;
}

uint64_t kube_time_ns(const char *text)
{
	static const char after[] = { '-', '-', 'T', ':', ':' };
	static const int width[] = { 4, 2, 2, 2, 2, 2 };
	int part[6], zone_s;
	int64_t seconds;

	for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
		part[i] = take_number(&text, width[i]);
		if (part[i] < 0 || (i < ARRAY_SIZE(after) && !take(&text, after[i])))
			return 0;
	}
	/* The years that 64 bits of nanoseconds hold. */
	if (part[0] < 1970 || part[0] > 2500 || part[1] < 1 || part[1] > 12 || part[2] < 1 ||
	    part[2] > days_in(part[0], part[1]) || part[3] > 23 || part[4] > 59 || part[5] > 59)
		return 0;
	if (!take_zone(&text, &zone_s) || *text)
		return 0;
	seconds = count_days(part[0], part[1], part[2]) * 86400 + part[3] * 3600 + part[4] * 60 +
		  part[5] - zone_s;
	return seconds > 0 ? (uint64_t)seconds * 1000000000u : 0;
}
