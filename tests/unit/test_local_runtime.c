/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "local_tree.h"
#include "names/local_runtime.h"
#include "names/rootfs.h"
#include "no_leaks.h"

TestSuite(local_runtime, .init = node_setup, .fini = node_teardown);

#define ID   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define UID  "0f5b6c1e-7a0f-4f10-9d53-0c6a4f7f2b10"
#define TASK "run/containerd/io.containerd.runtime.v2.task/"

static void expect_shop(const struct runtime_facts *facts)
{
	cr_assert(eq(str, (char *)facts->uid, UID));
	cr_assert(eq(str, (char *)facts->namespace, "shop"));
	cr_assert(eq(str, (char *)facts->pod, "web-1"));
	cr_assert(eq(str, (char *)facts->container, "app"));
	cr_assert(eq(int, facts->role, CONTAINER_MAIN));
	cr_assert(eq(u32, facts->cpu_milli, 250));
}

#define CRI_NAMES                                                                                  \
	"\"io.kubernetes.cri.sandbox-name\":\"web-1\","                                            \
	"\"io.kubernetes.cri.sandbox-namespace\":\"shop\","                                        \
	"\"io.kubernetes.cri.sandbox-uid\":\"" UID "\""
#define CRIO_NAMES                                                                                 \
	"\"io.kubernetes.pod.name\":\"web-1\",\"io.kubernetes.pod.namespace\":\"shop\","           \
	"\"io.kubernetes.pod.uid\":\"" UID "\",\"io.kubernetes.container.name\":\"app\""
#define CPU(shares) "\"linux\":{\"resources\":{\"cpu\":{\"shares\":" shares "}}}"

static const char cri[] = "{\"ociVersion\":\"1.1.0\",\"annotations\":{" CRI_NAMES
			  ",\"io.kubernetes.cri.container-type\":\"container\","
			  "\"io.kubernetes.cri.container-name\":\"app\"}," CPU("256") "}";
static const char cri_sandbox[] =
	"{\"annotations\":{" CRI_NAMES
	",\"io.kubernetes.cri.container-type\":\"sandbox\"}," CPU("2") "}";
static const char crio[] = "{\"annotations\":{" CRIO_NAMES
			   ",\"io.kubernetes.cri-o.ContainerType\":\"container\"}," CPU("256") "}";
static const char crio_sandbox[] =
	"{\"annotations\":{" CRIO_NAMES ",\"io.kubernetes.cri-o.ContainerType\":\"sandbox\"}}";
static const char nerdctl[] = "{\"annotations\":{\"nerdctl/name\":\"redis_1\"}}";
static const char docker[] = "{\"ID\":\"" ID "\",\"Name\":\"/proj-web-1\",\"Config\":{\"Labels\":{"
			     "\"com.docker.compose.service\":\"web\"}}}";
static const char docker_unnamed[] =
	"{\"Config\":{\"Labels\":{\"com.docker.compose.service\":\"web\"}}}";
static const char docker_pod[] = "{\"Name\":\"/k8s_app_web-1\",\"Config\":{\"Labels\":{" CRIO_NAMES
				 ",\"io.kubernetes.docker.type\":\"container\"}}}";
static const char docker_sandbox[] = "{\"Name\":\"/k8s_POD\",\"Config\":{\"Labels\":{" CRIO_NAMES
				     ",\"io.kubernetes.docker.type\":\"podsandbox\"}}}";
static const char podman[] =
	"{\"annotations\":{\"io.container.manager\":\"libpod\"}," CPU("1024") "}";
static const char storage[] = "[{\"id\":\"bb\",\"names\":[\"other\"]},{\"id\":\"cc\"},"
			      "{\"id\":\"" ID "\",\"names\":[\"web\",\"more\"]}]";
static const char anonymous[] = "{\"annotations\":{}," CPU("512") "}";

static struct runtime_facts found(const char *id)
{
	struct runtime_facts facts = { .cpu_milli = 0 };

	cr_assert(zero(int, runtime_find(node_fd, id, &facts)));
	return facts;
}

static void put(const char *before, const char *behind, const char *text)
{
	node_put(text, "%s" ID "%s", before, behind);
}

Test(local_runtime, finds_a_container_of_a_pod_wherever_a_runtime_keeps_it)
{
	static const struct {
		const char *before, *behind, *json;
	} cases[] = {
		{ TASK "k8s.io/", "/config.json", cri },
		{ "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json", cri },
		{ "run/k0s/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json", cri },
		{ "run/containers/storage/overlay-containers/", "/userdata/config.json", crio },
		{ "var/lib/containers/storage/overlay-containers/", "/userdata/config.json", crio },
	};
	struct runtime_facts facts;

	cr_assert(not(runtime_is_here(node_fd)));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert(eq(int, runtime_find(node_fd, ID, &facts), -ENOENT));
		put(cases[i].before, cases[i].behind, cases[i].json);
		facts = found(ID);
		expect_shop(&facts);
		cr_assert(runtime_is_here(node_fd));
		node_clear();
	}
}

