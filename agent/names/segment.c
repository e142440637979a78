/* SPDX-License-Identifier: Apache-2.0 */
#include "names/segment.h"

#include <string.h>

#include "platform/scope.h"

#define ID_LEN   64 /* of container ids, in hex digits */
#define UUID_LEN 36
#define HASH_LEN 32 /* static pods, ECS tasks: a hash in hex */

/* Prefix of a scope, and the runtime that makes such scopes. */
static const struct {
	const char *prefix, *runtime;
} runtimes[] = {
	{ "cri-containerd", "containerd" },
	{ "containerd", "containerd" },
	{ "crio", "crio" },
	{ "docker", "docker" },
	{ "libpod", "podman" },
	{ "libpod-payload", "podman" },
	{ "nerdctl", "nerdctl" },
};

bool word_is(struct word word, const char *text)
{
	return word.len == strlen(text) && !memcmp(word.text, text, word.len);
}

static bool word_starts(struct word word, const char *start)
{
	return word.len >= strlen(start) && !memcmp(word.text, start, strlen(start));
}

bool word_ends(struct word word, const char *end)
{
	size_t len = strlen(end);

	return word.len >= len && !memcmp(word.text + word.len - len, end, len);
}

void word_copy(struct word word, char *ret, size_t size)
{
	size_t len = MIN(word.len, size - 1);

	memcpy(ret, word.text, len);
	memset(ret + len, 0, size - len);
}

static struct word skip(struct word word, size_t n)
{
	return (struct word){ word.text + n, word.len - n };
}

static struct word before(struct word word, const char *end)
{
	return (struct word){ word.text, word_ends(word, end) ? word.len - strlen(end) : word.len };
}

/* What is behind the last c; everything when there is no c. */
static struct word last_part(struct word word, char c)
{
	const char *found = memrchr(word.text, c, word.len);

	return found ? skip(word, (size_t)(found + 1 - word.text)) : word;
}

/* What is before the last c; nothing when there is no c. */
static struct word first_part(struct word word, char c)
{
	const char *found = memrchr(word.text, c, word.len);

	return (struct word){ word.text, found ? (size_t)(found - word.text) : 0 };
}

static bool is_digits(struct word word)
{
	size_t n = 0;

	while (n < word.len && word.text[n] >= '0' && word.text[n] <= '9')
		n++;
	return n && n == word.len;
}

/* As runtimes write their ids: no capitals. */
static bool is_hex(struct word word, size_t len)
{
	size_t n = 0;

	if (word.len != len)
		return false;
	while (n < len && ((word.text[n] >= '0' && word.text[n] <= '9') ||
			   (word.text[n] >= 'a' && word.text[n] <= 'f')))
		n++;
	return n == len;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* systemd's \xNN; \x00 stays as it is written. */
static void unescape(struct word word, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < word.len && n < size - 1; i++) {
		char c = word.text[i];

		if (c == '\\' && i + 3 < word.len && word.text[i + 1] == 'x') {
			int high = hex_digit(word.text[i + 2]), low = hex_digit(word.text[i + 3]);

			if (high >= 0 && low >= 0 && high + low > 0) {
				c = (char)(high * 16 + low);
				i += 3;
			}
		}
		ret[n++] = c;
	}
	memset(ret + n, 0, size - n);
}

static const char *runtime_of(struct word prefix)
{
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		if (word_is(prefix, runtimes[i].prefix))
			return runtimes[i].runtime;
	return NULL;
}

/* Who makes cgroups that are called by a bare id, as far as their place tells. */
static const char *runtime_of_place(const struct segment *segment)
{
	struct pod_match pod;
	struct segment above = { .name = segment->parent, .parent = segment->grandparent };

	if ((segment->depth == 0 && !segment->outside) || word_is(segment->parent, "docker") ||
	    word_is(segment->parent, "moby") || word_is(segment->parent, "actions_job") ||
	    word_is(segment->grandparent, "ecs"))
		return "docker";
	/* ctr and nerdctl: /<namespace>/<id>. */
	if (segment->depth == 1 && !segment->outside && !segment_is_pod(&above, &pod))
		return "containerd";
	return "";
}

static bool is_ecs_task(const struct segment *segment)
{
	struct word task = first_part(segment->name, '-'), serial = last_part(segment->name, '-');

	return word_is(segment->grandparent, "ecs") && is_hex(segment->parent, HASH_LEN) &&
	       is_hex(task, HASH_LEN) && is_digits(serial);
}

/* [prefix-]<id>[.scope] and slice:prefix:<id>; monitors (conmon) have a prefix of their own. */
static bool is_oci_container(const struct segment *segment, struct container_match *ret)
{
	char separator = memchr(segment->name.text, ':', segment->name.len) ? ':' : '-';
	struct word name = before(segment->name, ".scope");
	struct word id = last_part(name, separator);
	struct word prefix = first_part(name, separator);
	const char *runtime;

	/* What Kata needs outside of the guest is the pod's. */
	if (!is_hex(id, ID_LEN) || word_is(segment->parent, "kata_overhead"))
		return false;
	if (separator == ':')
		prefix = last_part(prefix, ':');
	runtime = id.len == name.len ? runtime_of_place(segment) : runtime_of(prefix);
	if (!runtime)
		return false;
	ret->runtime = runtime;
	word_copy(id, ret->id, sizeof(ret->id));
	return true;
}

