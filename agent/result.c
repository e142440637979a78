/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "expose/render.h"
#include "live.h"
#include "platform/log.h"
#include "platform/sbuf.h"

#define RESULT_MAX_BYTES (256u << 20)
#define FILE_COLUMNS     100

static int render(const struct config *config, const struct snapshot *snapshot, struct sbuf *out)
{
	struct table_style style = { .width = FILE_COLUMNS };
	unsigned int rows;

	switch (config->output) {
	case OUTPUT_JSON:
		return render_json(snapshot, out);
	case OUTPUT_CSV:
		return render_csv(snapshot, out);
	case OUTPUT_TABLE:
	case OUTPUT_NONE:
		break;
	}
	style.colour = live_colour(STDOUT_FILENO);
	live_terminal_size(STDOUT_FILENO, &style.width, &rows);
	return render_table(snapshot, &style, out);
}

/* The pipe may be non-blocking: whoever shares it with us decided that. */
static int write_all(int fd, const char *text, size_t len)
{
	struct pollfd writable = { .fd = fd, .events = POLLOUT };

	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EAGAIN)
			poll(&writable, 1, -1);
		else if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int edge_print_result(const struct config *config, struct snapshot_pool *pool)
{
	_sbuf_ struct sbuf text = SBUF_INIT(RESULT_MAX_BYTES);
	struct snapshot *snapshot;
	int r;

	/* On a terminal the live table stands there; what was printed on the way may be old. */
	if (config->output == OUTPUT_NONE &&
	    (!config->duration_ns || (config->live && isatty(STDOUT_FILENO))))
		return 0;
	snapshot = snapshot_current(pool);
	if (!snapshot)
		return log_errno(-ENODATA, "result: nothing to print");
	r = render(config, snapshot, &text);
	snapshot_put(pool, snapshot);
	if (r < 0)
		return log_errno(r, "result: cannot be rendered");

	/* A closed pipe is an error of ours to report, not a signal to die of. */
	signal(SIGPIPE, SIG_IGN);
	r = write_all(STDOUT_FILENO, text.text, text.len);
	if (r < 0)
		return log_errno(r, "result: cannot write to standard output");
	return 0;
}
