/* SPDX-License-Identifier: Apache-2.0 */
/* Listener: a listening TCP socket, or one line that says why not and what to try. */
#ifndef PODJOULE_LISTENER_H
#define PODJOULE_LISTENER_H

#include <stddef.h>
#include <stdint.h>

/*
 * host: "" for every address (IPv6 and IPv4), an address, or a name; port 0: the kernel chooses.
 * flag is the option that gave the address, for the remedy.  Logs and returns -errno.
 */
int listener_open(const char *host, uint16_t port, const char *flag, int *ret_fd);
uint16_t listener_port(int fd); /* 0 when fd is no socket */
/* "127.0.0.1:9713", "[::1]:9713", ":9713" */
void listener_name(const char *host, uint16_t port, char *ret, size_t size);

#endif
