/* SPDX-License-Identifier: Apache-2.0 */
/* Notify: sd_notify without libsystemd: READY, STATUS, WATCHDOG, STOPPING. */
#ifndef PODJOULE_NOTIFY_H
#define PODJOULE_NOTIFY_H

#include <stdint.h>

#include "platform/scope.h"

/* Send "READY=1\nSTATUS=…" to $NOTIFY_SOCKET (path or abstract); 0 when there is none. */
int notify_send(const char *format, ...) _printf_(1, 2);
/* Half of $WATCHDOG_USEC in nanoseconds if it is meant for us, else 0. */
uint64_t notify_watchdog_ns(void);

#endif
