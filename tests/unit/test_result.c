/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "fake_node.h"
#include "platform/log.h"
#include "platform/scope.h"
#include "result.h"
#include "unit/no_leaks.h"

static struct fake_node node;
static char last_error[512];

static void keep_error(enum log_level level, const char *line)
{
	if (level == LOG_LEVEL_ERROR)
		snprintf(last_error, sizeof(last_error), "%s", line);
}

/* Print with standard output turned into fd, which is closed. */
static int print_to(int fd, enum output output)
{
	const struct config config = { .duration_ns = 1, .output = output };
	int saved = dup(STDOUT_FILENO), r;

	cr_assert(ge(int, fd, 0));
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	r = edge_print_result(&config, node.pool);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	return r;
}

static void setup(void)
{
	log_set_sink(keep_error);
	cr_assert(eq(int, fake_node_open(&node, 3), 0));
}

static void finish(void)
{
	fake_node_close(&node);
	no_leaks();
}

TestSuite(result, .init = setup, .fini = finish, .timeout = 30);

Test(result, prints_every_form)
{
	static const enum output outputs[] = { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV, OUTPUT_NONE };

	cr_assert(eq(int, fake_node_publish(&node), 0));
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		char path[] = "/tmp/podjoule-result-XXXXXX";
		int fd = mkstemp(path);
		struct stat status;

		cr_expect(eq(int, print_to(fd, outputs[i]), 0));
		cr_expect(eq(int, stat(path, &status), 0));
		cr_expect(gt(i64, (int64_t)status.st_size, 0), "form %zu", i);
		unlink(path);
	}
}

Test(result, notices_a_full_disk)
{
	cr_assert(eq(int, fake_node_publish(&node), 0));
	cr_expect(eq(int, print_to(open("/dev/full", O_WRONLY), OUTPUT_JSON), -ENOSPC));
	cr_expect(ne(ptr, strstr(last_error, "cannot write to standard output: No space"), NULL));
}

Test(result, notices_a_closed_pipe)
{
	int fds[2];

	cr_assert(eq(int, fake_node_publish(&node), 0));
	cr_assert(eq(int, pipe(fds), 0));
	close(fds[0]);
	cr_expect(eq(int, print_to(fds[1], OUTPUT_TABLE), -EPIPE));
	cr_expect(ne(ptr, strstr(last_error, "Broken pipe"), NULL));
}

Test(result, has_nothing_to_print_without_a_sample)
{
	cr_expect(eq(int, print_to(open("/dev/null", O_WRONLY), OUTPUT_JSON), -ENODATA));
}
