/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "no_leaks.h"
#include "platform/lock.h"
#include "platform/log.h"
#include "platform/scope.h"

static char base[] = "/tmp/lock-XXXXXX";
static char dir[64];
static int warnings;

static void count_warning(enum log_level level, _unused_ const char *line)
{
	warnings += level == LOG_LEVEL_WARNING;
}

static void setup(void)
{
	cr_assert(mkdtemp(base) != NULL);
	snprintf(dir, sizeof(dir), "%s/run", base);
	log_set_sink(count_warning);
}

static void teardown(void)
{
	char file[96];

	snprintf(file, sizeof(file), "%s/agent.lock", dir);
	unlink(file);
	unlink(dir);
	rmdir(dir);
	rmdir(base);
	no_leaks();
}

TestSuite(lock, .init = setup, .fini = teardown);

Test(lock, makes_its_directory_and_writes_the_pid)
{
	struct node_lock lock;
	char file[96], text[32] = "", want[32];
	_fclose_ FILE *in = NULL;

	cr_assert(eq(int, lock_take(dir, &lock), 0));
	cr_assert(ge(int, lock.fd, 0));
	snprintf(file, sizeof(file), "%s/agent.lock", dir);
	in = fopen(file, "r");
	cr_assert(in != NULL);
	cr_assert(fgets(text, sizeof(text), in) != NULL);
	snprintf(want, sizeof(want), "%d\n", (int)getpid());
	cr_assert(eq(str, text, want));
	lock_release(&lock);
	lock_release(&lock);
	lock_release(NULL);
}

Test(lock, refuses_a_second_taker_and_names_the_first)
{
	struct node_lock first, second = { .fd = 42 };

	cr_assert(eq(int, lock_take(dir, &first), 0));
	/* An OFD lock holds against the same process too. */
	cr_assert(eq(int, lock_take(dir, &second), -EBUSY));
	cr_assert(eq(int, second.pid, getpid()));
	cr_assert(eq(int, second.fd, -1));
	lock_release(&second);
	lock_release(&first);
	cr_assert(eq(int, lock_take(dir, &second), 0));
	lock_release(&second);
}

Test(lock, dies_with_a_process_that_is_killed)
{
	struct node_lock lock;
	int ready[2];
	char byte;
	pid_t child;

	cr_assert(eq(int, pipe(ready), 0));
	child = fork();
	if (child == 0) {
		if (lock_take(dir, &lock) == 0 && lock.fd >= 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	cr_assert(eq(int, (int)read(ready[0], &byte, 1), 1));
	cr_assert(eq(int, lock_take(dir, &lock), -EBUSY));
	cr_assert(eq(int, lock.pid, child));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	cr_assert(eq(int, lock_take(dir, &lock), 0));
	cr_assert(eq(int, lock.pid, getpid()));
	lock_release(&lock);
	close(ready[0]);
	close(ready[1]);
}

Test(lock, goes_on_with_one_line_where_it_cannot_write)
{
	struct node_lock lock = { .fd = 42 };

	cr_assert(eq(int, lock_take("/proc/no/such/place", &lock), 0));
	cr_assert(eq(int, lock.fd, -1));
	cr_assert(eq(int, warnings, 1));
	lock_release(&lock);
}

Test(lock, follows_no_link_that_somebody_laid)
{
	struct node_lock lock;
	char file[96];

	cr_assert(eq(int, mkdir(dir, 0755), 0));
	snprintf(file, sizeof(file), "%s/agent.lock", dir);
	cr_assert(eq(int, symlink("/etc/passwd", file), 0));
	cr_assert(eq(int, lock_take(dir, &lock), 0));
	cr_assert(eq(int, lock.fd, -1));
	cr_assert(eq(int, warnings, 1));
}
