/* SPDX-License-Identifier: Apache-2.0 */
/* Idmap: from a cgroup id or pid to what stands for it; open addressing, grows by doubling.  Pure.
 */
#ifndef PODJOULE_IDMAP_H
#define PODJOULE_IDMAP_H

#include <stdint.h>

struct idmap {          /* all zero: an empty map */
	uint64_t *keys; /* 0: free */
	void **values;
	uint32_t capacity; /* a power of two */
	uint32_t n;
};

/* key must not be 0; an existing one gets the new value.  0 or -ENOMEM (nothing changed). */
int idmap_put(struct idmap *map, uint64_t key, void *value);
void *idmap_get(const struct idmap *map, uint64_t key); /* NULL: absent */
void idmap_remove(struct idmap *map, uint64_t key);     /* absent keys are fine */
void idmap_free(struct idmap *map);

#endif
