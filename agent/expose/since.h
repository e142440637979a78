/* SPDX-License-Identifier: Apache-2.0 */
/* Since: the part of snapshot_since() that knows pods, groups and processes.  Pure. */
#ifndef PODJOULE_SINCE_H
#define PODJOULE_SINCE_H

#include "expose/snapshot.h"

/*
 * to gets end's pods, groups and processes (it has none yet), less what base had of each.  Pods
 * stay in end's order, so that accounts find theirs.  0 or -ENOMEM; to may be filled in part.
 */
int since_names(const struct snapshot *base, const struct snapshot *end, struct snapshot *to);
/* Leave out pods that did nothing and that no account of to is in.  0 or -ENOMEM. */
int since_drop_pods(struct snapshot *to);

#endif
