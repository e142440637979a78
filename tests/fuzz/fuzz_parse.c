/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What parse.c accepts can be printed and parsed back; what it refuses leaves no trace.  The first
 * byte picks the function, the rest is its text.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "platform/parse.h"
#include "platform/sbuf.h"

#define UNTOUCHED UINT64_C(0x5ca1ab1e5ca1ab1e)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): the law must hold in every build. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check_number(int (*parse)(const char *text, uint64_t *ret), const char *text,
			 const char *unit)
{
	uint64_t value = UNTOUCHED, again = UNTOUCHED;
	char printed[32];

	if (parse(text, &value) < 0) {
		MUST(value == UNTOUCHED);
		return;
	}
	snprintf(printed, sizeof(printed), "%" PRIu64 "%s", value, unit);
	MUST(parse(printed, &again) == 0);
	MUST(again == value);
}

static void check_double(const char *text)
{
	_sbuf_ struct sbuf printed = SBUF_INIT(64);
	double value = 123.25, again = 0;

	if (parse_double(text, &value) < 0) {
		MUST(value == 123.25);
		return;
	}
	MUST(value - value == 0);
	sbuf_double(&printed, value);
	MUST(!printed.error && parse_double(printed.text, &again) == 0);
	MUST(again == value);
}

static void check_bool(const char *text)
{
	bool yes = true, no = false, understood = parse_bool(text, &yes);

	MUST(parse_bool(text, &no) == understood);
	MUST(understood ? yes == no : yes && !no);
}

/* "key\0text" */
static void check_flat_keyed(const char *text, size_t size)
{
	size_t key_len = strlen(text);
	const char *rest = key_len < size ? text + key_len + 1 : "";
	_sbuf_ struct sbuf line = SBUF_INIT(1 << 20);
	uint64_t value = UNTOUCHED, again = UNTOUCHED;

	if (parse_flat_keyed(rest, text, &value) < 0) {
		MUST(value == UNTOUCHED);
		return;
	}
	sbuf_printf(&line, "%s %" PRIu64 "\n%s", text, value, rest);
	MUST(line.error || parse_flat_keyed(line.text, text, &again) == 0);
	MUST(line.error || again == value);
}

struct cpus {
	struct sbuf list;
	unsigned int n, next;
};

static void note_cpu(unsigned int cpu, void *ctx)
{
	struct cpus *cpus = ctx;

	MUST(cpu < 8192 && cpu >= cpus->next);
	cpus->next = cpu + 1;
	sbuf_printf(&cpus->list, "%s%u", cpus->n++ ? "," : "", cpu);
}

static void check_cpulist(const char *text)
{
	struct cpus first = { .list = SBUF_INIT(1 << 20) }, second = { .list = SBUF_INIT(1 << 20) };

	if (parse_cpulist(text, note_cpu, &first) < 0) {
		MUST(first.n == 0);
	} else if (first.n) {
		MUST(parse_cpulist(first.list.text, note_cpu, &second) == 0);
		MUST(first.n == second.n && !strcmp(first.list.text, second.list.text));
	}
	sbuf_free(&first.list);
	sbuf_free(&second.list);
}

static void check_address(const char *text)
{
	char host[64] = "untouched", again[64] = "", printed[96];
	uint16_t port = 7, port_again = 0;

	if (parse_address(text, host, sizeof(host), &port) < 0) {
		MUST(!strcmp(host, "untouched") && port == 7);
		return;
	}
	MUST(strlen(host) < sizeof(host));
	snprintf(printed, sizeof(printed), strpbrk(host, ":%") ? "[%s]:%u" : "%s:%u", host, port);
	MUST(parse_address(printed, again, sizeof(again), &port_again) == 0);
	MUST(!strcmp(host, again) && port == port_again);
}

static const char *const names[] = { "bpf", "cgroup", "proc", "x" };

static int note_name(size_t index, void *ctx)
{
	struct sbuf *list = ctx;

	MUST(index < ARRAY_SIZE(names));
	sbuf_printf(list, "%s%s", list->len ? "," : "", names[index]);
	return 0;
}

static void check_list(const char *text)
{
	_sbuf_ struct sbuf list = SBUF_INIT(1 << 20);
	char bad[8] = "?";

	if (parse_list(text, names, ARRAY_SIZE(names), note_name, &list, bad, sizeof(bad)) < 0) {
		MUST(list.len == 0);
		MUST(strlen(bad) < sizeof(bad) && strstr(text, bad));
		return;
	}
	MUST(!strcmp(bad, "?"));
	MUST(list.error || !strcmp(list.text, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_free_ char *text = NULL;

	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';

	switch (data[0] % 9) {
	case 0:
		check_number(parse_u64, text, "");
		break;
	case 1:
		check_number(parse_duration_ns, text, "ns");
		break;
	case 2:
		check_number(parse_size, text, "");
		break;
	case 3:
		check_double(text);
		break;
	case 4:
		check_bool(text);
		break;
	case 5:
		check_flat_keyed(text, size - 1);
		break;
	case 6:
		check_cpulist(text);
		break;
	case 7:
		check_address(text);
		break;
	default:
		check_list(text);
		break;
	}
	return 0;
}
