/* SPDX-License-Identifier: Apache-2.0 */
/* Accept: what a client's Accept headers ask for.  Pure; any bytes, never fails. */
#ifndef PODJOULE_ACCEPT_H
#define PODJOULE_ACCEPT_H

#include <stdbool.h>

#include "expose/render.h"

/*
 * The exposition format to answer with; text where the header is NULL or asks for neither.
 * OpenMetrics must be named (application/openmetrics-text of version 1.0.0 or without one): a
 * browser's wildcard gets text.
 */
enum exposition accept_exposition(const char *accept);
/* May the answer be gzipped?  Not where identity is preferred or gzip has q=0. */
bool accept_gzip(const char *accept_encoding);

#endif
