/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "platform/notify.h"
#include "unit/no_leaks.h"

TestSuite(notify, .fini = no_leaks);

/* A service manager's socket at path ("@…": abstract); $NOTIFY_SOCKET names it. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	size_t len = strlen(path);

	memcpy(address.sun_path, path, len);
	if (*path == '@')
		address.sun_path[0] = '\0';
	cr_assert(zero(int, bind(fd, (struct sockaddr *)&address,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len))));
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static void expect_message(int fd, const char *want)
{
	char got[128] = "";
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	cr_assert(eq(sz, (size_t)n, strlen(want)));
	cr_assert(eq(str, got, (char *)want));
}

Test(notify, is_silent_without_a_manager)
{
	unsetenv("NOTIFY_SOCKET");
	cr_assert(zero(int, notify_send("READY=1")));
	setenv("NOTIFY_SOCKET", "", 1);
	cr_assert(zero(int, notify_send("READY=1")));
}

Test(notify, reaches_a_path)
{
	char dir[] = "/tmp/notify-XXXXXX", path[64];
	int fd;

	cr_assert(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/socket", dir);
	fd = listen_at(path);
	cr_assert(zero(int, notify_send("READY=1\nSTATUS=%d zones", 3)));
	expect_message(fd, "READY=1\nSTATUS=3 zones");
	close(fd);
	cr_assert(eq(int, notify_send("WATCHDOG=1"), -ECONNREFUSED));
	unlink(path);
	rmdir(dir);
}

Test(notify, reaches_an_abstract_socket)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "@podjoule-test-%d", getpid());
	fd = listen_at(name);
	cr_assert(zero(int, notify_send("STOPPING=1")));
	expect_message(fd, "STOPPING=1");
	close(fd);
}

Test(notify, refuses_an_address_that_is_none)
{
	char path[200];

	setenv("NOTIFY_SOCKET", "relative", 1);
	cr_assert(eq(int, notify_send("READY=1"), -EINVAL));
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	setenv("NOTIFY_SOCKET", path, 1);
	cr_assert(eq(int, notify_send("READY=1"), -EINVAL));
}

Test(notify, never_sends_half_a_message)
{
	char status[2000], name[64];
	int fd;

	memset(status, 'x', sizeof(status) - 1);
	status[sizeof(status) - 1] = '\0';
	snprintf(name, sizeof(name), "@podjoule-half-%d", getpid());
	fd = listen_at(name);
	cr_assert(eq(int, notify_send("STATUS=%s", status), -E2BIG));
	cr_assert(eq(int, (int)recv(fd, status, sizeof(status), 0), -1));
	close(fd);
}

Test(notify, beats_twice_as_often_as_the_watchdog_asks)
{
	char pid[24];

	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	cr_expect(eq(u64, notify_watchdog_ns(), 0));
	setenv("WATCHDOG_USEC", "30000000", 1);
	cr_expect(eq(u64, notify_watchdog_ns(), 15000000000));
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_expect(eq(u64, notify_watchdog_ns(), 15000000000));
	setenv("WATCHDOG_PID", "1", 1);
	cr_expect(eq(u64, notify_watchdog_ns(), 0), "meant for another process");
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "soon", 1);
	cr_expect(eq(u64, notify_watchdog_ns(), 0));
	setenv("WATCHDOG_USEC", "18446744073709551615", 1);
	cr_expect(eq(u64, notify_watchdog_ns(), 0));
}
