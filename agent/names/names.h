/* SPDX-License-Identifier: Apache-2.0 */
/* Names: who a cgroup is.  Immutable and counted, so that snapshots share them across threads. */
#ifndef PODJOULE_NAMES_H
#define PODJOULE_NAMES_H

#include <stdatomic.h>
#include <stdint.h>

#include "names/path.h"

/* Buckets of CPU time and energy.  Energy uses the first six; `steal` is time only. */
enum bucket {
	BUCKET_IDLE,
	BUCKET_KERNEL,
	BUCKET_SYSTEM,
	BUCKET_CONTAINERS,
	BUCKET_VMS,
	BUCKET_UNATTRIBUTED,
	_BUCKET_ENERGY_MAX,
	BUCKET_STEAL = _BUCKET_ENERGY_MAX,
	_BUCKET_MAX
};
const char *bucket_name(enum bucket bucket);

struct name {
	atomic_uint refs;
	enum bucket bucket;
	struct path_name is; /* parsed */
	char path[];         /* cgroup path as the kernel wrote it; may hold any byte but NUL */
};

/* A name with one reference, from a path; NULL when out of memory.  path NULL: not known. */
struct name *name_new(const char *path);
/* The same cgroup, known to be a virtual machine: class PATH_VM, bucket `vms`; pod and container
 * stay.  Texts are cut where they must be; NULL counts as "".  Without vm the path's name for it
 * stands, else its uuid. */
struct name *name_new_vm(const char *path, const char *hypervisor, const char *vm,
			 const char *uuid);
struct name *name_ref(struct name *name); /* NULL stays NULL */
void name_unref(struct name *name);       /* NULL is fine; the last one frees */

#endif
