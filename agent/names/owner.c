/* SPDX-License-Identifier: Apache-2.0 */
#include "names/owner.h"

#include <stdint.h>
#include <string.h>

#include "names/clip.h"
#include "platform/scope.h"

#define MAX_KIND    63 /* the longest kind that Kubernetes allows */
#define SUFFIX_LEN  5  /* of what a controller makes up for a pod's name */
#define MAX_ORDINAL 6  /* digits; a cluster has no more pods than that */

/* Kubernetes makes up names from these: no vowels, and nothing that looks like one. */
static const char random_letters[] = "bcdfghjklmnpqrstvwxz2456789";
static const char digits[] = "0123456789";

/* What Kubernetes and those who extend it put above pods: these need no memory. */
static const char *const kinds[] = {
	"deployment", "statefulset",           "daemonset", "job",     "cronjob",
	"replicaset", "replicationcontroller", "pod",       "rollout", "cloneset",
};

/* A part of a name: borrowed, no NUL behind it. */
struct part {
	const char *text;
	size_t len;
};

static struct part part_of(const char *text)
{
	return (struct part){ text, strlen(text) };
}

/* Cut NAME-SUFFIX at its last dash.  False: either would be empty. */
static bool split(struct part whole, struct part *ret_name, struct part *ret_suffix)
{
	const char *dash = memrchr(whole.text, '-', whole.len);
	size_t len = dash ? (size_t)(dash - whole.text) : 0;

	if (!len || len + 1 == whole.len)
		return false;
	*ret_name = (struct part){ whole.text, len };
	*ret_suffix = (struct part){ dash + 1, whole.len - len - 1 };
	return true;
}

static bool consists_of(struct part part, const char *letters)
{
	for (size_t i = 0; i < part.len; i++)
		if (!part.text[i] || !strchr(letters, part.text[i]))
			return false;
	return part.len > 0;
}

static bool is_random(struct part part, size_t least, size_t most)
{
	return part.len >= least && part.len <= most && consists_of(part, random_letters);
}

/* Minutes since 1970, which is how CronJobs call their Jobs, or seconds as older ones did. */
static bool is_time(struct part part)
{
	if (!consists_of(part, digits))
		return false;
	return (part.len == 8 && part.text[0] >= '2') || (part.len == 10 && part.text[0] >= '1');
}

static bool is_ordinal(struct part part)
{
	return consists_of(part, digits) && part.len <= MAX_ORDINAL &&
	       (part.text[0] != '0' || part.len == 1);
}

static bool is_name_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* DNS-1123: what is called otherwise was not named by Kubernetes. */
static bool is_dns_name(struct part part)
{
	if (!part.len || part.len > POD_MAX_TEXT || !is_name_letter(part.text[0]) ||
	    !is_name_letter(part.text[part.len - 1]))
		return false;
	for (size_t i = 0; i < part.len; i++)
		if (!is_name_letter(part.text[i]) && part.text[i] != '-' && part.text[i] != '.')
			return false;
	return true;
}

/* Writes at most size bytes, its NUL among them; returns how many. */
static size_t put_text(struct part part, char *buf, size_t size)
{
	size_t len;

	if (!size)
		return 0;
	len = MIN(part.len, size - 1);
	/* Only a name that is cut off can end within a character. */
	if (len < part.len)
		len = clip_len(part.text, len);
	memcpy(buf, part.text, len);
	buf[len] = '\0';
	return len + 1;
}

static struct workload make(const char *kind, struct part name, char *buf, size_t size)
{
	return (struct workload){ .kind = kind, .name = put_text(name, buf, size) ? buf : "" };
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static const char *known_kind(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = 0;

		while (kind[n] && lower(kind[n]) == kinds[i][n])
			n++;
		if (!kind[n] && !kinds[i][n])
			return kinds[i];
	}
	return NULL;
}

/* The controller itself.  A kind that we have not heard of is written behind the name. */
static struct workload controller(const char *kind, struct part name, char *buf, size_t size)
{
	struct workload workload = make("other", name, buf, size);
	size_t used = size ? strlen(buf) + 1 : 0, len = clip_len(kind, MAX_KIND);

	if (size - used <= len)
		return workload;
	for (size_t i = 0; i < len; i++)
		buf[used + i] = lower(kind[i]);
	buf[used + len] = '\0';
	workload.kind = buf + used;
	return workload;
}

struct workload owner_of(const char *kind, const char *name, const char *hash, const char *pod,
			 char *buf, size_t size)
{
	const char *known = known_kind(kind ? kind : "");
	struct part whole = part_of(name ? name : ""), above, suffix;

	/* That a pod belongs to its machine says nothing about what it is for. */
	if (!kind || !*kind || !strcmp(kind, "Node"))
		return make("pod", part_of(pod ? pod : ""), buf, size);
	if (!known)
		return controller(kind, whole, buf, size);
	if (!split(whole, &above, &suffix))
		return make(known, whole, buf, size);
	if (!strcmp(known, "replicaset") && hash && *hash && suffix.len == strlen(hash) &&
	    !memcmp(suffix.text, hash, suffix.len))
		return make("deployment", above, buf, size);
	if (!strcmp(known, "job") && is_time(suffix))
		return make("cronjob", above, buf, size);
	return make(known, whole, buf, size);
}

struct workload owner_guess(const char *pod, char *buf, size_t size)
{
	struct part whole = part_of(pod ? pod : ""), name = whole, above, suffix, hash;
	const char *kind = "pod";
	struct workload workload;

	if (!is_dns_name(whole) || !split(whole, &above, &suffix) || !is_dns_name(above)) {
		kind = "pod";
	} else if (is_random(suffix, SUFFIX_LEN, SUFFIX_LEN)) {
		kind = "daemonset";
		name = above;
		if (split(above, &above, &hash) && is_dns_name(above) &&
		    (is_time(hash) || is_random(hash, 8, 10))) {
			/* Digits alone are far likelier to be a time than a hash. */
			kind = is_time(hash) ? "cronjob" : "deployment";
			name = above;
		}
	} else if (is_ordinal(suffix)) {
		kind = "statefulset";
		name = above;
	}
	workload = make(kind, name, buf, size);
	workload.derived = true;
	return workload;
}
