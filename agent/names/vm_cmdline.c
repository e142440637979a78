/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of hypervisors: whoever starts a process chooses what we read here. */
#include <string.h>

#include "names/vm.h"
#include "platform/scope.h"

#define UUID_LEN 36

/* The words of a command line, one after the other; each ends in a NUL or with the text. */
struct words {
	const char *at, *end;
};

/* A piece of a word, borrowed: no NUL behind it. */
struct piece {
	const char *text;
	size_t len;
};

static bool next_word(struct words *words, struct piece *ret)
{
	const char *end;

	if (words->at >= words->end)
		return false;
	end = memchr(words->at, 0, (size_t)(words->end - words->at));
	if (!end)
		end = words->end;
	*ret = (struct piece){ words->at, (size_t)(end - words->at) };
	words->at = end + 1;
	return true;
}

static bool is(struct piece piece, const char *text)
{
	return piece.len == strlen(text) && !memcmp(piece.text, text, piece.len);
}

static bool starts(struct piece piece, const char *text)
{
	return piece.len >= strlen(text) && !memcmp(piece.text, text, strlen(text));
}

static struct piece skip(struct piece piece, size_t n)
{
	return (struct piece){ piece.text + n, piece.len - n };
}

static struct piece base_of(struct piece path)
{
	const char *slash = memrchr(path.text, '/', path.len);

	return slash ? skip(path, (size_t)(slash + 1 - path.text)) : path;
}

/* What does not fit is cut off, what is left over is 0. */
static void copy(struct piece piece, char *ret, size_t size)
{
	size_t len = MIN(piece.len, size - 1);

	memset(ret, 0, size);
	memcpy(ret, piece.text, len);
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void copy_uuid(struct piece piece, char ret[40])
{
	if (piece.len != UUID_LEN)
		return;
	for (size_t i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? piece.text[i] != '-' : !is_hex(piece.text[i]))
			return;
	}
	copy(piece, ret, 40);
}

/*
 * One "key=value" of a list in which commas stand between and ",," stands for one.  list moves
 * behind it.  A first element without a key has the key first.  The value is written without its
 * escapes.
 */
static bool next_option(struct piece *list, const char *first, struct piece *ret_key, char *ret,
			size_t size)
{
	struct piece key = { first, strlen(first) };
	size_t at = 0, len = 0, stop = 0;

	if (!list->len)
		return false;
	while (stop < list->len && list->text[stop] != '=' && list->text[stop] != ',')
		stop++;
	if (stop < list->len && list->text[stop] == '=') {
		key = (struct piece){ list->text, stop };
		at = stop + 1;
	}
	memset(ret, 0, size);
	for (; at < list->len; at++) {
		if (list->text[at] == ',') {
			if (at + 1 == list->len || list->text[at + 1] != ',')
				break;
			at++;
		}
		if (len < size - 1)
			ret[len++] = list->text[at];
	}
	*list = skip(*list, MIN(at + 1, list->len));
	*ret_key = key;
	return true;
}

/* The value of a key in such a list, into ret; left alone when it is not there. */
static void read_option(struct piece list, const char *first, const char *wanted, char *ret,
			size_t size)
{
	char value[PATH_MAX_UNIT];
	struct piece key;

	while (next_option(&list, first, &key, value, sizeof(value))) {
		if (is(key, wanted) && value[0])
			copy((struct piece){ value, strlen(value) }, ret, size);
		first = "";
	}
}

static void read_uuid_option(struct piece list, char ret[40])
{
	char text[64] = "";

	read_option(list, "", "uuid", text, sizeof(text));
	copy_uuid((struct piece){ text, strlen(text) }, ret);
}

/* "--id NAME" and "--id=NAME" */
static bool has_value(struct piece word, const char *flag, struct words *words, struct piece *ret)
{
	if (starts(word, flag) && word.len > strlen(flag) && word.text[strlen(flag)] == '=') {
		*ret = skip(word, strlen(flag) + 1);
		return true;
	}
	return is(word, flag) && next_word(words, ret);
}

