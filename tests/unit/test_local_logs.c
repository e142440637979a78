/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "names/local_logs.h"
#include "no_leaks.h"
#include "platform/scope.h"

TestSuite(local_logs, .fini = no_leaks);

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static unsigned int seed = 1;

static size_t any(size_t max)
{
	return (size_t)rand_r(&seed) % max;
}

static void fill(char *ret, size_t len, const char *inner, const char *outer)
{
	for (size_t i = 0; i < len; i++) {
		const char *set = i == 0 || i == len - 1 ? outer : inner;

		ret[i] = set[any(strlen(set))];
	}
	ret[len] = '\0';
}

#define ALNUM "abcdefghijklmnopqrstuvwxyz0123456789"
#define HEX   "0123456789abcdef"

/* What Kubernetes may call a container, short ones and the longest. */
static struct log_link random_link(size_t max_pod)
{
	struct log_link link;
	char *pod = link.pod.name;

	fill(link.pod.namespace, 1 + any(TEXT_MAX_LABEL), ALNUM "-", ALNUM);
	fill(link.container, 1 + any(TEXT_MAX_LABEL), ALNUM "-", ALNUM);
	fill(pod, 1 + any(max_pod), ALNUM "--..", ALNUM);
	for (char *dot = pod; (dot = strchr(dot, '.')); dot++)
		if (!strchr(ALNUM, dot[-1]) || !strchr(ALNUM, dot[1]))
			*dot = '-';
	fill(link.id, LOG_ID_LEN, HEX, HEX);
	fill(link.pod.uid, any(2) ? 36 : 32, HEX, HEX);
	if (link.pod.uid[32])
		link.pod.uid[8] = link.pod.uid[13] = link.pod.uid[18] = link.pod.uid[23] = '-';
	return link;
}

static void target_of(const struct log_link *link, char *buf, size_t size)
{
	snprintf(buf, size, "/var/log/pods/%s_%s_%s/%s/%zu.log", link->pod.namespace,
		 link->pod.name, link->pod.uid, link->container, any(1000));
}

static void expect_same(const struct log_link *a, const struct log_link *b)
{
	cr_assert(eq(str, (char *)a->pod.namespace, (char *)b->pod.namespace));
	cr_assert(eq(str, (char *)a->pod.name, (char *)b->pod.name));
	cr_assert(eq(str, (char *)a->pod.uid, (char *)b->pod.uid));
	cr_assert(eq(str, (char *)a->container, (char *)b->container));
}

Test(local_logs, give_back_what_any_directory_of_a_pod_was_made_of)
{
	for (int i = 0; i < 20000; i++) {
		struct log_link link = random_link(TEXT_MAX_SUBDOMAIN);
		char entry[LOG_MAX_TARGET];
		struct log_pod read;

		cr_assert(zero(int, log_pod_format(&link.pod, entry, sizeof(entry))));
		cr_assert(zero(int, log_pod_parse(entry, &read)), "%s", entry);
		cr_assert(eq(str, link.pod.namespace, read.namespace));
		cr_assert(eq(str, link.pod.name, read.name));
		cr_assert(eq(str, link.pod.uid, read.uid));
	}
}

Test(local_logs, lose_nothing_of_a_link_but_the_id_and_only_where_the_kubelet_cuts)
{
	int n_cut = 0;

	for (int i = 0; i < 20000; i++) {
		struct log_link link = random_link(TEXT_MAX_SUBDOMAIN), read, named;
		char entry[LOG_MAX_NAME + 1], target[LOG_MAX_TARGET];
		size_t whole = strlen(link.pod.name) + strlen(link.pod.namespace) +
			       strlen(link.container) + LOG_ID_LEN + strlen("__-.log");

		log_link_format(&link, entry, sizeof(entry));
		target_of(&link, target, sizeof(target));
		cr_assert(eq(sz, strlen(entry), MIN(whole, LOG_MAX_NAME)));
		cr_assert(zero(int, log_link_parse(entry, target, &read)), "%s", entry);
		expect_same(&link, &read);
		cr_assert(eq(str, read.id, whole <= LOG_MAX_NAME ? link.id : ""));
		n_cut += whole > LOG_MAX_NAME;
		if (whole > LOG_MAX_NAME)
			continue;
		cr_assert(zero(int, log_name_parse(entry, &named)), "%s", entry);
		cr_assert(eq(str, named.id, link.id));
		link.pod.uid[0] = '\0';
		expect_same(&link, &named);
	}
	cr_assert(gt(int, n_cut, 1000));
	cr_assert(lt(int, n_cut, 19000));
}

