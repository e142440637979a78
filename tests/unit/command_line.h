/* SPDX-License-Identifier: Apache-2.0 */
/* Command line: give words to config_parse() and catch what it prints. */
#ifndef PODJOULE_COMMAND_LINE_H
#define PODJOULE_COMMAND_LINE_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "config.h"
#include "platform/scope.h"

#define MAX_ARGS 24

static char out[32768], err[4096];

/* The tester's own environment must not speak for the flags. */
static inline void forget_environment(void)
{
	unsetenv("NODE_NAME");
	for (char **e = environ; *e;) {
		char name[128];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*e, "="), *e);
		if (strncmp(name, "PODJOULE_", 9)) {
			e++;
			continue;
		}
		unsetenv(name);
		e = environ;
	}
}

static inline int redirect(int fd, FILE *file)
{
	int before = dup(fd);

	fflush(NULL);
	dup2(fileno(file), fd);
	return before;
}

static inline void restore(int fd, int before, FILE *file, char *text, size_t size)
{
	fflush(NULL);
	dup2(before, fd);
	close(before);
	rewind(file);
	text[fread(text, 1, size - 1, file)] = '\0';
}

/* config_parse on words separated by spaces; what it printed is in out and err. */
static inline int parse(const char *words, struct config *ret)
{
	static char line[1024]; /* the config borrows from it */
	char *argv[MAX_ARGS + 2] = { line }, *rest = line;
	_fclose_ FILE *out_file = tmpfile(), *err_file = tmpfile();
	int argc = 0, r, out_before, err_before;

	snprintf(line, sizeof(line), "podjoule-agent%s%s", *words ? " " : "", words);
	while (rest && argc <= MAX_ARGS)
		argv[argc++] = strsep(&rest, " ");
	argv[argc] = NULL;

	out_before = redirect(STDOUT_FILENO, out_file);
	err_before = redirect(STDERR_FILENO, err_file);
	r = config_parse(argc, argv, ret);
	restore(STDERR_FILENO, err_before, err_file, err, sizeof(err));
	restore(STDOUT_FILENO, out_before, out_file, out, sizeof(out));
	return r;
}

static inline void expect_error(const char *words, const char *want)
{
	struct config config, before;

	memset(&config, 0x5a, sizeof(config));
	before = config;
	cr_expect(eq(int, parse(words, &config), EXIT_USAGE + 1), "%s", words);
	cr_expect(eq(str, err, (char *)want), "%s", words);
	cr_expect(eq(str, out, ""), "%s", words);
	cr_expect(zero(int, memcmp(&config, &before, sizeof(config))), "untouched: %s", words);
}

#endif
