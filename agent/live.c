/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "expose/render.h"
#include "platform/host.h"
#include "platform/sbuf.h"

#define NS_PER_SECOND   1000000000ull
#define REDRAW_NS       (1 * NS_PER_SECOND)
#define PRINT_NS        (5 * NS_PER_SECOND)
#define FIRST_LOOK_NS   (NS_PER_SECOND / 5) /* until there is something to show */
#define PRINT_COLUMNS   100
#define PRINT_ROWS      20
#define FRAME_MAX_BYTES (1u << 20)

/* Cursor home; no line wraps into the next one; each line is cleared before it is written, since
 * behind a full one the cursor still stands on its last column. */
#define FRAME_FIRST "\033[H\033[2J"
#define FRAME_BEGIN "\033[H\033[?7l"
#define LINE_BEGIN  "\033[K"
#define FRAME_END   "\033[J\033[?7h"

struct live {
	struct loop *loop;
	struct snapshot_pool *pool;
	struct loop_timer *timer;
	struct snapshot *shown;  /* what the next frame is compared with */
	struct snapshot *before; /* what the shown one was compared with */
	int fd;                  /* of our own where we need it not to block */
	bool own_fd, terminal, colour, drawn;
	unsigned int columns, lines; /* of the terminal */
	unsigned int other_lines;    /* of the table, besides its workloads */
	uint64_t next_ns;
	int error;
	struct sbuf table, frame; /* kept: a steady frame allocates nothing */
};

bool live_terminal_size(int fd, unsigned int *ret_columns, unsigned int *ret_rows)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return false;
	/* Serial lines and some emulators know no size. */
	*ret_columns = size.ws_col ? size.ws_col : 80;
	*ret_rows = size.ws_row ? size.ws_row : 24;
	return true;
}

bool live_colour(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && (!no || !*no) && term && strcmp(term, "dumb") != 0;
}

static unsigned int count_lines(const struct sbuf *text)
{
	unsigned int n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += text->text[i] == '\n';
	return n;
}

/* As many workloads as fit: how many lines the rest takes is learned from the first try. */
static int render_fitting(struct live *live, const struct snapshot *now)
{
	struct table_style style = { .width = live->columns,
				     .colour = live->colour,
				     .before = live->before };
	unsigned int room = live->lines - 1, n;
	int r = 0;

	for (int try = 0; try < 2; try++) {
		style.rows = room > live->other_lines ? room - live->other_lines : 1;
		sbuf_reset(&live->table);
		r = render_table(now, &style, &live->table);
		n = count_lines(&live->table);
		if (r < 0 || n <= room)
			break;
		live->other_lines += n - room;
	}
	return r;
}

static int render_printed(struct live *live, const struct snapshot *now)
{
	const struct table_style style = { .width = PRINT_COLUMNS,
					   .rows = PRINT_ROWS,
					   .before = live->before };
	int r;

	sbuf_reset(&live->frame);
	r = render_table(now, &style, &live->frame);
	sbuf_putc(&live->frame, '\n');
	return r < 0 ? r : live->frame.error;
}

/* One write of the whole frame, line by line over the last one: nothing flickers. */
static int render_frame(struct live *live, const struct snapshot *now)
{
	unsigned int room = live->lines - 1;
	const char *line, *end;
	int r;

	r = render_fitting(live, now);
	if (r < 0)
		return r;
	sbuf_reset(&live->frame);
	sbuf_puts(&live->frame, live->drawn ? FRAME_BEGIN : FRAME_FIRST FRAME_BEGIN);
	for (line = live->table.text; line && *line && room > 0; line = end + 1, room--) {
		end = strchrnul(line, '\n');
		sbuf_puts(&live->frame, LINE_BEGIN);
		sbuf_append(&live->frame, line, (size_t)(end - line));
		sbuf_putc(&live->frame, '\n');
		if (!*end)
			break;
	}
	return sbuf_puts(&live->frame, FRAME_END);
}

