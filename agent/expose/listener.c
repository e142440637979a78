/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "platform/log.h"
#include "platform/scope.h"

#define LISTEN_BACKLOG 128

static void free_addresses(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

void listener_name(const char *host, uint16_t port, char *ret, size_t size)
{
	bool brackets = strchr(host, ':') != NULL;

	snprintf(ret, size, "%s%s%s:%u", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

uint16_t listener_port(int fd)
{
	union {
		struct sockaddr_storage any;
		struct sockaddr any_family;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { 0 };
	socklen_t len = sizeof(address);

	if (getsockname(fd, &address.any_family, &len) < 0)
		return 0;
	return ntohs(address.any.ss_family == AF_INET6 ? address.v6.sin6_port
						       : address.v4.sin_port);
}

/* SO_REUSEADDR lets a restart take the port over from connections in TIME_WAIT. */
static int open_one(const struct addrinfo *address, bool any, int *ret_fd)
{
	_close_ int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1, v6only = !any;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (address->ai_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) < 0)
		return -errno;
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* IPv6 first for "": its socket serves IPv4 as well; a kernel without IPv6 gets IPv4. */
static int open_first(const struct addrinfo *list, bool any, int *ret_fd)
{
	int r = -EADDRNOTAVAIL;

	for (int pass = 0; pass < 2; pass++) {
		for (const struct addrinfo *a = list; a; a = a->ai_next) {
			bool now = !any ? pass == 0 : (a->ai_family == AF_INET6) == (pass == 0);

			if (!now)
				continue;
			r = open_one(a, any, ret_fd);
			if (r == 0 || r == -EADDRINUSE)
				return r;
		}
	}
	return r;
}

static int refused(int error, const char *name, const char *flag)
{
	const char *why = strerror(-error);

	switch (-error) {
	case EADDRINUSE:
		log_error("page: cannot listen on %s: %s (another agent? try --%s=127.0.0.1:0)",
			  name, why, flag);
		break;
	case EACCES:
		log_error("page: cannot listen on %s: %s (needs CAP_NET_BIND_SERVICE, or a port "
			  "above 1023)",
			  name, why);
		break;
	case EADDRNOTAVAIL:
		log_error("page: cannot listen on %s: %s (this machine has no such address)", name,
			  why);
		break;
	default:
		log_error("page: cannot listen on %s: %s", name, why);
	}
	return error;
}

int listener_open(const char *host, uint16_t port, const char *flag, int *ret_fd)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
					.ai_socktype = SOCK_STREAM };
	_cleanup_(free_addresses) struct addrinfo *list = NULL;
	bool any = host[0] == '\0';
	char name[300], service[8];
	int r, fd = -1;

	listener_name(host, port, name, sizeof(name));
	snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(any ? NULL : host, service, &hints, &list);
	if (r != 0) {
		log_error("page: cannot listen on %s: %s (--%s takes HOST:PORT)", name,
			  r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r), flag);
		return -EADDRNOTAVAIL;
	}
	r = open_first(list, any, &fd);
	if (r < 0)
		return refused(r, name, flag);
	*ret_fd = fd;
	return 0;
}
