/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "command_line.h"
#include "no_leaks.h"
#include "platform/sbuf.h"

TestSuite(flags_pods, .init = forget_environment, .fini = no_leaks);

Test(flags_pods, are_taken)
{
	struct config config;

	cr_assert(zero(int, parse("--kube-server=https://[fd00::1]:6443 --pods=kube "
				  "--kube-token-file=/proc/self/status --pod-label=app "
				  "--kube-ca-file=/proc/self/limits --pod-label example.com/Team_1 "
				  "--processes=1000 --idle=request --rootfs=/proc --require=pods",
				  &config)),
		  "%s", err);
	cr_expect(eq(int, (int)config.pods, PODS_KUBE));
	cr_expect(eq(str, (char *)config.kube_server, "https://[fd00::1]:6443"));
	cr_expect(eq(str, (char *)config.kube_token_file, "/proc/self/status"));
	cr_expect(eq(str, (char *)config.kube_ca_file, "/proc/self/limits"));
	cr_expect(eq(str, (char *)config.pod_labels[0], "app"));
	cr_expect(eq(str, (char *)config.pod_labels[1], "example.com/Team_1"));
	cr_expect(zero(ptr, (void *)config.pod_labels[2]));
	cr_expect(eq(uint, config.processes, 1000));
	cr_expect(eq(int, (int)config.idle, IDLE_BY_REQUEST));
	cr_expect(eq(str, (char *)config.rootfs, "/proc"));
	cr_expect(eq(uint, config.require, REQUIRE_PODS));

	cr_assert(zero(int, parse("--pods=local --idle=equal", &config)));
	cr_expect(eq(int, (int)config.pods, PODS_LOCAL));
	cr_expect(eq(int, (int)config.idle, IDLE_EQUALLY));
	cr_assert(zero(int, parse("--pods=none --pods=auto --kube-server=http://h", &config)));
	cr_expect(eq(int, (int)config.pods, PODS_AUTO), "the last one holds");
}

