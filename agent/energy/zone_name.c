/* SPDX-License-Identifier: Apache-2.0 */
#include "energy/zone_name.h"

#include <errno.h>
#include <string.h>

#include "platform/scope.h"

/* More than any machine has; it keeps "9999-die-9999" within zone.device. */
#define MAX_DIGITS 4

/* Takes the number at *text; -1 when there is none or it is longer than a machine can be. */
static int take_number(const char **text)
{
	int value = 0, digits = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++) {
		if (++digits > MAX_DIGITS)
			return -1;
		value = value * 10 + (**text - '0');
	}
	return digits ? value : -1;
}

static bool take_word(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len) != 0)
		return false;
	*text += len;
	return true;
}

/* sysfs ends its words with one newline; anything behind it is not a name. */
static bool at_end(const char *text)
{
	return !*text || (text[0] == '\n' && !text[1]);
}

int zone_dir_parse(const char *text, struct zone_dir *ret)
{
	struct zone_dir dir = { .sub = -1 };
	int index;

	if (take_word(&text, "intel-rapl-mmio:"))
		dir.mmio = true;
	else if (!take_word(&text, "intel-rapl:"))
		return -EINVAL;
	index = take_number(&text);
	if (index < 0)
		return -EINVAL;
	dir.index = (unsigned int)index;
	if (take_word(&text, ":")) {
		dir.sub = take_number(&text);
		if (dir.sub < 0)
			return -EINVAL;
	}
	if (*text)
		return -EINVAL;

	*ret = dir;
	return 0;
}

int zone_name_parse(const char *text, struct zone_name *ret)
{
	static const struct {
		const char *word;
		enum zone_kind kind;
	} plain[] = {
		{ "core", ZONE_CORE },
		{ "uncore", ZONE_UNCORE },
		{ "dram", ZONE_DRAM },
		{ "psys", ZONE_PSYS },
	};
	struct zone_name name = { .kind = ZONE_PACKAGE, .package = -1, .die = -1 };

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		const char *rest = text;

		if (take_word(&rest, plain[i].word) && at_end(rest)) {
			name.kind = plain[i].kind;
			*ret = name;
			return 0;
		}
	}

	if (!take_word(&text, "package-"))
		return -EINVAL;
	name.package = take_number(&text);
	if (name.package < 0)
		return -EINVAL;
	if (take_word(&text, "-die-")) {
		name.die = take_number(&text);
		if (name.die < 0)
			return -EINVAL;
	}
	if (!at_end(text))
		return -EINVAL;

	*ret = name;
	return 0;
}

uint64_t zone_wrap_uj(uint64_t max_energy_range_uj)
{
	const uint64_t last = UINT32_MAX;

	/* RAPL units are 2^-n J: 1 J (psys of Sapphire Rapids) down to 2^-20 J.  The kernel keeps
	 * them in whole nanojoules or picojoules, so 65 712 999 613 is 15.300 and not 15.259 uJ:
	 * half a percent of difference is still that unit. */
	for (unsigned int n = 0; n <= 20; n++) {
		uint64_t range = (uint64_t)((double)last * 1e6 / (double)(1u << n));

		if (max_energy_range_uj > range - range / 200 &&
		    max_energy_range_uj < range + range / 200)
			return max_energy_range_uj +
			       MAX((max_energy_range_uj + last / 2) / last, 1u);
	}
	/* 0: no range is known, and 2^64 has no successor. */
	if (!max_energy_range_uj || max_energy_range_uj == UINT64_MAX)
		return 0;
	return max_energy_range_uj + 1;
}
