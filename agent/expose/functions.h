/* SPDX-License-Identifier: Apache-2.0 */
/* Functions: the part of the table that shows serverless functions, where there are any.  Pure. */
#ifndef PODJOULE_FUNCTIONS_H
#define PODJOULE_FUNCTIONS_H

#include "expose/overview.h"

/* since: what happened of late, or NULL.  0 or -ENOMEM. */
int functions_table(const struct overview *overview, const struct snapshot *since);

#endif