Test(local_runtime, takes_the_name_from_docker_and_the_shares_from_its_bundle)
{
	struct runtime_facts facts;

	put("var/lib/docker/containers/", "/config.v2.json", docker_pod);
	put(TASK "moby/", "/config.json", "{" CPU("256") "}");
	facts = found(ID);
	expect_shop(&facts);
	put("var/lib/docker/containers/", "/config.v2.json", docker);
	facts = found(ID);
	cr_assert(eq(str, facts.container, "proj-web-1"));
	cr_assert(eq(str, facts.uid, ""));
	cr_assert(eq(u32, facts.cpu_milli, 250));
	put("var/lib/docker/containers/", "/config.v2.json", docker_unnamed);
	cr_assert(eq(str, found(ID).container, "web"));
}

Test(local_runtime, finds_containers_that_are_in_no_pod)
{
	struct runtime_facts facts;

	put(TASK "default/", "/config.json", nerdctl);
	facts = found(ID);
	cr_assert(eq(str, facts.container, "redis_1"));
	cr_assert(eq(str, facts.uid, ""));
	node_clear();

	put("var/lib/containers/storage/overlay-containers/", "/userdata/config.json", podman);
	cr_assert(eq(int, runtime_find(node_fd, ID, &facts), -ENODATA));
	node_put(storage, "var/lib/containers/storage/overlay-containers/containers.json");
	facts = found(ID);
	cr_assert(eq(str, facts.container, "web"));
	cr_assert(eq(u32, facts.cpu_milli, 1000));
}

Test(local_runtime, gives_a_sandbox_its_pod_and_no_name)
{
	static const char *const jsons[] = { cri_sandbox, crio_sandbox };
	struct runtime_facts facts;

	for (size_t i = 0; i <= ARRAY_SIZE(jsons); i++) {
		int r = i < ARRAY_SIZE(jsons)
				? runtime_parse_oci(jsons[i], strlen(jsons[i]), &facts)
				: runtime_parse_docker(docker_sandbox, strlen(docker_sandbox),
						       &facts);

		cr_assert(zero(int, r));
		cr_assert(eq(int, facts.role, CONTAINER_SANDBOX));
		cr_assert(eq(str, facts.container, ""));
		cr_assert(eq(str, facts.uid, UID));
		cr_assert(eq(u32, facts.cpu_milli, 0));
		cr_assert(runtime_is_named(&facts));
	}
}

Test(local_runtime, gets_every_request_back_from_the_shares_that_the_kubelet_made_of_it)
{
	for (unsigned int milli = 3; milli <= 256000; milli += 1 + milli / 97) {
		unsigned int shares = milli * 1024 / 1000;
		struct runtime_facts facts;
		char json[128];

		snprintf(json, sizeof(json), "{" CPU("%u") "}", shares);
		cr_assert(zero(int, runtime_parse_oci(json, strlen(json), &facts)));
		cr_assert(eq(u32, facts.cpu_milli, milli));
	}
}

Test(local_runtime, takes_no_request_from_shares_that_are_none)
{
	static const char *const values[] = { "0",      "1",    "2",     "-1024",  "1e300",
					      "262145", "null", "\"9\"", "[1024]", "{}" };
	struct runtime_facts facts;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		char json[128];

		snprintf(json, sizeof(json), "{" CPU("%s") "}", values[i]);
		cr_assert(zero(int, runtime_parse_oci(json, strlen(json), &facts)));
		cr_assert(eq(u32, facts.cpu_milli, 0), "%s", values[i]);
	}
}

static bool fits(const struct runtime_facts *facts)
{
	return (!facts->uid[0] || text_is_uid(facts->uid, strlen(facts->uid))) &&
	       !facts->uid[0] == !facts->pod[0] && !facts->uid[0] == !facts->namespace[0] &&
	       (!facts->pod[0] || text_is_subdomain(facts->pod, strlen(facts->pod))) &&
	       (!facts->namespace[0] ||
		text_is_label(facts->namespace, strlen(facts->namespace))) &&
	       (!facts->container[0] ||
		text_is_plain(facts->container, strlen(facts->container), POD_MAX_TEXT));
}

Test(local_runtime, believes_nothing_of_a_garbled_file_that_is_no_name)
{
	static const char *const jsons[] = { cri,     cri_sandbox, crio,       crio_sandbox,
					     nerdctl, docker,      docker_pod, docker_sandbox,
					     podman,  anonymous,   storage };
	unsigned int seed = 7, n_refused = 0;

	for (int i = 0; i < 100000; i++) {
		const char *from = jsons[(size_t)rand_r(&seed) % ARRAY_SIZE(jsons)];
		size_t len = strlen(from);
		_free_ char *json = malloc(len);
		struct runtime_facts facts;
		int r;

		memcpy(json, from, len);
		for (int n = 1 + rand_r(&seed) % 4; n; n--)
			json[(size_t)rand_r(&seed) % len] =
				"/.\"{}[],:\\ \0\x80xA-_"[rand_r(&seed) % 18];
		if (rand_r(&seed) % 4 == 0)
			len = (size_t)rand_r(&seed) % len;
		for (int parser = 0; parser < 3; parser++) {
			r = parser == 0   ? runtime_parse_oci(json, len, &facts)
			    : parser == 1 ? runtime_parse_docker(json, len, &facts)
					  : runtime_parse_storage(json, len, ID, &facts);
			cr_assert(r == -EBADMSG || (r == 0 && fits(&facts)), "%.*s", (int)len,
				  json);
			n_refused += r < 0;
		}
	}
	cr_assert(gt(u32, n_refused, 100000));
	cr_assert(lt(u32, n_refused, 299000));
}

