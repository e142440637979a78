/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "platform/parse.h"
#include "platform/scope.h"
#include "unit/no_leaks.h"

TestSuite(parse, .fini = no_leaks);

#define UNTOUCHED UINT64_C(0x5ca1ab1e5ca1ab1e)

struct number_case {
	const char *text;
	int r;
	uint64_t want;
};

static void check_numbers(const struct number_case *cases, size_t n,
			  int (*parse)(const char *text, uint64_t *ret))
{
	for (size_t i = 0; i < n; i++) {
		uint64_t got = UNTOUCHED;

		cr_expect(eq(int, parse(cases[i].text, &got), cases[i].r), "'%s'", cases[i].text);
		cr_expect(eq(u64, got, cases[i].r ? UNTOUCHED : cases[i].want), "'%s'",
			  cases[i].text);
	}
}

Test(parse, takes_whole_numbers_and_nothing_else)
{
	static const struct number_case cases[] = {
		{ "0", 0, 0 },
		{ "00012", 0, 12 },
		{ " 7\n", 0, 7 },
		{ "\t7 \n", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999999", -ERANGE, 0 },
		{ "99999999999999999999999999x", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ " ", -EINVAL, 0 },
		{ "\n", -EINVAL, 0 },
		{ "\n7", -EINVAL, 0 },
		{ "7\n\n", -EINVAL, 0 },
		{ "-7", -EINVAL, 0 },
		{ "+7", -EINVAL, 0 },
		{ "0x7", -EINVAL, 0 },
		{ "7 8", -EINVAL, 0 },
		{ "7.0", -EINVAL, 0 },
		{ "max", -EINVAL, 0 },
	};

	check_numbers(cases, ARRAY_SIZE(cases), parse_u64);
}

Test(parse, takes_durations_to_the_nanosecond)
{
	static const struct number_case cases[] = {
		{ "500ms", 0, 500000000 },
		{ "10s", 0, 10000000000 },
		{ "1.5s", 0, 1500000000 },
		{ "0.000000001s", 0, 1 },
		{ "5m", 0, 300000000000 },
		{ "2h", 0, 7200000000000 },
		{ "1d", 0, 86400000000000 },
		{ "100us", 0, 100000 },
		{ "10ns", 0, 10 },
		{ "0s", 0, 0 },
		{ "213503d", 0, UINT64_C(213503) * 86400000000000 },
		{ "213504d", -ERANGE, 0 },
		{ "18446744073709551615ns", 0, UINT64_MAX },
		{ "18446744073.709551616s", -ERANGE, 0 },
		{ "18446744073709551616ns", -ERANGE, 0 },
		{ "18446744073709551616", -EINVAL, 0 },
		{ "0.5ns", -EINVAL, 0 },
		{ "1.0ns", 0, 1 },
		{ "10", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "1.s", -EINVAL, 0 },
		{ ".5s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "1s ", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1m30s", -EINVAL, 0 },
		{ "1.0000000000000000000s", -EINVAL, 0 },
	};

	check_numbers(cases, ARRAY_SIZE(cases), parse_duration_ns);
}

Test(parse, takes_sizes_in_powers_of_two)
{
	static const struct number_case cases[] = {
		{ "512", 0, 512 },
		{ "4KiB", 0, 4096 },
		{ "4K", 0, 4096 },
		{ "8MiB", 0, 8388608 },
		{ "8M", 0, 8388608 },
		{ "1GiB", 0, 1073741824 },
		{ "1G", 0, 1073741824 },
		{ "17179869183G", 0, UINT64_C(17179869183) << 30 },
		{ "17179869184G", -ERANGE, 0 },
		{ "1KB", -EINVAL, 0 },
		{ "1.5M", -EINVAL, 0 },
		{ "MiB", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "1 K", -EINVAL, 0 },
	};

	check_numbers(cases, ARRAY_SIZE(cases), parse_size);
}

Test(parse, takes_finite_decimals_only)
{
	static const struct {
		const char *text;
		int r;
		double want;
	} cases[] = {
		{ "1", 0, 1 },          { "-1.5", 0, -1.5 },     { "+2e3", 0, 2000 },
		{ " 0.25\n", 0, 0.25 }, { ".5", 0, 0.5 },        { "5.", 0, 5 },
		{ "1e-400", 0, 0 },     { "1e400", -ERANGE, 0 }, { "-1e400", -ERANGE, 0 },
		{ "nan", -EINVAL, 0 },  { "inf", -EINVAL, 0 },   { "0x10", -EINVAL, 0 },
		{ "1,5", -EINVAL, 0 },  { "1e", -EINVAL, 0 },    { "1e+", -EINVAL, 0 },
		{ ".", -EINVAL, 0 },    { "", -EINVAL, 0 },      { "--1", -EINVAL, 0 },
		{ "1 2", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double got = 123.25;

		cr_expect(eq(int, parse_double(cases[i].text, &got), cases[i].r), "'%s'",
			  cases[i].text);
		cr_expect(eq(dbl, got, cases[i].r ? 123.25 : cases[i].want), "'%s'", cases[i].text);
	}
}

Test(parse, knows_the_words_for_true_and_false)
{
	static const struct {
		const char *text;
		bool understood, want;
	} cases[] = {
		{ "1", true, true },       { "true", true, true },   { "yes", true, true },
		{ "0", true, false },      { "false", true, false }, { "no", true, false },
		{ "", false, false },      { "2", false, false },    { "TRUE", false, false },
		{ "true ", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int before = 0; before < 2; before++) {
			bool got = before;

			cr_expect(parse_bool(cases[i].text, &got) == cases[i].understood);
			cr_expect(got == (cases[i].understood ? cases[i].want : before), "'%s'",
				  cases[i].text);
		}
	}
}

Test(parse, finds_a_key_by_its_whole_name)
{
	static const char stat[] = "usage_usec 12\nuser_usec 5\nbad x\nbig 18446744073709551616\n"
				   "usage 7 \nlast 9";
	static const struct {
		const char *key;
		int r;
		uint64_t want;
	} cases[] = {
		{ "usage_usec", 0, 12 }, { "user_usec", 0, 5 },  { "usage", 0, 7 },
		{ "last", 0, 9 },        { "usec", -ENOENT, 0 }, { "usage_use", -ENOENT, 0 },
		{ "bad", -EINVAL, 0 },   { "big", -ERANGE, 0 },  { "", -EINVAL, 0 },
		{ "12", -ENOENT, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t got = UNTOUCHED;

		cr_expect(eq(int, parse_flat_keyed(stat, cases[i].key, &got), cases[i].r), "'%s'",
			  cases[i].key);
		cr_expect(eq(u64, got, cases[i].r ? UNTOUCHED : cases[i].want), "'%s'",
			  cases[i].key);
	}
}

struct seen {
	unsigned int cpus[64], n;
};

static void see(unsigned int cpu, void *ctx)
{
	struct seen *seen = ctx;

	if (seen->n < ARRAY_SIZE(seen->cpus))
		seen->cpus[seen->n] = cpu;
	seen->n++;
}

Test(parse, reads_cpu_lists_in_order_or_calls_nobody)
{
	static const struct {
		const char *text;
		int r;
		unsigned int n, first, last;
	} cases[] = {
		{ "0-3,8,10-11\n", 0, 7, 0, 11 },
		{ "5", 0, 1, 5, 5 },
		{ "8191", 0, 1, 8191, 8191 },
		{ "\n", 0, 0, 0, 0 },
		{ "", 0, 0, 0, 0 },
		{ "3-1", -EINVAL, 0, 0, 0 },
		{ "8192", -EINVAL, 0, 0, 0 },
		{ "0-8192", -EINVAL, 0, 0, 0 },
		{ "0,", -EINVAL, 0, 0, 0 },
		{ ",0", -EINVAL, 0, 0, 0 },
		{ "0-", -EINVAL, 0, 0, 0 },
		{ "0-3,2", -EINVAL, 0, 0, 0 },
		{ "1,1", -EINVAL, 0, 0, 0 },
		{ "0 1", -EINVAL, 0, 0, 0 },
		{ "0-1-2", -EINVAL, 0, 0, 0 },
		{ "99999999999999999999", -EINVAL, 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seen seen = { .n = 0 };

		cr_expect(eq(int, parse_cpulist(cases[i].text, see, &seen), cases[i].r), "'%s'",
			  cases[i].text);
		cr_expect(eq(uint, seen.n, cases[i].n), "'%s'", cases[i].text);
		for (unsigned int j = 1; j < seen.n; j++)
			cr_expect(gt(uint, seen.cpus[j], seen.cpus[j - 1]));
		if (seen.n) {
			cr_expect(eq(uint, seen.cpus[0], cases[i].first));
			cr_expect(eq(uint, seen.cpus[seen.n - 1], cases[i].last));
		}
	}
}

Test(parse, reads_addresses_with_and_without_a_host)
{
	static const struct {
		const char *text;
		int r;
		const char *host;
		uint16_t port;
	} cases[] = {
		{ "127.0.0.1:9713", 0, "127.0.0.1", 9713 },
		{ ":9713", 0, "", 9713 },
		{ "[::1]:80", 0, "::1", 80 },
		{ "[fe80::1%eth0]:80", 0, "fe80::1%eth0", 80 },
		{ "node_1.local:0", 0, "node_1.local", 0 },
		{ "a:65535", 0, "a", 65535 },
		{ "a:65536", -EINVAL, "", 0 },
		{ "a:", -EINVAL, "", 0 },
		{ "a", -EINVAL, "", 0 },
		{ "9713", -EINVAL, "", 0 },
		{ "::1:80", -EINVAL, "", 0 },
		{ "[::1]", -EINVAL, "", 0 },
		{ "[]:80", -EINVAL, "", 0 },
		{ "[::1:80", -EINVAL, "", 0 },
		{ "a:80 ", -EINVAL, "", 0 },
		{ "a b:80", -EINVAL, "", 0 },
		{ "http://a:80", -EINVAL, "", 0 },
		{ "", -EINVAL, "", 0 },
		{ "a-host-name-that-is-much-too-long:80", -EINVAL, "", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char host[24] = "untouched";
		uint16_t port = 7;

		cr_expect(eq(int, parse_address(cases[i].text, host, sizeof(host), &port),
			     cases[i].r),
			  "'%s'", cases[i].text);
		cr_expect(eq(str, host, (char *)(cases[i].r ? "untouched" : cases[i].host)));
		cr_expect(eq(u16, port, cases[i].r ? 7 : cases[i].port));
	}
}

static int note(size_t index, void *ctx)
{
	size_t *order = ctx;

	if (index == 2)
		return -EPERM;
	*order = *order * 10 + index + 1;
	return 0;
}

Test(parse, reads_word_lists_or_names_the_bad_word)
{
	static const char *const names[] = { "bpf", "cgroup", "proc" };
	static const struct {
		const char *text;
		int r;
		size_t order;
		const char *bad;
	} cases[] = {
		{ "bpf", 0, 1, "?" },
		{ "cgroup,bpf", 0, 21, "?" },
		{ "bpf,bpf", 0, 11, "?" },
		{ "bpf,proc", -EPERM, 1, "?" },
		{ "bpf,perf", -EINVAL, 0, "perf" },
		{ "bp", -EINVAL, 0, "bp" },
		{ "bpfx", -EINVAL, 0, "bpfx" },
		{ "", -EINVAL, 0, "" },
		{ "bpf,", -EINVAL, 0, "" },
		{ "bpf, cgroup", -EINVAL, 0, " cgroup" },
		{ "muchtoolong", -EINVAL, 0, "muchtoo" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char bad[8] = "?";
		size_t order = 0;

		cr_expect(eq(int,
			     parse_list(cases[i].text, names, 3, note, &order, bad, sizeof(bad)),
			     cases[i].r),
			  "'%s'", cases[i].text);
		cr_expect(eq(sz, order, cases[i].order), "'%s'", cases[i].text);
		cr_expect(eq(str, bad, (char *)cases[i].bad));
	}
}

Test(parse, reads_back_whatever_number_is_printed)
{
	uint64_t state = 1;

	for (int i = 0; i < 100000; i++) {
		uint64_t value, got;
		char text[32];

		state = state * 6364136223846793005u + 1442695040888963407u;
		value = state >> (i % 64);
		snprintf(text, sizeof(text), "%" PRIu64, value);
		cr_assert(zero(int, parse_u64(text, &got)));
		cr_assert(eq(u64, got, value));
		snprintf(text, sizeof(text), "%" PRIu64 "ns", value);
		cr_assert(zero(int, parse_duration_ns(text, &got)));
		cr_assert(eq(u64, got, value));
	}
}
