/* SPDX-License-Identifier: Apache-2.0 */
#include "names/names.h"

#include <stdlib.h>
#include <string.h>

#include "names/clip.h"
#include "platform/scope.h"

static const char *const bucket_names[] = {
	[BUCKET_IDLE] = "idle",     [BUCKET_KERNEL] = "kernel",
	[BUCKET_SYSTEM] = "system", [BUCKET_CONTAINERS] = "containers",
	[BUCKET_VMS] = "vms",       [BUCKET_UNATTRIBUTED] = "unattributed",
	[BUCKET_STEAL] = "steal",
};
_Static_assert(ARRAY_SIZE(bucket_names) == _BUCKET_MAX, "a name for every bucket");

const char *bucket_name(enum bucket bucket)
{
	return (unsigned int)bucket < _BUCKET_MAX ? bucket_names[bucket] : "?";
}

static enum bucket bucket_of(enum path_class class)
{
	switch (class) {
	case PATH_CONTAINER:
	case PATH_POD:
		return BUCKET_CONTAINERS;
	case PATH_VM:
		return BUCKET_VMS;
	case PATH_SYSTEM:
		break;
	}
	return BUCKET_SYSTEM;
}

struct name *name_new(const char *path)
{
	size_t size = path ? strlen(path) + 1 : 1;
	struct name *name = calloc(1, sizeof(*name) + size);

	if (!name)
		return NULL;
	atomic_init(&name->refs, 1);
	name->bucket = BUCKET_SYSTEM;
	if (!path)
		return name;
	memcpy(name->path, path, size);
	path_parse(path, &name->is);
	name->bucket = bucket_of(name->is.class);
	return name;
}

struct name *name_new_vm(const char *path, const char *hypervisor, const char *vm, const char *uuid)
{
	struct name *name = name_new(path);

	if (!name)
		return NULL;
	name->bucket = BUCKET_VMS;
	name->is.class = PATH_VM;
	clip_copy(hypervisor, name->is.runtime, sizeof(name->is.runtime));
	clip_copy(uuid, name->is.vm_uuid, sizeof(name->is.vm_uuid));
	/* One that has no name of its own may have one in its path. */
	if (vm && *vm)
		clip_copy(vm, name->is.vm, sizeof(name->is.vm));
	else if (!name->is.vm[0])
		clip_copy(uuid, name->is.vm, sizeof(name->is.vm));
	return name;
}

struct name *name_ref(struct name *name)
{
	if (name)
		atomic_fetch_add_explicit(&name->refs, 1, memory_order_relaxed);
	return name;
}

void name_unref(struct name *name)
{
	if (name && atomic_fetch_sub_explicit(&name->refs, 1, memory_order_acq_rel) == 1)
		free(name);
}
