/* SPDX-License-Identifier: Apache-2.0 */
/* Log: one line per fact on stderr, "module: sentence", for people and for journald. */
#ifndef PODJOULE_LOG_H
#define PODJOULE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/scope.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Where lines go; NULL is stderr.  Tests install their own to assert on messages. */
typedef void (*log_sink)(enum log_level level, const char *line);

/* Program name for the lines ("podjoule-agent"); borrowed.  Detects a journal by $JOURNAL_STREAM.
 */
void log_open(const char *program, enum log_level level, enum log_format format);
void log_set_sink(log_sink sink);
enum log_level log_level_now(void);
/* 0, or -EINVAL and *ret untouched: "error", "warning", "info", "debug"; "text", "json". */
int log_parse_level(const char *text, enum log_level *ret);
int log_parse_format(const char *text, enum log_format *ret);

void log_line(enum log_level level, const char *format, ...) _printf_(2, 3);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Log "MESSAGE: strerror(-error)" as an error and return error (negative), errno untouched. */
int log_errno(int error, const char *format, ...) _printf_(2, 3);

/*
 * Speak when it changes, count when it repeats: true when the error of a source differs from
 * the last one, so that three hours of EIO are two lines and one counter.
 */
struct health {
	int error;
	uint64_t failures;
};
bool health_changed(struct health *health, int error);

#endif
