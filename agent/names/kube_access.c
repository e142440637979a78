/* SPDX-License-Identifier: Apache-2.0 */
#include "names/kube_access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "platform/host.h"
#include "platform/log.h"
#include "platform/scope.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define MAX_TOKEN       (16u << 10)

/* Printable, and nothing that ends a host, a path or a line. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || strchr("\"<>\\^`{|}?#@", *text))
			return false;
	return true;
}

static int set_server(const char *server, struct kube_access *ret)
{
	const char *host = NULL;
	size_t len = strlen(server);

	if (!strncasecmp(server, "https://", 8))
		host = server + 8;
	else if (!strncasecmp(server, "http://", 7))
		host = server + 7;
	while (len && server[len - 1] == '/')
		len--;
	if (!host || !host[0] || host[0] == '/' || host[0] == ':' || !is_plain(server) ||
	    len >= sizeof(ret->server)) {
		log_error("--kube-server: '%.200s' is no URL of an API server; write "
			  "https://HOST[:PORT], a user or query has no place in it",
			  strchr(server, '@') ? "…" : server);
		return -EINVAL;
	}
	memcpy(ret->server, server, len);
	ret->server[len] = '\0';
	ret->secure = host == server + 8;
	return 0;
}

/* As the kubelet tells every container. */
static int set_in_cluster(struct kube_access *ret)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	bool v6;
	int len;

	if (!host || !*host || !port || !*port)
		return -ENOENT;
	v6 = strchr(host, ':') && host[0] != '[';
	len = snprintf(ret->server, sizeof(ret->server), "https://%s%s%s:%s", v6 ? "[" : "", host,
		       v6 ? "]" : "", port);
	if (len < 0 || (size_t)len >= sizeof(ret->server) || !is_plain(ret->server) ||
	    port[strspn(port, "0123456789")]) {
		log_error("kube: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no "
			  "address; give --kube-server");
		return -EINVAL;
	}
	ret->secure = true;
	return 0;
}

static int set_node(const char *node, struct kube_access *ret)
{
	static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789-._~";
	size_t n = 0;

	if (!node || !*node || strlen(node) > KUBE_MAX_NODE) {
		log_error("--node-name: '%.60s' is no name of a node; give the name that "
			  "'kubectl get nodes' shows",
			  node ? node : "");
		return -EINVAL;
	}
	snprintf(ret->node, sizeof(ret->node), "%s", node);
	for (; *node; node++) {
		if (strchr(unreserved, *node))
			ret->query_node[n++] = *node;
		else
			n += (size_t)snprintf(ret->query_node + n, 4, "%%%02X",
					      (unsigned char)*node);
	}
	ret->query_node[n] = '\0';
	return 0;
}

/* Where a word that is not encrypted stays on this machine. */
static bool is_here(const char *server)
{
	static const char *const here[] = { "http://127.", "http://localhost", "http://[::1]" };

	for (size_t i = 0; i < ARRAY_SIZE(here); i++)
		if (!strncasecmp(server, here[i], strlen(here[i])))
			return true;
	return false;
}

static int copy(const char *text, char **ret)
{
	if (text)
		*ret = strdup(text);
	return text && !*ret ? -ENOMEM : 0;
}

int kube_access_open(const struct kube_config *config, struct kube_access *ret)
{
	_cleanup_(kube_access_close) struct kube_access access = { .own_token =
									   config->token_file };
	int r;

	r = config->server ? set_server(config->server, &access) : set_in_cluster(&access);
	if (r < 0)
		return r;
	r = set_node(config->node, &access);
	if (r < 0)
		return r;
	r = copy(config->token_file, &access.token_file);
	if (r < 0)
		return r;
	r = copy(config->ca_file, &access.ca_file);
	if (r < 0)
		return r;
	if (access.own_token && !access.secure && !is_here(access.server))
		log_warn("kube: the token of '%s' goes to '%s' where everybody on the way can read "
			 "it; use https",
			 access.token_file, access.server);

	*ret = access;
	access.token_file = access.ca_file = NULL;
	return 0;
}

void kube_access_close(struct kube_access *access)
{
	free(access->token_file);
	free(access->ca_file);
	access->token_file = access->ca_file = NULL;
}

const char *kube_access_ca(const struct kube_access *access)
{
	static const char in_cluster[] = SERVICE_ACCOUNT "/ca.crt";

	if (access->ca_file)
		return access->ca_file;
	return faccessat(AT_FDCWD, in_cluster, R_OK, 0) < 0 ? NULL : in_cluster;
}

static bool is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int set_header(const char *text, size_t len, struct sbuf *ret)
{
	while (len && is_blank(text[len - 1]))
		len--;
	while (len && is_blank(*text)) {
		text++;
		len--;
	}
	if (!is_token(text, len))
		return -EINVAL;
	return sbuf_printf(ret, "Authorization: Bearer %.*s", (int)len, text);
}

int kube_access_token(const struct kube_access *access, struct sbuf *ret)
{
	const char *file = access->own_token ? access->token_file : SERVICE_ACCOUNT "/token";
	char text[MAX_TOKEN];
	_close_ int fd = -1;
	ssize_t len;
	int r;

	sbuf_reset(ret);
	/* The cluster's own token is for the cluster's own server, not for whom a flag names. */
	if (!access->own_token && !access->secure)
		return 0;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT && !access->own_token ? 0 : -errno;
	len = host_pread(fd, text, sizeof(text));
	if (len < 0)
		return (int)len;
	r = (size_t)len + 1 < sizeof(text) ? set_header(text, (size_t)len, ret) : -EFBIG;
	explicit_bzero(text, sizeof(text));
	return r;
}

void kube_access_forget(struct sbuf *token)
{
	if (token->text)
		explicit_bzero(token->text, token->capacity);
	sbuf_reset(token);
}
