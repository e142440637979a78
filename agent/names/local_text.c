/* SPDX-License-Identifier: Apache-2.0 */
#include "names/local_text.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_hex_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_label_of(const char *text, size_t len, size_t max)
{
	if (!len || len > max || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_lower(text[i]) && !is_digit(text[i]) && text[i] != '-')
			return false;
	return true;
}

bool text_is_label(const char *text, size_t len)
{
	return is_label_of(text, len, TEXT_MAX_LABEL);
}

bool text_is_subdomain(const char *text, size_t len)
{
	size_t start = 0;

	if (len > TEXT_MAX_SUBDOMAIN)
		return false;
	/* Only the whole has a limit: Kubernetes takes a label of 253. */
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '.')
			continue;
		if (!is_label_of(text + start, i - start, TEXT_MAX_SUBDOMAIN))
			return false;
		start = i + 1;
	}
	return is_label_of(text + start, len - start, TEXT_MAX_SUBDOMAIN);
}

bool text_is_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_hex_digit(text[i]))
			return false;
	return true;
}

bool text_is_uid(const char *text, size_t len)
{
	if (len == 32)
		return text_is_hex(text, len);
	if (len != TEXT_MAX_UID)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		/* Cgroup paths are read with capitals in them, too. */
		if (is_dash ? text[i] != '-'
			    : !is_hex_digit(text[i]) && !(text[i] >= 'A' && text[i] <= 'F'))
			return false;
	}
	return true;
}

bool text_is_plain(const char *text, size_t len, size_t max)
{
	if (!len || len > max || text[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!is_lower(c) && !is_digit(c) && !(c >= 'A' && c <= 'Z') && c != '_' &&
		    c != '.' && c != '-')
			return false;
	}
	return true;
}
