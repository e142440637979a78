/* SPDX-License-Identifier: Apache-2.0 */
/* Parse: text that we did not write becomes numbers, or is refused whole.  Pure. */
#ifndef PODJOULE_PARSE_H
#define PODJOULE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All return 0 or -EINVAL (-ERANGE beyond 64 bits) and leave *ret untouched on failure. */

/* Decimal digits only; surrounding spaces and one final newline are allowed. */
int parse_u64(const char *text, uint64_t *ret);
int parse_double(const char *text, double *ret);        /* finite, locale-free */
int parse_duration_ns(const char *text, uint64_t *ret); /* 500ms 10s 5m 2h 1d 100us 10ns */
int parse_size(const char *text, uint64_t *ret); /* 512 4KiB 8MiB 1GiB (also K M G), in bytes */
bool parse_bool(const char *text, bool *ret);    /* true when understood: 1/0 true/false yes/no */

/* The value of KEY in "key value\n" text such as cpu.stat; -ENOENT when absent. */
int parse_flat_keyed(const char *text, const char *key, uint64_t *ret);

/* "0-3,8,10-11": calls each(cpu, ctx) in order.  Refuses ranges that fall and CPUs >= 8192. */
int parse_cpulist(const char *text, void (*each)(unsigned int cpu, void *ctx), void *ctx);

/* "HOST:PORT", ":PORT", "[::1]:9713"; host is "" for any.  Buffers belong to the caller. */
int parse_address(const char *text, char *ret_host, size_t host_size, uint16_t *ret_port);

/* Read a word list "a,b,c" against names[]; calls each(index).  -EINVAL names the bad word. */
int parse_list(const char *text, const char *const *names, size_t n,
	       int (*each)(size_t index, void *ctx), void *ctx, char *ret_bad, size_t bad_size);

#endif
