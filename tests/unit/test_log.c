/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/log.h"
#include "unit/no_leaks.h"

TestSuite(log, .fini = no_leaks);

static char last_line[4096];
static enum log_level last_level;
static int lines;

static void keep(enum log_level level, const char *line)
{
	snprintf(last_line, sizeof(last_line), "%s", line);
	last_level = level;
	lines++;
}

/* stderr goes to a file of its own from here on; returns an fd to read it. */
static int capture_stderr(void)
{
	char path[] = "/tmp/log-XXXXXX";
	int fd = mkstemp(path), in = open(path, O_RDONLY);

	unlink(path);
	dup2(fd, STDERR_FILENO);
	close(fd);
	return in;
}

static size_t read_back(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = pread(fd, buf + len, size - 1 - len, (off_t)len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	return len;
}

Test(log, shows_what_is_at_least_as_bad_as_its_level)
{
	log_set_sink(keep);
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		log_open("test", (enum log_level)level, LOG_FORMAT_TEXT);
		cr_expect(eq(int, (int)log_level_now(), level));
		lines = 0;
		log_error("x: e");
		log_warn("x: w");
		log_info("x: i");
		log_debug("x: d");
		cr_expect(eq(int, lines, level + 1));
		cr_expect(eq(int, (int)last_level, level));
	}
}

Test(log, keeps_one_fact_on_one_line)
{
	log_set_sink(keep);
	log_line(LOG_LEVEL_ERROR, "names: '%s'", "a\nb\rc\td\x1b[2J\x7f");
	cr_assert(eq(str, last_line, "names: 'a\\nb\\x0dc\\td\\x1b[2J\\x7f'"));
}

Test(log, bounds_its_lines)
{
	static char big[10000];

	log_set_sink(keep);
	memset(big, '\n', sizeof(big) - 1);
	log_error("x: %s", big);
	cr_assert(lt(sz, strlen(last_line), 2048));
	cr_assert(gt(sz, strlen(last_line), 1000));
	cr_assert(eq(ptr, strchr(last_line, '\n'), NULL));
	errno = EPERM;
	cr_assert(eq(int, log_errno(-EIO, "%s", big), -EIO));
	cr_assert(lt(sz, strlen(last_line), 2048));
}

Test(log, adds_the_reason_and_gives_it_back)
{
	log_set_sink(keep);
	errno = EBADF;
	cr_assert(eq(int, log_errno(-EACCES, "powercap: cannot read '%s'", "energy_uj"), -EACCES));
	cr_assert(eq(str, last_line, "powercap: cannot read 'energy_uj': Permission denied"));
	cr_assert(eq(int, errno, EBADF), "errno is the caller's");
	cr_assert(eq(int, log_errno(EIO, "x: y"), -EIO), "a positive one becomes negative");
	log_error("x: z");
	cr_assert(eq(int, errno, EBADF));
	cr_assert(eq(int, log_errno(-98765, "x: y"), -98765), "a number without a name");
}

