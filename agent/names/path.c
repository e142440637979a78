/* SPDX-License-Identifier: Apache-2.0 */
#include "names/path.h"

#include <string.h>

#include "names/segment.h"
#include "platform/scope.h"

static const char *const qos_names[] = {
	[QOS_NONE] = "",
	[QOS_GUARANTEED] = "guaranteed",
	[QOS_BURSTABLE] = "burstable",
	[QOS_BESTEFFORT] = "besteffort",
};

const char *path_qos_name(enum path_qos qos)
{
	return (size_t)qos < ARRAY_SIZE(qos_names) ? qos_names[qos] : "";
}

/* "N:controllers:/path\n", as /proc/PID/cgroup has it; a path may hold newlines of its own. */
static struct word strip_line(struct word line)
{
	size_t digits = strspn(line.text, "0123456789");
	const char *colon;

	if (!digits || line.text[digits] != ':')
		return line;
	colon = strchr(line.text + digits + 1, ':');
	if (!colon || colon[1] != '/' || memchr(line.text, '/', (size_t)(colon - line.text)))
		return line;
	line.len -= (size_t)(colon + 1 - line.text);
	line.text = colon + 1;
	if (line.text[line.len - 1] == '\n')
		line.len--;
	return line;
}

static struct word trim(struct word path)
{
	static const char deleted[] = " (deleted)";

	if (word_ends(path, deleted))
		path.len -= strlen(deleted);
	while (path.len && path.text[path.len - 1] == '/')
		path.len--;
	return path;
}

/* A container around the one that is to come: the outermost is remembered. */
static void enter(struct path_name *name)
{
	if (!name->node_container[0])
		memcpy(name->node_container, name->container_id, sizeof(name->node_container));
	memset(name->container_id, 0, sizeof(name->container_id));
	memset(name->vm, 0, sizeof(name->vm));
}

static void set_runtime(struct path_name *name, const char *runtime)
{
	word_copy((struct word){ runtime, strlen(runtime) }, name->runtime, sizeof(name->runtime));
}

/* Deepest match wins: what was found above is only what is around it. */
static void read_segment(const struct segment *segment, struct path_name *name)
{
	struct container_match container;
	struct pod_match pod;
	struct vm_match vm;

	if (segment_is_pod(segment, &pod)) {
		enter(name);
		name->class = PATH_POD;
		name->qos = pod.qos;
		memcpy(name->pod_uid, pod.uid, sizeof(name->pod_uid));
		set_runtime(name, pod.runtime);
	} else if (name->class == PATH_POD && segment->name.len > 5 &&
		   !memcmp(segment->name.text, "kata_", 5)) {
		set_runtime(name, "kata");
	}
	/* One segment can be both: slice:runtime:<id>. */
	if (segment_is_container(segment, &container)) {
		/* podman's libpod-<id>.scope/libpod-payload-<id> is one container, not two. */
		if (strcmp(container.id, name->container_id) != 0)
			enter(name);
		name->class = PATH_CONTAINER;
		memcpy(name->container_id, container.id, sizeof(name->container_id));
		set_runtime(name, container.runtime);
	} else if (segment_is_vm(segment, &vm)) {
		enter(name);
		name->class = PATH_VM;
		memcpy(name->vm, vm.name, sizeof(name->vm));
		set_runtime(name, vm.hypervisor);
	}
}

static bool is_unit(struct word word)
{
	static const char *const suffixes[] = { ".slice", ".mount",   ".socket",
						".swap",  ".service", ".scope" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (word_ends(word, suffixes[i]) && word.len > strlen(suffixes[i]))
			return true;
	return false;
}

static bool delegates(struct word word)
{
	return is_unit(word) && (word_ends(word, ".service") || word_ends(word, ".scope"));
}

static void set_unit(struct path_name *name, struct word path, struct word leaf, struct word around)
{
	size_t max = sizeof(name->unit) - 1;

	if (is_unit(leaf)) {
		word_copy(leaf, name->unit, sizeof(name->unit));
	} else if (around.len) {
		word_copy(around, name->unit, sizeof(name->unit));
	} else if (path.len <= max) {
		word_copy(path, name->unit, sizeof(name->unit));
	} else {
		/* Siblings differ at the end. */
		memcpy(name->unit, "...", 3);
		word_copy((struct word){ path.text + path.len - (max - 3), max - 3 },
			  name->unit + 3, sizeof(name->unit) - 3);
	}
}

/* From the outside of a cgroup namespace paths come as /../../NAME: how deep that is, and below
 * what, is not known. */
static void next_segment(struct segment *segment, struct word name)
{
	bool up = word_is(name, "..");

	if (up)
		segment->depth = 0;
	else if (segment->name.len && !word_is(segment->name, ".."))
		segment->depth++;
	segment->outside |= up;
	segment->grandparent = segment->parent;
	segment->parent = segment->name;
	segment->name = name;
}

void path_parse(const char *path, struct path_name *ret)
{
	struct word whole = trim(strip_line((struct word){ path, strlen(path) }));
	struct word around = { "", 0 };
	struct segment segment = { .name = { "", 0 },
				   .parent = { "", 0 },
				   .grandparent = { "", 0 } };

	*ret = (struct path_name){ 0 };
	for (size_t at = 0; at < whole.len;) {
		const char *slash = memchr(whole.text + at, '/', whole.len - at);
		size_t len = slash ? (size_t)(slash - whole.text) - at : whole.len - at;

		if (len) {
			next_segment(&segment, (struct word){ whole.text + at, len });
			read_segment(&segment, ret);
			if (delegates(segment.name))
				around = segment.name;
		}
		at += len + 1;
	}
	if (segment.name.len)
		set_unit(ret, whole, segment.name, around);
	else
		word_copy((struct word){ "/", 1 }, ret->unit, sizeof(ret->unit));
}