/* ---- the hypervisors ------------------------------------------------------------------------- */

/* qemu-system-ARCH, and what distributions call it: not qemu-img, -nbd, -ga, nor qemu-x86_64. */
static bool is_qemu(struct piece program)
{
	static const char system[] = "qemu-system-";

	if (is(program, "qemu-kvm") || is(program, "kvm"))
		return true;
	if (!starts(program, system) || program.len == strlen(system))
		return false;
	for (size_t i = strlen(system); i < program.len; i++) {
		char c = program.text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '-'))
			return false;
	}
	return true;
}

/* QEMU takes its options with one dash or two. */
static void read_qemu(struct words words, struct vm_facts *facts)
{
	char id[PATH_MAX_UNIT] = "", smbios[40] = "";
	struct piece word, value;

	while (next_word(&words, &word)) {
		if (starts(word, "--"))
			word = skip(word, 1);
		if (is(word, "-name") && next_word(&words, &value))
			read_option(value, "guest", "guest", facts->name, sizeof(facts->name));
		else if (is(word, "-uuid") && next_word(&words, &value))
			copy_uuid(value, facts->uuid);
		else if (is(word, "-smbios") && next_word(&words, &value))
			read_uuid_option(value, smbios);
		else if (is(word, "-id") && next_word(&words, &value))
			copy(value, id, sizeof(id)); /* Proxmox VE's own */
	}
	if (!facts->name[0])
		memcpy(facts->name, id, sizeof(facts->name));
	if (!facts->uuid[0])
		memcpy(facts->uuid, smbios, sizeof(facts->uuid));
}

static void read_firecracker(struct words words, struct vm_facts *facts)
{
	struct piece word, value;

	while (next_word(&words, &word)) {
		if (is(word, "--"))
			return; /* the jailer's: what follows is for firecracker */
		if (has_value(word, "--id", &words, &value))
			copy(value, facts->name, sizeof(facts->name));
	}
}

static struct piece without(struct piece piece, const char *end)
{
	size_t len = strlen(end);

	if (piece.len > len && !memcmp(piece.text + piece.len - len, end, len))
		piece.len -= len;
	return piece;
}

/* Its socket is the only name that it has: PATH, or path=PATH. */
static void read_cloud_hypervisor(struct words words, struct vm_facts *facts)
{
	struct piece word, value;

	while (next_word(&words, &word)) {
		if (has_value(word, "--api-socket", &words, &value)) {
			char path[4096] = "";

			read_option(value, "path", "path", path, sizeof(path));
			value = base_of((struct piece){ path, strlen(path) });
			value = without(without(value, ".sock"), ".socket");
			copy(value, facts->name, sizeof(facts->name));
		} else if (has_value(word, "--platform", &words, &value)) {
			read_uuid_option(value, facts->uuid);
		}
	}
}

bool vm_of_cmdline(const char *cmdline, size_t len, struct vm_facts *ret)
{
	struct words words = { cmdline, cmdline + len };
	struct vm_facts facts = { 0 };
	const char *hypervisor = NULL;
	struct piece program;

	if (!next_word(&words, &program))
		return false;
	program = base_of(program);
	if (is_qemu(program)) {
		hypervisor = "qemu";
		read_qemu(words, &facts);
	} else if (is(program, "firecracker") || is(program, "jailer")) {
		hypervisor = "firecracker";
		read_firecracker(words, &facts);
		/* Others have jailers too. */
		if (is(program, "jailer") && !facts.name[0])
			return false;
	} else if (is(program, "cloud-hypervisor")) {
		hypervisor = "cloud-hypervisor";
		read_cloud_hypervisor(words, &facts);
	} else {
		return false;
	}
	copy((struct piece){ hypervisor, strlen(hypervisor) }, facts.hypervisor,
	     sizeof(facts.hypervisor));
	*ret = facts;
	return true;
}
