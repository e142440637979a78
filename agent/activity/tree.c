/* SPDX-License-Identifier: Apache-2.0 */
#include "activity/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/host.h"
#include "platform/scope.h"

static int reserve(struct tree *tree)
{
	size_t capacity = tree->capacity ? tree->capacity * 2 : 64;
	struct group **bigger;

	if (tree->n < tree->capacity)
		return 0;
	bigger = realloc(tree->groups, capacity * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	tree->groups = bigger;
	tree->capacity = capacity;
	return 0;
}

static void group_free(struct group *group)
{
	free(group->path);
	free(group);
}

struct group *tree_add(struct tree *tree, struct group *parent, uint64_t id, const char *path)
{
	struct group *group;

	if (reserve(tree) < 0)
		return NULL;
	group = calloc(1, sizeof(*group) + tree->n_parts * sizeof(group->part[0]));
	if (!group)
		return NULL;
	group->path = strdup(path);
	if (!group->path) {
		free(group);
		return NULL;
	}
	group->id = id;
	group->parent = parent;
	group->fd = -1;
	group->fresh = true;
	tree->groups[tree->n++] = group;
	return group;
}

static bool is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	if (len == 1) /* "/" */
		return path[1] != '\0';
	return strncmp(path, above, len) == 0 && path[len] == '/';
}

struct group *tree_parent_of(struct group *near, const char *path)
{
	while (near && (near->dead || !is_below(path, near->path)))
		near = near->parent;
	return near;
}

void tree_free(struct tree *tree)
{
	for (size_t i = 0; i < tree->n; i++)
		group_free(tree->groups[i]);
	free(tree->groups);
	*tree = (struct tree){ 0 };
}

static void sum_children(struct tree *tree)
{
	for (size_t i = 0; i < tree->n; i++) {
		for (unsigned int p = 0; p < tree->n_parts; p++)
			tree->groups[i]->part[p].child_sum = 0;
	}
	for (size_t i = 0; i < tree->n; i++) {
		struct group *group = tree->groups[i];

		for (unsigned int p = 0; group->parent && p < tree->n_parts; p++)
			group->parent->part[p].child_sum += group->part[p].total;
	}
}

static int64_t own_of(const struct tree_part *part)
{
	return (int64_t)(part->total - part->child_sum - part->hidden);
}

void tree_start(struct tree *tree)
{
	sum_children(tree);
	for (size_t i = 0; i < tree->n; i++) {
		struct group *group = tree->groups[i];

		group->fresh = false;
		for (unsigned int p = 0; p < tree->n_parts; p++)
			group->part[p].hidden += (uint64_t)own_of(&group->part[p]);
	}
}

/*
 * The dead leave with what was booked to them, no more and no less: what they used after their last
 * reading, and time that they were given too early, are settled with the parent.
 */
static void bury(struct tree *tree, void (*each)(void *, struct group *, const uint64_t *),
		 void *ctx)
{
	size_t kept = 0;

	for (size_t i = 0; i < tree->n; i++) {
		struct group *group = tree->groups[i];

		/* A directory goes only when it is empty: below a dead one nobody lives. */
		group->dead |= group->parent && group->parent->dead;
	}
	for (size_t i = tree->n; i-- > 0;) {
		struct group *group = tree->groups[i];

		if (!group->dead)
			continue;
		for (unsigned int p = 0; group->parent && p < tree->n_parts; p++)
			group->parent->part[p].hidden +=
				group->part[p].hidden + group->part[p].booked;
		each(ctx, group, NULL);
	}
	for (size_t i = 0; i < tree->n; i++) {
		if (tree->groups[i]->dead)
			group_free(tree->groups[i]);
		else
			tree->groups[kept++] = tree->groups[i];
	}
	tree->n = kept;
}

/*
 * What a newborn used before we knew of it may have been booked to its parent already.  That much
 * stays there, or it would be booked twice.
 */
static void welcome(struct tree *tree, struct group *group)
{
	group->fresh = false;
	for (unsigned int p = 0; group->parent && p < tree->n_parts; p++) {
		struct tree_part *above = &group->parent->part[p];
		int64_t twice = (int64_t)above->booked - own_of(above);
		uint64_t stays = MIN(group->part[p].total, twice > 0 ? (uint64_t)twice : 0);

		group->part[p].hidden += stays;
		above->hidden -= stays;
	}
}

void tree_settle(struct tree *tree,
		 void (*each)(void *ctx, struct group *group, const uint64_t *booked_ns), void *ctx)
{
	bury(tree, each, ctx);
	sum_children(tree);
	for (size_t i = 0; i < tree->n; i++) {
		if (tree->groups[i]->fresh)
			welcome(tree, tree->groups[i]);
	}
	for (size_t i = 0; i < tree->n; i++) {
		struct group *group = tree->groups[i];
		uint64_t ns[HOST_MAX_PACKAGES] = { 0 };
		bool moved = false;

		for (unsigned int p = 0; p < tree->n_parts; p++) {
			struct tree_part *part = &group->part[p];
			int64_t more = own_of(part) - (int64_t)part->booked;

			if (more <= 0)
				continue;
			ns[p] = (uint64_t)more;
			part->booked += ns[p];
			moved = true;
		}
		if (moved)
			each(ctx, group, ns);
	}
}