Test(flags_pods, know_an_api_server_when_they_see_one)
{
	static const char *const good[] = { "http://h", "https://h:1", "HTTPS://10.0.0.1:65535/",
					    "https://[::1]",
					    "https://a.b-c.example/k8s/clusters/c-1" };
	static const char *const bad[] = { "",
					   "h",
					   "h:6443",
					   "https://",
					   "https:///x",
					   "https://:6443",
					   "https://h:",
					   "https://h:0",
					   "https://h:65536",
					   "https://h:1x",
					   "https://me:secret@h",
					   "https://h?x",
					   "https://h/x#y",
					   "https://h/\xff",
					   "https://[::1",
					   "https://[]",
					   "https://[::1]x",
					   "ftp://h",
					   "unix:///run/x" };
	struct config config;
	char words[256];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(words, sizeof(words), "--kube-server=%s", good[i]);
		cr_expect(zero(int, parse(words, &config)), "%s", err);
		cr_expect(eq(str, (char *)config.kube_server, (char *)good[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(words, sizeof(words), "--kube-server=%s", bad[i]);
		cr_expect(eq(int, parse(words, &config), EXIT_USAGE + 1), "%s", bad[i]);
	}
}

#define C63 "123456789-123456789_123456789.123456789-123456789_123456789.123"

Test(flags_pods, know_a_key_of_a_label_when_they_see_one)
{
	static const char *const good[] = { "a", "App",   "a.b_c-d", "1",
					    C63, "x.y/a", "0-x/A",   "x.y/" C63 };
	static const char *const bad[] = { "-a",   "a-",   ".a",   "a_",        "a b",    "a/",
					   "/a",   "a//b", "A/b",  "a_b/c",     "a..b/c", ".a/b",
					   "a./b", "-a/b", "a\"b", "a\xc3\xa9", C63 "4",  "a=b" };
	struct config config;
	char key[253 + 1 + 63 + 2];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		setenv("PODJOULE_POD_LABEL", good[i], 1);
		cr_expect(zero(int, parse("", &config)), "%s", err);
		cr_expect(eq(str, (char *)config.pod_labels[0], (char *)good[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		setenv("PODJOULE_POD_LABEL", bad[i], 1);
		cr_expect(eq(int, parse("", &config), EXIT_USAGE + 1), "%s", bad[i]);
	}
	/* The longest there is, and one longer. */
	memset(key, 'p', sizeof(key));
	memcpy(key + 253, "/" C63, 65);
	setenv("PODJOULE_POD_LABEL", key, 1);
	cr_expect(zero(int, parse("", &config)), "%s", err);
	cr_expect(eq(str, (char *)config.pod_labels[0], key));
	memcpy(key + 254, "/" C63, 65);
	key[253] = 'p';
	setenv("PODJOULE_POD_LABEL", key, 1);
	cr_expect(eq(int, parse("", &config), EXIT_USAGE + 1));
}

Test(flags_pods, copy_as_many_labels_as_there_is_room_for)
{
	struct config config;
	_sbuf_ struct sbuf words = SBUF_INIT(1024), list = SBUF_INIT(1024);
	char key[32];

	for (int n = 1; n <= MAX_POD_LABELS + 3; n++) {
		int want = n > MAX_POD_LABELS ? EXIT_USAGE + 1 : 0;

		sbuf_printf(&words, "%s--pod-label=k%d", n > 1 ? " " : "", n);
		sbuf_printf(&list, "%sk%d", n > 1 ? "," : "", n);
		setenv("PODJOULE_POD_LABEL", "!", 1);
		cr_assert(eq(int, parse(words.text, &config), want), "a flag wins");
		setenv("PODJOULE_POD_LABEL", list.text, 1);
		cr_assert(eq(int, parse("", &config), want));
		for (int i = 0; !want && i < n; i++) {
			snprintf(key, sizeof(key), "k%d", i + 1);
			cr_assert(eq(str, (char *)config.pod_labels[i], key));
		}
		cr_assert(want || !config.pod_labels[n]);
	}
	cr_expect(ne(ptr, strstr(err, "'k17' is one too many; give at most 16"), NULL), "%s", err);
}

/* A command line, and what is said of it. */
static const char *const bad_lines[][2] = {
	{ "--pods=all", "--pods=all: takes auto, kube, local or none; try --pods=auto" },
	{ "--kube-server=h:1", "--kube-server=h:1: takes http://HOST[:PORT] or "
			       "https://HOST[:PORT]; try --kube-server=https://10.0.0.1:6443" },
	{ "--kube-server=https://h --pods=local",
	  "--kube-server=https://h: contradicts --pods=local, which asks no API server; leave out "
	  "one of the two" },
	{ "--pods=none --kube-token-file=/proc/self/status",
	  "--kube-token-file=/proc/self/status: contradicts --pods=none, which asks no API server; "
	  "leave out one of the two" },
	{ "--pods=none --kube-ca-file=/no/such",
	  "--kube-ca-file=/no/such: contradicts --pods=none, which asks no API server; leave out "
	  "one of the two" },
	{ "--kube-token-file=/no/such",
	  "--kube-token-file=/no/such: cannot read it: No such file or directory; give the file "
	  "with the token of a service account" },
	{ "--kube-token-file=/tmp", "--kube-token-file=/tmp: cannot read it: Not a file; give the "
				    "file with the token of a service account" },
	{ "--kube-ca-file=", "--kube-ca-file=: cannot read it: No such file or directory; give the "
			     "file with the API server's CA in PEM" },
	{ "--pod-label=a/b/c", "--pod-label=a/b/c: 'a/b/c' is no key of a label; give one such as "
			       "app or example.com/team" },
	{ "--pod-label=app,", "--pod-label=app,: '' is no key of a label; give one such as "
			      "app or example.com/team" },
	{ "--pod-label=app --pod-label=app",
	  "--pod-label=app: 'app' is given twice; give it once" },
	{ "--pod-label=my.app --pod-label=x --pod-label=my-app",
	  "--pod-label=my-app: 'my.app' and 'my-app' have the same name in Prometheus; leave out "
	  "one of the two" },
};

Test(flags_pods, say_in_one_line_what_is_wrong_and_what_to_do)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_lines); i++) {
		char want[512];

		snprintf(want, sizeof(want), "podjoule-agent: %s\n", bad_lines[i][1]);
		expect_error(bad_lines[i][0], want);
	}
	setenv("PODJOULE_POD_LABEL", "a.b,c,a-b", 1);
	expect_error("", "podjoule-agent: PODJOULE_POD_LABEL=a.b,c,a-b: 'a.b' and 'a-b' have the "
			 "same name in Prometheus; leave out one of the two\n");
}