Test(local_logs, accept_of_what_is_garbled_only_what_reads_back_the_same)
{
	static const char bytes[] = "_-./\n\\\"\x80 A0a";
	int n_refused = 0;

	for (int i = 0; i < 50000; i++) {
		struct log_link link = random_link(40), read = { .id = "untouched" };
		char entry[LOG_MAX_NAME + 1], target[LOG_MAX_TARGET], again[LOG_MAX_NAME + 1];
		char *text = any(2) ? entry : target;

		log_link_format(&link, entry, sizeof(entry));
		target_of(&link, target, sizeof(target));
		/* Bytes changed, or the end lost. */
		for (size_t n = 1 + any(3); n; n--)
			text[any(strlen(text))] = bytes[any(sizeof(bytes) - 1)];
		if (!any(4))
			text[any(strlen(text))] = '\0';
		if (log_link_parse(entry, target, &read) < 0) {
			cr_assert(eq(str, read.id, "untouched"));
			n_refused++;
			continue;
		}
		log_link_format(&read, again, sizeof(again));
		cr_assert(eq(str, again, entry));
		cr_assert(eq(sz, strspn(again, ALNUM "-._"), strlen(again)));
	}
	cr_assert(gt(int, n_refused, 25000));
}

Test(local_logs, refuse_a_link_that_speaks_of_another_container)
{
	for (int i = 0; i < 2000; i++) {
		struct log_link link = random_link(TEXT_MAX_SUBDOMAIN), other, read;
		char entry[LOG_MAX_NAME + 1], target[LOG_MAX_TARGET];

		other = random_link(TEXT_MAX_SUBDOMAIN);
		log_link_format(&link, entry, sizeof(entry));
		target_of(&other, target, sizeof(target));
		cr_assert(eq(int, log_link_parse(entry, target, &read), -EINVAL), "%s -> %s", entry,
			  target);
	}
}

Test(local_logs, know_what_nodes_have)
{
	static const char dns[] = "kube-system_coredns-76f75df574-x2x9k_"
				  "0f5b6c1e-7a0f-4f10-9d53-0c6a4f7f2b10";
	static const char etcd[] = "kube-system_etcd-node-1.lan_5e5e9b5f3f0a4c6d8b7a6c5d4e3f2a1b";
	struct log_pod pod;
	struct log_link link;

	cr_assert(zero(int, log_pod_parse(dns, &pod)));
	cr_assert(eq(str, pod.namespace, "kube-system"));
	cr_assert(eq(str, pod.name, "coredns-76f75df574-x2x9k"));
	cr_assert(eq(str, pod.uid, "0f5b6c1e-7a0f-4f10-9d53-0c6a4f7f2b10"));
	cr_assert(zero(int, log_pod_parse(etcd, &pod)));
	cr_assert(eq(str, pod.name, "etcd-node-1.lan"));
	cr_assert(eq(str, pod.uid, "5e5e9b5f3f0a4c6d8b7a6c5d4e3f2a1b"));
	cr_assert(zero(int, log_name_parse("web-1_shop_app-" ID ".log", &link)));
	cr_assert(eq(str, link.pod.name, "web-1"));
	cr_assert(eq(str, link.pod.namespace, "shop"));
	cr_assert(eq(str, link.container, "app"));
	cr_assert(eq(str, link.id, ID));
}

/* %s in a pattern is whatever belongs there when all is right. */
static void expand(const char *pattern, const char *with, char *ret, size_t size)
{
	const char *at = strstr(pattern, "%s");

	snprintf(ret, size, "%.*s%s%s", at ? (int)(at - pattern) : 255, pattern, at ? with : "",
		 at ? at + 2 : "");
}

#define UID "0f5b6c1e-7a0f-4f10-9d53-0c6a4f7f2b10"

