/* SPDX-License-Identifier: Apache-2.0 */
/* Names of pods and containers: directories, links and files that others write. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "names/local_logs.h"
#include "names/local_runtime.h"
#include "platform/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): the law must hold in every build. */
static void require(int truth)
{
	if (!truth)
		abort();
}

static int is_made_of(const char *text, const char *set, size_t min, size_t max)
{
	size_t len = strlen(text);

	return len >= min && len <= max && strspn(text, set) == len;
}

#define HEX    "0123456789abcdef"
#define LABEL  "abcdefghijklmnopqrstuvwxyz0123456789-"
#define PLAIN  LABEL "ABCDEFGHIJKLMNOPQRSTUVWXYZ_."
#define DASHED HEX "ABCDEF-"

static void check_pod(const char *namespace, const char *name, const char *uid)
{
	require(is_made_of(namespace, LABEL, 1, 63));
	require(is_made_of(name, LABEL ".", 1, 253));
	require(is_made_of(uid, DASHED, 36, 36) || is_made_of(uid, HEX, 32, 32));
}

static void try_pod(const char *entry)
{
	char again[512];
	struct log_pod pod;

	if (log_pod_parse(entry, &pod) < 0)
		return;
	check_pod(pod.namespace, pod.name, pod.uid);
	require(log_pod_format(&pod, again, sizeof(again)) == 0 && !strcmp(again, entry));
}

static void try_name(const char *entry)
{
	char again[LOG_MAX_NAME + 1];
	struct log_link link;

	if (log_name_parse(entry, &link) < 0)
		return;
	require(is_made_of(link.id, HEX, 64, 64) && is_made_of(link.container, LABEL, 1, 63));
	require(!link.pod.uid[0]);
	log_link_format(&link, again, sizeof(again));
	require(!strcmp(again, entry));
}

/* "NAME\nTARGET" */
static void try_link(char *entry)
{
	char *target = strchr(entry, '\n'), again[LOG_MAX_NAME + 1];
	struct log_link link, named;

	if (!target)
		return;
	*target++ = '\0';
	if (log_link_parse(entry, target, &link) < 0)
		return;
	check_pod(link.pod.namespace, link.pod.name, link.pod.uid);
	require(is_made_of(link.container, LABEL, 1, 63));
	if (!link.id[0]) {
		/* Whatever the id was, this much of the name is left. */
		require(strlen(entry) == LOG_MAX_NAME);
		return;
	}
	require(is_made_of(link.id, HEX, 64, 64));
	log_link_format(&link, again, sizeof(again));
	require(!strcmp(again, entry));
	require(log_name_parse(entry, &named) == 0 && !strcmp(named.id, link.id));
}

static void try_file(char kind, const char *json, size_t len)
{
	struct runtime_facts facts = { .role = CONTAINER_MAIN };
	int r;

	r = kind == 'o'   ? runtime_parse_oci(json, len, &facts)
	    : kind == 'd' ? runtime_parse_docker(json, len, &facts)
			  : runtime_parse_storage(json, len, "web", &facts);
	if (r < 0) {
		/* Refused whole. */
		require(!facts.uid[0] && !facts.container[0]);
		return;
	}
	if (facts.uid[0])
		check_pod(facts.namespace, facts.pod, facts.uid);
	else
		require(!facts.namespace[0] && !facts.pod[0]);
	require(is_made_of(facts.container, PLAIN, 0, POD_MAX_TEXT));
	require(facts.container[0] != '.');
	require(facts.role == CONTAINER_MAIN ||
		(facts.role == CONTAINER_SANDBOX && !facts.container[0]));
	require(facts.cpu_milli <= 256000);
}

/* The first letter says what the rest is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_free_ char *text = NULL;

	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0]) {
	case 'p':
		try_pod(text);
		break;
	case 'n':
		try_name(text);
		break;
	case 'l':
		try_link(text);
		break;
	case 'o':
	case 'd':
	case 's':
		/* Without the NUL: a file has none. */
		try_file((char)data[0], (const char *)data + 1, size - 1);
		break;
	default:
		break;
	}
	return 0;
}