Test(log, writes_bare_lines_into_files)
{
	char got[256];
	int fd = capture_stderr();

	unsetenv("JOURNAL_STREAM");
	log_open("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_info("bpf: attached to %d CPUs", 2);
	read_back(fd, got, sizeof(got));
	close(fd);
	cr_assert(eq(str, got, "bpf: attached to 2 CPUs\n"));
}

Test(log, tells_a_journal_how_bad_it_is)
{
	char stream[64], got[256];
	int fd = capture_stderr();
	struct stat st;

	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev,
		 (unsigned long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	log_error("x: e");
	log_warn("x: w");
	log_info("x: i");
	log_debug("x: d");
	read_back(fd, got, sizeof(got));
	close(fd);
	cr_assert(eq(str, got, "<3>x: e\n<4>x: w\n<6>x: i\n<7>x: d\n"));
}

Test(log, takes_no_other_file_for_the_journal)
{
	static const char *const streams[] = {
		"1:2", "", ":", "x", "1", "999999999999999999999:1"
	};

	for (size_t i = 0; i <= ARRAY_SIZE(streams); i++) {
		char got[64], same_inode[64];
		int fd = capture_stderr();
		struct stat st;

		fstat(STDERR_FILENO, &st);
		snprintf(same_inode, sizeof(same_inode), "%lu:%lu", (unsigned long)st.st_dev + 1,
			 (unsigned long)st.st_ino);
		setenv("JOURNAL_STREAM", i < ARRAY_SIZE(streams) ? streams[i] : same_inode, 1);
		log_open("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
		log_info("x: i");
		read_back(fd, got, sizeof(got));
		close(fd);
		cr_expect(eq(str, got, "x: i\n"));
	}
}

Test(log, names_the_level_on_a_terminal)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	char got[64] = "";

	cr_assert(zero(int, grantpt(master) || unlockpt(master)));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	dup2(slave, STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	log_open("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_warn("x: y");
	cr_assert(gt(int, (int)read(master, got, sizeof(got) - 1), 0));
	cr_assert(eq(str, got, "warning: x: y\r\n"));
	close(slave);
	close(master);
}

Test(log, writes_json_with_module_and_message_apart)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "bpf: cannot load \"x\"",
		  "\"module\":\"bpf\",\"message\":\"cannot load \\\"x\\\"\"}\n" },
		{ "no module here", "\"module\":\"\",\"message\":\"no module here\"}\n" },
		{ "two words: here", "\"module\":\"\",\"message\":\"two words: here\"}\n" },
		{ "x: a\nb", "\"module\":\"x\",\"message\":\"a\\u000ab\"}\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = capture_stderr();
		char got[512], *at;

		log_open("test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
		log_info("%s", cases[i].line);
		read_back(fd, got, sizeof(got));
		close(fd);
		at = strstr(got, "\"module\"");
		cr_assert(ne(ptr, at, NULL), "%s", got);
		cr_expect(eq(str, at, (char *)cases[i].want));
		cr_expect(ne(ptr, strstr(got, "\"level\":\"info\""), NULL));
		cr_expect(zero(int, strncmp(got, "{\"time\":\"20", 11)), "%s", got);
		cr_expect(eq(chr, got[19], 'T'));
		cr_expect(eq(chr, got[32], 'Z'), "%s", got);
	}
}

static void *chatter(void *ctx)
{
	for (int i = 0; i < 500; i++)
		log_info("thread: %s", (const char *)ctx);
	return NULL;
}

Test(log, never_mixes_the_lines_of_two_threads)
{
	static char a[300], b[300], got[1 << 20];
	int fd = capture_stderr(), n = 0;
	pthread_t threads[2];

	memset(a, 'a', sizeof(a) - 1);
	memset(b, 'b', sizeof(b) - 1);
	fcntl(STDERR_FILENO, F_SETFL, O_APPEND);
	log_open("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	pthread_create(&threads[0], NULL, chatter, a);
	pthread_create(&threads[1], NULL, chatter, b);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	read_back(fd, got, sizeof(got));
	close(fd);
	for (char *line = got, *end; (end = strchr(line, '\n')); line = end + 1, n++) {
		const char *want = line[8] == 'a' ? a : b;

		cr_assert(eq(sz, (size_t)(end - line), 8 + sizeof(a) - 1));
		cr_assert(zero(int, memcmp(line + 8, want, sizeof(a) - 1)));
	}
	cr_assert(eq(int, n, 1000));
}

Test(log, knows_its_own_words)
{
	static const char *const levels[] = { "error", "warning", "info", "debug" };
	enum log_level level = LOG_LEVEL_DEBUG;
	enum log_format format = LOG_FORMAT_JSON;

	for (int i = 0; i < 4; i++) {
		cr_expect(zero(int, log_parse_level(levels[i], &level)));
		cr_expect(eq(int, (int)level, i));
	}
	cr_expect(eq(int, log_parse_level("Error", &level), -EINVAL));
	cr_expect(eq(int, (int)level, LOG_LEVEL_DEBUG));
	cr_expect(eq(int, log_parse_format("xml", &format), -EINVAL));
	cr_expect(eq(int, (int)format, LOG_FORMAT_JSON));
	cr_expect(zero(int, log_parse_format("text", &format)));
	cr_expect(eq(int, (int)format, LOG_FORMAT_TEXT));
}

Test(log, speaks_when_health_changes_and_counts_when_it_repeats)
{
	struct health health = { 0 };
	int changes = 0;

	for (int i = 0; i < 1000; i++)
		changes += health_changed(&health, i < 300 || i >= 900 ? 0 : -EIO);
	cr_assert(eq(int, changes, 2));
	cr_assert(eq(u64, health.failures, 600));
	cr_assert(health_changed(&health, -EIO) && health_changed(&health, -ENODEV));
}
