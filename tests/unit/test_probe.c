/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "no_leaks.h"
#include "probe_report.h"

TestSuite(probe_report, .fini = no_leaks);

static struct probe_row rows[] = {
	{ "powercap", "package", "0", PROBE_BROKEN,
	  "cannot read 'intel-rapl:0/energy_uj': Permission denied, which is what kernels since "
	  "5.10 say",
	  "run as root or give CAP_DAC_READ_SEARCH" },
	{ "model", "platform", "0", PROBE_CHOSEN, "quotes \" and \\ and \n newlines \xff", "" },
};
static const struct probe_report report = {
	.tier = "T3",
	.energy = { rows, 2, 2 },
	.activity = { rows, 1, 1 },
	.kernel = { .release = "6.1.0", .pmu = -ENOENT, .capabilities = 1ull << 39, .jit = -1 },
	.cgroup_mode = "v2",
	.hierarchy = "unified",
	.machine = { .cpu = "Some CPU", .sockets = 1, .cores = 2, .threads = 4, .virtual = true },
};

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text ? text : "(absent)";
}

Test(probe_report, is_the_json_of_the_contract)
{
	struct sbuf out _sbuf_ = SBUF_INIT(65536);
	cJSON *json, *row, *kernel, *item;

	cr_assert(eq(int, probe_report_json(&report, &out), 0));
	json = cJSON_Parse(out.text);
	cr_assert(json != NULL, "%s", out.text);
	cr_assert(eq(int, cJSON_GetObjectItem(json, "version")->valueint, 1));
	cr_assert(eq(str, (char *)text_of(json, "tier"), "T3"));
	row = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "energy"), 0);
	cr_assert(eq(str, (char *)text_of(row, "source"), "powercap"));
	cr_assert(eq(str, (char *)text_of(row, "zone"), "package"));
	cr_assert(eq(str, (char *)text_of(row, "device"), "0"));
	cr_assert(eq(str, (char *)text_of(row, "state"), "broken"));
	cr_assert(eq(str, (char *)text_of(row, "why"), rows[0].why));
	cr_assert(eq(str, (char *)text_of(row, "fix"), rows[0].fix));
	row = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "activity"), 0);
	cr_assert(eq(str, (char *)text_of(row, "source"), "powercap"));
	cr_assert(not(cJSON_HasObjectItem(row, "zone")));
	kernel = cJSON_GetObjectItem(json, "kernel");
	cr_assert(eq(str, (char *)text_of(kernel, "cgroup"), "v2"));
	cr_assert(cJSON_IsFalse(cJSON_GetObjectItem(kernel, "btf")));
	cr_assert(cJSON_IsNull(cJSON_GetObjectItem(kernel, "bpf_jit_enable")));
	item = cJSON_GetObjectItem(json, "capabilities");
	cr_assert(cJSON_IsTrue(cJSON_GetObjectItem(item, "CAP_BPF")));
	cr_assert(cJSON_IsFalse(cJSON_GetObjectItem(item, "CAP_PERFMON")));
	item = cJSON_GetObjectItem(json, "machine");
	cr_assert(eq(int, cJSON_GetObjectItem(item, "vcpus")->valueint, 4));
	cr_assert(not(cJSON_HasObjectItem(item, "memory_gib"))); /* unknown is absent, not 0 */
	cJSON_Delete(json);
}

Test(probe_report, fits_the_terminal_and_obeys_no_control_character)
{
	static const unsigned int widths[] = { 60, 80, 132 };

	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		struct sbuf out _sbuf_ = SBUF_INIT(65536);

		cr_assert(eq(int, probe_report_table(&report, widths[i], &out), 0));
		for (const char *line = out.text; *line; line += strcspn(line, "\n") + 1) {
			size_t len = strcspn(line, "\n");

			cr_expect(le(sz, len, widths[i]), "%.*s", (int)len, line);
			cr_expect(len == 0 || line[len - 1] != ' ', "'%.*s'", (int)len, line);
		}
		cr_expect(strstr(out.text, "to do: run as root") != NULL);
		cr_expect(strstr(out.text, "broken") != NULL);
	}
}

Test(probe_report, says_so_when_it_does_not_fit)
{
	struct sbuf out _sbuf_ = SBUF_INIT(100);

	cr_assert(eq(int, probe_report_json(&report, &out), -E2BIG));
}