Test(local_logs, refuse_directories_that_the_kubelet_does_not_make)
{
	static const char *const pods[] = {
		"",
		"_",
		"__",
		"shop_web",
		"shop__%s",
		"_web_%s",
		"-shop_web_%s",
		"shop-_web_%s",
		"Shop_web_%s",
		"shop_we b_%s",
		"shop_web._%s",
		"shop_.web_%s",
		"shop_a..b_%s",
		"shop_web_%s0",
		"shop_web_%s_",
		"shop/web_%s",
		"shop_we_b_%s",
		"shop_web_0f5b6c1e-7a0f-4f10-9d53-0c6a4f7f2b1g",
	};
	char text[LOG_MAX_TARGET];
	struct log_pod pod;

	cr_assert(zero(int, log_pod_parse("shop_web_" UID, &pod)));
	for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
		expand(pods[i], UID, text, sizeof(text));
		cr_expect(eq(int, log_pod_parse(text, &pod), -EINVAL), "%s", text);
	}
}

Test(local_logs, refuse_links_that_the_kubelet_does_not_make)
{
	static const char *const names[] = {
		"",
		".log",
		"a_b_c.log",
		"a_b_c-.log",
		"a_b-%s.log",
		"a_b_c-%s",
		"a_b_c_%s.log",
		"a_b_c-%s0.log",
		"_b_c-%s.log",
		"a__c-%s.log",
		"a_b_-%s.log",
		"a_b_c-%s.log.1",
		"a_b_C-%s.log",
		"a_b_c_d-%s.log",
		"../a_b_c-%s.log",
		"-%s.log",
	};
	static const char *const targets[] = {
		"",
		"/var/log/pods",
		"/var/log/pods/",
		"/var/log/pods/shop_web-1_%s/app/",
		"/var/log/pods/shop_web-1_%s/app/.log",
		"/var/log/pods/shop_web-1_%s/app/0.log/",
		"/var/log/pods/shop_web-1_%s/../0.log",
		"/var/log/pods/../shop_web-1_%s/app/0.log",
		"var/log/pods/shop_web-1_%s/app/0.log",
		"/var/log/pod/shop_web-1_%s/app/0.log",
		"/etc/pods/shop_web-1_%s/app/0.log",
		"/var/log/pods/shop_web-1_%s/app/0.txt",
	};
	char text[LOG_MAX_TARGET];
	struct log_link link;

	cr_assert(zero(int, log_link_parse("web-1_shop_app-" ID ".log",
					   "/var/log/pods/shop_web-1_" UID "/app/0.log", &link)));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		expand(names[i], ID, text, sizeof(text));
		cr_expect(eq(int, log_name_parse(text, &link), -EINVAL), "%s", text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		expand(targets[i], UID, text, sizeof(text));
		cr_expect(
			eq(int, log_link_parse("web-1_shop_app-" ID ".log", text, &link), -EINVAL),
			"%s", text);
	}
}

Test(local_logs, accept_names_up_to_their_limits_and_not_beyond)
{
	char text[400], label[65], subdomain[255];

	memset(label, 'a', sizeof(label));
	memset(subdomain, 'b', sizeof(subdomain));
	cr_assert(text_is_label(label, TEXT_MAX_LABEL));
	cr_assert(not(text_is_label(label, TEXT_MAX_LABEL + 1)));
	cr_assert(text_is_subdomain(subdomain, TEXT_MAX_SUBDOMAIN));
	cr_assert(not(text_is_subdomain(subdomain, TEXT_MAX_SUBDOMAIN + 1)));
	cr_assert(text_is_plain(label, 65, 65));
	cr_assert(not(text_is_plain(label, 65, 64)));
	cr_assert(not(text_is_plain("", 0, 64)));
	for (int c = 0; c < 256; c++) {
		bool is_fine = c && strchr("_-." ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZ", c);

		snprintf(text, sizeof(text), "a%cb", c);
		text[1] = (char)c;
		cr_assert(eq(int, text_is_plain(text, 3, 64), is_fine), "%d", c);
		cr_assert(eq(int, text_is_plain(text + 1, 1, 64), is_fine &&c != '.'), "%d", c);
	}
}