static int write_frame(struct live *live)
{
	struct pollfd poll_fd = { .fd = live->fd, .events = POLLOUT };
	size_t done = 0;

	while (done < live->frame.len) {
		ssize_t n;

		/* A stopped terminal or a full pipe: this frame, or its end, is not shown. */
		if (poll(&poll_fd, 1, 0) == 0)
			return 0;
		n = write(live->fd, live->frame.text + done, live->frame.len - done);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int draw(struct live *live, const struct snapshot *now)
{
	int r;

	r = live->terminal ? render_frame(live, now) : render_printed(live, now);
	if (r == 0)
		r = write_frame(live);
	live->drawn = true;
	return r;
}

static void stop_on(struct live *live, int error)
{
	if (error == 0)
		return;
	live->error = error;
	loop_stop(live->loop);
}

static void tick(void *ctx)
{
	struct live *live = ctx;
	struct snapshot *now = snapshot_current(live->pool);
	uint64_t t_ns = host_monotonic_ns(), every_ns = live->terminal ? REDRAW_NS : PRINT_NS;

	if (!now) {
		loop_timer_set(live->timer, t_ns + FIRST_LOOK_NS);
		return;
	}
	/* Absolute steps do not drift; after a stop (SIGSTOP, suspend) start over. */
	live->next_ns = MAX(live->next_ns + every_ns, t_ns);
	loop_timer_set(live->timer, live->next_ns);

	/* Nothing was published since: the frame on the screen is still true. */
	if (live->shown && live->shown->sequence == now->sequence) {
		snapshot_put(live->pool, now);
		return;
	}
	snapshot_put(live->pool, live->before);
	live->before = live->shown;
	live->shown = now;
	stop_on(live, draw(live, now));
}

void live_resized(struct live *live)
{
	if (!live || !live->terminal)
		return;
	live_terminal_size(live->fd, &live->columns, &live->lines);
	live->drawn = false;
	live->other_lines = 0;
	if (live->shown)
		stop_on(live, draw(live, live->shown));
}

/*
 * O_NONBLOCK belongs to the open file, which a shell shares with us: a pipe or a terminal is opened
 * once more.  A regular file never blocks, and a second opening would write over its start.
 */
static int open_unblocked(int fd, int *ret_fd)
{
	struct stat status;
	char path[32];
	int own;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
		return -ENOTSUP;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (own < 0)
		return -errno;
	*ret_fd = own;
	return 0;
}

static void free_live(struct live **live)
{
	live_close(*live);
}

int live_open(struct loop *loop, struct snapshot_pool *pool, int fd, struct live **ret)
{
	_cleanup_(free_live) struct live *live = calloc(1, sizeof(*live));
	int r;

	if (!live)
		return -ENOMEM;
	live->loop = loop;
	live->pool = pool;
	live->table.max = live->frame.max = FRAME_MAX_BYTES;
	live->fd = fd;
	live->own_fd = open_unblocked(fd, &live->fd) == 0;
	live->terminal = live_terminal_size(fd, &live->columns, &live->lines);
	live->colour = live_colour(fd);
	r = loop_timer_new(loop, tick, live, &live->timer);
	if (r < 0)
		return r;
	/* What is printed once in a while should have something to say the first time. */
	live->next_ns = host_monotonic_ns() + (live->terminal ? 0 : PRINT_NS);
	loop_timer_set(live->timer, live->next_ns);
	*ret = TAKE_PTR(live);
	return 0;
}

int live_error(const struct live *live)
{
	return live->error;
}

void live_close(struct live *live)
{
	if (!live)
		return;
	if (live->timer)
		loop_timer_free(live->timer);
	snapshot_put(live->pool, live->shown);
	snapshot_put(live->pool, live->before);
	sbuf_free(&live->table);
	sbuf_free(&live->frame);
	if (live->own_fd)
		close(live->fd);
	free(live);
}
