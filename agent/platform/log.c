/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "platform/parse.h"
#include "platform/sbuf.h"

#define LINE_SIZE 2048

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static const char *const format_names[] = { "text", "json" };

/* Set before threads start, only read from then on. */
static struct {
	const char *program;
	log_sink sink;
	enum log_level level;
	enum log_format format;
	bool journal;
	bool terminal;
} state = { .program = "", .level = LOG_LEVEL_INFO };

/* systemd names the socket that it connected to stderr: a service that redirects its own stderr
 * elsewhere keeps the variable, so the file must be the same one. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM"), *colon;
	uint64_t device, inode;
	char number[24];
	struct stat st;

	colon = stream ? strchr(stream, ':') : NULL;
	if (!colon || (size_t)(colon - stream) >= sizeof(number) || fstat(fd, &st) < 0)
		return false;
	memcpy(number, stream, (size_t)(colon - stream));
	number[colon - stream] = '\0';
	return !parse_u64(number, &device) && !parse_u64(colon + 1, &inode) &&
	       device == st.st_dev && inode == st.st_ino;
}

void log_open(const char *program, enum log_level level, enum log_format format)
{
	state.program = program ? program : "";
	state.level = level;
	state.format = format;
	state.journal = is_journal(STDERR_FILENO);
	state.terminal = isatty(STDERR_FILENO) == 1;
}

void log_set_sink(log_sink sink)
{
	state.sink = sink;
}

enum log_level log_level_now(void)
{
	return state.level;
}

static int find_word(const char *text, const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(text, words[i]))
			return i;
	return -EINVAL;
}

int log_parse_level(const char *text, enum log_level *ret)
{
	int i = find_word(text, level_names, ARRAY_SIZE(level_names));

	if (i < 0)
		return i;
	*ret = (enum log_level)i;
	return 0;
}

int log_parse_format(const char *text, enum log_format *ret)
{
	int i = find_word(text, format_names, ARRAY_SIZE(format_names));

	if (i < 0)
		return i;
	*ret = (enum log_format)i;
	return 0;
}

/* Copy text into line so that it stays one line: control characters become \n, \t or \xHH. */
static void escape_line(const char *text, char *line, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = 0;

	for (; *text && len + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c != 0x7f) {
			line[len++] = (char)c;
			continue;
		}
		line[len++] = '\\';
		if (c == '\n' || c == '\t') {
			line[len++] = c == '\n' ? 'n' : 't';
			continue;
		}
		line[len++] = 'x';
		line[len++] = hex[c >> 4];
		line[len++] = hex[c & 15];
	}
	line[len] = '\0';
}

/* One write per line, so that lines of two threads do not mix. */
static void write_line(const char *line, size_t len)
{
	ssize_t written;

	do
		written = write(STDERR_FILENO, line, len);
	while (written < 0 && errno == EINTR);
}

static void write_text(enum log_level level, const char *line)
{
	static const char *const priority[] = { "<3>", "<4>", "<6>", "<7>" };
	const char *word = state.terminal ? level_names[level] : "";
	char out[LINE_SIZE + 16];
	int len;

	len = snprintf(out, sizeof(out), "%s%s%s%s\n", state.journal ? priority[level] : "", word,
		       *word ? ": " : "", line);
	write_line(out, (size_t)len);
}

/* The module is the word in front of the first ": ". */
static size_t module_length(const char *message)
{
	size_t len = strcspn(message, " :");

	return message[len] == ':' && message[len + 1] == ' ' ? len : 0;
}

static int write_json(enum log_level level, const char *message)
{
	_sbuf_ struct sbuf out = SBUF_INIT(8 * LINE_SIZE);
	size_t module = module_length(message);
	char name[64] = "", when[32];
	struct timespec now;
	struct tm tm;

	if (module >= sizeof(name))
		module = 0;
	memcpy(name, message, module);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);

	sbuf_printf(&out, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"program\":", when,
		    now.tv_nsec / 1000000, level_names[level]);
	sbuf_json(&out, state.program);
	sbuf_puts(&out, ",\"module\":");
	sbuf_json(&out, name);
	sbuf_puts(&out, ",\"message\":");
	sbuf_json(&out, message + (module ? module + 2 : 0));
	sbuf_puts(&out, "}\n");
	if (!out.error)
		write_line(out.text, out.len);
	return out.error;
}

static void emit(enum log_level level, const char *message)
{
	char line[LINE_SIZE];

	if (!state.sink && state.format == LOG_FORMAT_JSON && write_json(level, message) == 0)
		return;
	escape_line(message, line, sizeof(line));
	if (state.sink)
		state.sink(level, line);
	else
		write_text(level, line);
}

void log_line(enum log_level level, const char *format, ...)
{
	char message[LINE_SIZE];
	int saved = errno;
	va_list args;

	if (level > state.level)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	emit(level, message);
	errno = saved;
}

int log_errno(int error, const char *format, ...)
{
	char message[LINE_SIZE];
	int saved = errno, len, negative = error < 0 ? error : -error;
	va_list args;

	va_start(args, format);
	len = vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	len = MIN(MAX(len, 0), (int)sizeof(message) - 1);
	snprintf(message + len, sizeof(message) - (size_t)len, ": %s", strerrordesc_np(-negative));
	emit(LOG_LEVEL_ERROR, message);
	errno = saved;
	return negative;
}

bool health_changed(struct health *health, int error)
{
	bool changed = health->error != error;

	health->error = error;
	if (error)
		health->failures++;
	return changed;
}
