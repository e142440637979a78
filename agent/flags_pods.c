/* SPDX-License-Identifier: Apache-2.0 */
#include "flags_pods.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "flags.h"
#include "platform/parse.h"

/* Of a label's key, [PREFIX/]NAME, as Kubernetes limits it. */
#define MAX_PREFIX 253
#define MAX_NAME   63
#define MAX_KEY    (MAX_PREFIX + 1 + MAX_NAME)

#define SMALL "abcdefghijklmnopqrstuvwxyz0123456789"
#define WORD  SMALL "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const char *const mode_names[] = {
	[PODS_AUTO] = "auto",
	[PODS_KUBE] = "kube",
	[PODS_LOCAL] = "local",
	[PODS_NONE] = "none",
};

int set_pods(const struct setting *setting)
{
	unsigned int mode = PODS_AUTO;

	if (flag_word(setting, mode_names, ARRAY_SIZE(mode_names),
		      "takes auto, kube, local or none", &mode) < 0)
		return -EINVAL;
	setting->config->pods = (enum pods_mode)mode;
	return 0;
}

/* How to reach a server that nobody is going to ask is a contradiction, not a wish. */
static int check_asked(const struct setting *setting)
{
	enum pods_mode mode = setting->config->pods;

	if (mode == PODS_AUTO || mode == PODS_KUBE)
		return 0;
	return flag_error("%s=%.*s: contradicts --pods=%s, which asks no API server; "
			  "leave out one of the two",
			  setting->origin, FLAG_SHOWN, setting->value, mode_names[mode]);
}

static bool is_port(const char *text)
{
	uint64_t port;

	return !*text || (text[0] == ':' && strspn(text + 1, "0123456789") == strlen(text + 1) &&
			  !parse_u64(text + 1, &port) && port >= 1 && port <= 65535);
}

/* HOST[:PORT] or [IPV6][:PORT] */
static bool is_authority(const char *text)
{
	size_t len = strspn(text, WORD "-._");

	if (*text != '[')
		return len && is_port(text + len);
	len = strspn(text + 1, "0123456789abcdefABCDEF:.");
	return len && text[1 + len] == ']' && is_port(text + 2 + len);
}

static bool is_server(const char *url)
{
	static const char *const schemes[] = { "http://", "https://" };
	char authority[300];
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (strncasecmp(url, schemes[i], strlen(schemes[i])))
			continue;
		url += strlen(schemes[i]);
		len = strcspn(url, "/");
		if (len >= sizeof(authority))
			return false;
		memcpy(authority, url, len);
		authority[len] = '\0';
		/* A proxy may serve it below a path; a password would end up in every log. */
		return is_authority(authority) &&
		       !url[len + strspn(url + len, WORD "-._~%!$&'()*+,;=:/")];
	}
	return false;
}

int set_kube_server(const struct setting *setting)
{
	if (check_asked(setting) < 0)
		return -EINVAL;
	if (!is_server(setting->value))
		return flag_refuse(setting, "takes http://HOST[:PORT] or https://HOST[:PORT]",
				   "https://10.0.0.1:6443");
	setting->config->kube_server = setting->value;
	return 0;
}

int set_kube_token_file(const struct setting *setting)
{
	if (check_asked(setting) < 0)
		return -EINVAL;
	return flag_file(setting, "give the file with the token of a service account",
			 &setting->config->kube_token_file);
}

int set_kube_ca_file(const struct setting *setting)
{
	if (check_asked(setting) < 0)
		return -EINVAL;
	return flag_file(setting, "give the file with the API server's CA in PEM",
			 &setting->config->kube_ca_file);
}

static bool is_ends(const char *text, size_t len, const char *ends, const char *within)
{
	return len && strchr(ends, text[0]) && strchr(ends, text[len - 1]) &&
	       strspn(text, within) >= len;
}

/* DNS-1123: words between dots, none of them empty. */
static bool is_prefix(const char *text, size_t len)
{
	if (len > MAX_PREFIX)
		return false;
	for (size_t at = 0; at <= len;) {
		size_t word = strcspn(text + at, "./");

		if (!is_ends(text + at, word, SMALL, SMALL "-"))
			return false;
		at += word + 1;
	}
	return true;
}

static bool is_key(const char *key)
{
	const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;
	size_t len = strlen(name);

	if (slash && !is_prefix(key, (size_t)(slash - key)))
		return false;
	return len <= MAX_NAME && is_ends(name, len, WORD, WORD "-_.");
}

static char label_char(char c)
{
	return (char)(strchr(WORD, c) ? c : '_');
}

/* Prometheus knows fewer characters than Kubernetes: two keys may become one name. */
static bool same_label(const char *a, const char *b)
{
	while (*a && *b && label_char(*a) == label_char(*b)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

static int check_unlike(const struct setting *setting, const char *key)
{
	for (const char *const *other = setting->config->pod_labels; *other; other++) {
		if (!strcmp(*other, key))
			return flag_error("%s=%.*s: '%s' is given twice; give it once",
					  setting->origin, FLAG_SHOWN, setting->value, key);
		if (same_label(*other, key))
			return flag_error("%s=%.*s: '%s' and '%s' have the same name in "
					  "Prometheus; leave out one of the two",
					  setting->origin, FLAG_SHOWN, setting->value, *other, key);
	}
	return 0;
}

static int add_key(const struct setting *setting, const char *word, size_t len)
{
	static char keys[MAX_POD_LABELS][MAX_KEY + 1];
	char key[MAX_KEY + 1];
	size_t n = 0;

	snprintf(key, sizeof(key), "%.*s", (int)MIN(len, MAX_KEY), word);
	if (len > MAX_KEY || !is_key(key))
		return flag_error("%s=%.*s: '%.*s' is no key of a label; "
				  "give one such as app or example.com/team",
				  setting->origin, FLAG_SHOWN, setting->value, FLAG_SHOWN, key);
	while (setting->config->pod_labels[n])
		n++;
	if (n == MAX_POD_LABELS)
		return flag_error("%s=%.*s: '%s' is one too many; give at most %d", setting->origin,
				  FLAG_SHOWN, setting->value, key, MAX_POD_LABELS);
	if (check_unlike(setting, key) < 0)
		return -EINVAL;
	memcpy(keys[n], key, sizeof(key));
	setting->config->pod_labels[n] = keys[n];
	return 0;
}

int set_pod_label(const struct setting *setting)
{
	for (const char *word = setting->value;;) {
		size_t len = strcspn(word, ",");

		if (add_key(setting, word, len) < 0)
			return -EINVAL;
		if (!word[len])
			return 0;
		word += len + 1;
	}
}