/* Containers that have a name instead of an id: LXC, LXD, nspawn. */
static bool is_named_container(const struct segment *segment, struct container_match *ret)
{
	struct word name = segment->name, id = { 0 };
	const char *runtime = "nspawn";

	if (word_starts(name, "lxc.payload.")) {
		id = skip(name, strlen("lxc.payload."));
		runtime = "lxc";
	} else if (segment->depth == 1 &&
		   (word_is(segment->parent, "lxc") || word_is(segment->parent, "lxc.payload"))) {
		id = name;
		runtime = "lxc";
	} else if (word_starts(name, "systemd-nspawn@") && word_ends(name, ".service")) {
		id = before(skip(name, strlen("systemd-nspawn@")), ".service");
	} else if (word_starts(name, "machine-") && word_ends(name, ".scope")) {
		id = before(skip(name, strlen("machine-")), ".scope");
		if (word_starts(id, "lxc\\x2d"))
			runtime = "lxc";
	}
	if (!id.len)
		return false;
	ret->runtime = runtime;
	unescape(id, ret->id, sizeof(ret->id));
	return true;
}

bool segment_is_container(const struct segment *segment, struct container_match *ret)
{
	struct vm_match vm;

	if (is_ecs_task(segment)) {
		ret->runtime = "ecs";
		word_copy(segment->name, ret->id, sizeof(ret->id));
		return true;
	}
	if (is_oci_container(segment, ret))
		return true;
	return !segment_is_vm(segment, &vm) && is_named_container(segment, ret);
}

static enum path_qos qos_of(struct word word)
{
	if (word_is(word, "burstable"))
		return QOS_BURSTABLE;
	if (word_is(word, "besteffort"))
		return QOS_BESTEFFORT;
	return word_is(word, "kubepods") ? QOS_GUARANTEED : QOS_NONE;
}

/* A UUID, in a slice with _ for -, or the hash of a static pod's manifest. */
static bool read_uid(struct word word, char dash, char *ret, size_t size)
{
	if (is_hex(word, HASH_LEN)) {
		word_copy(word, ret, size);
		return true;
	}
	if (word.len != UUID_LEN)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? word.text[i] != dash : hex_digit(word.text[i]) < 0)
			return false;
	}
	word_copy(word, ret, size);
	ret[8] = ret[13] = ret[18] = ret[23] = '-';
	return true;
}

bool segment_is_pod(const struct segment *segment, struct pod_match *ret)
{
	struct word name = segment->name, leaf, above;
	struct pod_match pod = { .runtime = "" };
	const char *colon = memchr(name.text, ':', name.len);
	struct word podman = last_part(before(name, ".slice"), '-');

	if (word_is(segment->parent, "kata_overhead")) {
		*ret = (struct pod_match){ .runtime = "kata" };
		return true;
	}
	if (word_starts(podman, "libpod_pod_") &&
	    is_hex(skip(podman, strlen("libpod_pod_")), ID_LEN)) {
		*ret = (struct pod_match){ .runtime = "podman" };
		return true;
	}

	if (colon)
		name.len = (size_t)(colon - name.text);
	if (word_ends(name, ".slice")) {
		name = before(name, ".slice");
		leaf = last_part(name, '-');
		above = last_part(first_part(name, '-'), '-');
	} else {
		leaf = name;
		above = segment->parent;
	}
	if (!word_starts(leaf, "pod") ||
	    !read_uid(skip(leaf, 3), leaf.len == segment->name.len ? '-' : '_', pod.uid,
		      sizeof(pod.uid)))
		return false;
	pod.qos = qos_of(above);
	*ret = pod;
	return true;
}

/* "qemu-1-name", as libvirt registers a machine; the number changes with every start. */
static void name_vm(const char *machine, struct vm_match *ret)
{
	const char *number = strchr(machine, '-');
	size_t digits = number ? strspn(number + 1, "0123456789") : 0;
	struct word name = { machine, strlen(machine) };

	if (digits && number[digits + 1] == '-' && number[digits + 2])
		name = skip(name, (size_t)(number + digits + 2 - machine));
	word_copy(name, ret->name, sizeof(ret->name));
}

bool segment_is_vm(const struct segment *segment, struct vm_match *ret)
{
	static const char *const hypervisors[] = { "qemu", "ch", "xen" };
	struct word name = segment->name;
	char machine[PATH_MAX_UNIT];

	/* Proxmox VE. */
	if (word_is(segment->parent, "qemu.slice") && word_ends(name, ".scope") &&
	    name.len > strlen(".scope")) {
		word_copy((struct word){ "qemu", 4 }, ret->hypervisor, sizeof(ret->hypervisor));
		word_copy(before(name, ".scope"), ret->name, sizeof(ret->name));
		return true;
	}
	if (word_ends(name, ".libvirt-qemu") && name.len > strlen(".libvirt-qemu")) {
		unescape(before(name, ".libvirt-qemu"), machine, sizeof(machine));
		word_copy((struct word){ "qemu", 4 }, ret->hypervisor, sizeof(ret->hypervisor));
		name_vm(machine, ret);
		return true;
	}
	if (!word_starts(name, "machine-") || !word_ends(name, ".scope"))
		return false;
	unescape(before(skip(name, strlen("machine-")), ".scope"), machine, sizeof(machine));
	for (size_t i = 0; i < ARRAY_SIZE(hypervisors); i++) {
		struct word driver = { hypervisors[i], strlen(hypervisors[i]) };

		if (strncmp(machine, driver.text, driver.len) || machine[driver.len] != '-' ||
		    !strspn(machine + driver.len + 1, "0123456789"))
			continue;
		word_copy(driver, ret->hypervisor, sizeof(ret->hypervisor));
		name_vm(machine, ret);
		return true;
	}
	return false;
}
