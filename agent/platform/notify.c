/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "platform/parse.h"

int notify_send(const char *format, ...)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	char message[1024];
	_close_ int fd = -1;
	socklen_t size;
	va_list args;
	size_t len;
	int n;

	if (!path || !*path)
		return 0;
	len = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* abstract: the length ends it, not a NUL */
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/'));

	va_start(args, format);
	n = vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (n < 0 || n >= (int)sizeof(message))
		return -E2BIG;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, message, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
		return -errno;
	return 0;
}

uint64_t notify_watchdog_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t us, for_pid;

	if (!usec || parse_u64(usec, &us) < 0 || us > UINT64_MAX / 1000)
		return 0;
	if (pid && (parse_u64(pid, &for_pid) < 0 || for_pid != (uint64_t)getpid()))
		return 0;
	return us * 500;
}