Test(local_runtime, makes_no_path_of_what_is_no_id)
{
	static const char *const ids[] = { "",        ".",   "..",   "../a", "a/b", "/etc",
					   ".hidden", "a b", "a\nb", "a%sb", "\x80" };
	char longest[PATH_MAX_ID + 1];
	struct runtime_facts facts;

	node_put(nerdctl, TASK "config.json");
	node_put(nerdctl, TASK "default/config.json");
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		cr_assert(eq(int, runtime_find(node_fd, ids[i], &facts), -EINVAL), "%s", ids[i]);
	memset(longest, 'a', sizeof(longest));
	longest[PATH_MAX_ID] = '\0';
	cr_assert(eq(int, runtime_find(node_fd, longest, &facts), -EINVAL));
	longest[PATH_MAX_ID - 1] = '\0';
	cr_assert(eq(int, runtime_find(node_fd, longest, &facts), -ENOENT));
}

Test(local_runtime, says_why_nothing_was_found)
{
	struct runtime_facts facts;

	put(TASK "k8s.io/", "/config.json", anonymous);
	cr_assert(eq(int, runtime_find(node_fd, ID, &facts), -ENODATA));
	put(TASK "k8s.io/", "/config.json", "{\"annotations\":");
	cr_assert(eq(int, runtime_find(node_fd, ID, &facts), -EBADMSG));
	/* Another runtime may still know. */
	put("var/lib/docker/containers/", "/config.v2.json", docker);
	cr_assert(eq(str, found(ID).container, "proj-web-1"));
}

Test(local_runtime, reads_no_file_that_is_too_large_or_none)
{
	_free_ char *text = NULL;
	char path[512];
	size_t len;
	FILE *file;

	node_put("12345", "some/file");
	cr_assert(zero(int, rootfs_read(node_fd, "some/file", 5, &text, &len)));
	cr_assert(eq(str, text, "12345"));
	cr_assert(eq(sz, len, 5));
	cr_assert(eq(int, rootfs_read(node_fd, "some/file", 4, &text, &len), -EFBIG));
	cr_assert(eq(int, rootfs_read(node_fd, "some", 100, &text, &len), -EINVAL));
	cr_assert(eq(int, rootfs_read(-1, "/etc/passwd", 100000, &text, &len), -EBADF));
	node_path(path, sizeof(path), "some/fifo");
	cr_assert(zero(int, mkfifo(path, 0600)));
	cr_assert(eq(int, rootfs_read(node_fd, "some/fifo", 100, &text, &len), -EINVAL));
	/* A config.json of 2 MiB is not a container's. */
	put(TASK "k8s.io/", "/config.json", cri);
	node_path(path, sizeof(path), TASK "k8s.io/" ID "/config.json");
	file = fopen(path, "a");
	for (int i = 0; i < 2 << 20; i++)
		fputc(' ', file);
	fclose(file);
	cr_assert(eq(int, runtime_find(node_fd, ID, &(struct runtime_facts){ .uid = "" }), -EFBIG));
}

Test(local_runtime, follows_links_but_never_out_of_the_tree)
{
	int (*const opens[])(int, const char *, int) = { rootfs_open, rootfs_walk };
	struct runtime_facts facts;
	int fd;

	/* A data root on another disk. */
	node_put(docker, "mnt/docker/containers/" ID "/config.v2.json");
	node_link("/mnt/docker", "var/lib/docker");
	facts = found(ID);
	cr_assert(eq(str, facts.container, "proj-web-1"));
	node_link("/etc/passwd", "out");
	node_link("../../../../../../../../etc/passwd", "up");
	for (size_t i = 0; i < ARRAY_SIZE(opens); i++) {
		cr_assert(lt(int, opens[i](node_fd, "out", O_RDONLY), 0));
		cr_assert(lt(int, opens[i](node_fd, "up", O_RDONLY), 0));
	}
	cr_assert(eq(int, rootfs_walk(node_fd, "mnt/../mnt", O_RDONLY), -EXDEV));
	cr_assert(eq(int, rootfs_walk(node_fd, "var/lib/docker/containers", O_RDONLY), -ENOTDIR));
	fd = rootfs_walk(node_fd, "mnt/docker/containers/.", O_PATH | O_DIRECTORY);
	cr_assert(ge(int, fd, 0));
	close(fd);
	cr_assert(eq(int, rootfs_walk(node_fd, "mnt/nothing", O_RDONLY), -ENOENT));
}
