/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pod churn: PODS pods of three containers in real cgroups, RATE of which are replaced each second
 * for SECONDS: cgroups, processes and the API server's objects come and go as with a kubelet.
 * Each container burns CPU once, for 1 to 8 ms, and waits for its end.
 *
 *	pod_churn API NODE DIR PODS RATE SECONDS
 *
 * DIR is where pods have their cgroups (…/kubepods/burstable).  Prints "NAMESPACE POD UID CPU_NS"
 *for each, as the kernel charged it, and removes what it has made.
 */
#include <curl/curl.h>

#include "e2e/burner.h"

#define CONTAINERS 3
#define MAX_PODS   1024
#define NAMESPACES 5

struct container {
	char id[NAME_HEX + 1];
	pid_t pid;
};

struct live_pod {
	char uid[37];
	unsigned int serial;
	int dir_fd;
	struct container containers[CONTAINERS];
};

struct churn {
	const char *api, *node;
	int parent_fd;
	CURL *curl;
	cpu_set_t anywhere;
	unsigned int serial;
	struct live_pod pods[MAX_PODS];
};

static size_t swallow(char *bytes _unused_, size_t size, size_t n, void *ctx _unused_)
{
	return size * n;
}

static int call(struct churn *churn, const char *method, const char *path, const char *body)
{
	char url[512];
	long status = 0;

	snprintf(url, sizeof(url), "%s%s", churn->api, path);
	curl_easy_setopt(churn->curl, CURLOPT_URL, url);
	curl_easy_setopt(churn->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(churn->curl, CURLOPT_POSTFIELDS, body ? body : "");
	curl_easy_setopt(churn->curl, CURLOPT_WRITEFUNCTION, swallow);
	if (curl_easy_perform(churn->curl) != CURLE_OK)
		return -EIO;
	curl_easy_getinfo(churn->curl, CURLINFO_RESPONSE_CODE, &status);
	return status / 100 == 2 ? 0 : -EPROTO;
}

static void new_uid(char ret[37])
{
	uint64_t a = random_u64(), b = random_u64();

	snprintf(ret, 37, "%08x-%04x-4%03x-8%03x-%012" PRIx64, (uint32_t)a,
		 (uint32_t)(a >> 32) & 0xffff, (uint32_t)(a >> 48) & 0xfff, (uint32_t)b & 0xfff,
		 b >> 16);
}

static int announce(struct churn *churn, const struct live_pod *pod)
{
	char body[8192];
	size_t n = 0;

#define ADD(...) (n += (size_t)snprintf(body + n, sizeof(body) - n, __VA_ARGS__))
	ADD("{\"items\":[{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":"
	    "\"web-7d4b9c6f5d-%u\",\"namespace\":\"team-%u\",\"uid\":\"%s\",\"labels\":"
	    "{\"app\":\"web\",\"pod-template-hash\":\"7d4b9c6f5d\"},\"ownerReferences\":[{"
	    "\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"web-7d4b9c6f5d\","
	    "\"uid\":\"1\",\"controller\":true}]},\"spec\":{\"nodeName\":\"%s\",\"containers\":[",
	    pod->serial, pod->serial % NAMESPACES, pod->uid, churn->node);
	for (int i = 0; i < CONTAINERS; i++)
		ADD("%s{\"name\":\"c%d\",\"image\":\"i\",\"resources\":{\"requests\":{\"cpu\":"
		    "\"100m\"}}}",
		    i ? "," : "", i);
	ADD("]},\"status\":{\"phase\":\"Running\",\"qosClass\":\"Burstable\","
	    "\"containerStatuses\":[");
	for (int i = 0; i < CONTAINERS; i++)
		ADD("%s{\"name\":\"c%d\",\"ready\":true,\"restartCount\":0,\"containerID\":"
		    "\"containerd://%s\"}",
		    i ? "," : "", i, pod->containers[i].id);
	ADD("]}}]}");
#undef ADD
	return call(churn, "POST", "/fake/seed", body);
}

/* Burns, and then waits to be ended with its pod. */
static pid_t burner_new(uint64_t ns, const cpu_set_t *anywhere)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		raise(SIGSTOP);
		sched_setaffinity(0, sizeof(*anywhere), anywhere);
		burn(ns);
		for (;;)
			pause();
	}
	return pid < 0 ? -errno : pid;
}

static int container_start(struct churn *churn, const struct live_pod *pod, struct container *c)
{
	char pid_text[24];
	_close_ int dir_fd = -1;
	int r;

	random_id(c->id);
	if (mkdirat(pod->dir_fd, c->id, 0755))
		return -errno;
	dir_fd = openat(pod->dir_fd, c->id, O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	c->pid = burner_new((1 + random_u64() % 8) * 1000000, &churn->anywhere);
	if (c->pid < 0)
		return c->pid;
	waitpid(c->pid, NULL, WUNTRACED);
	snprintf(pid_text, sizeof(pid_text), "%d", (int)c->pid);
	r = write_word(dir_fd, "cgroup.procs", pid_text);
	kill(c->pid, r ? SIGKILL : SIGCONT);
	return r;
}

static int pod_start(struct churn *churn, struct live_pod *pod)
{
	char name[64];
	int r = 0;

	pod->serial = churn->serial++;
	new_uid(pod->uid);
	snprintf(name, sizeof(name), "pod%s", pod->uid);
	if (mkdirat(churn->parent_fd, name, 0755))
		return -errno;
	pod->dir_fd = openat(churn->parent_fd, name, O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < CONTAINERS && r == 0; i++)
		r = container_start(churn, pod, &pod->containers[i]);
	return r ? r : announce(churn, pod);
}

static int pod_end(struct churn *churn, struct live_pod *pod)
{
	char text[160];
	uint64_t cpu_ns = 0, sum_ns = 0;
	int r = 0;

	for (int i = 0; i < CONTAINERS; i++) {
		kill(pod->containers[i].pid, SIGKILL);
		waitpid(pod->containers[i].pid, NULL, 0);
	}
	for (int i = 0; i < CONTAINERS && r == 0; i++) {
		_close_ int dir_fd = openat(pod->dir_fd, pod->containers[i].id, O_DIRECTORY);

		r = dir_fd < 0 ? -errno : read_cpu_ns(dir_fd, &cpu_ns);
		sum_ns += cpu_ns;
		if (r == 0)
			r = remove_group(pod->dir_fd, pod->containers[i].id);
	}
	close(pod->dir_fd);
	snprintf(text, sizeof(text), "pod%s", pod->uid);
	if (r == 0)
		r = remove_group(churn->parent_fd, text);
	if (r == 0)
		printf("team-%u web-7d4b9c6f5d-%u %s %" PRIu64 "\n", pod->serial % NAMESPACES,
		       pod->serial, pod->uid, sum_ns);
	snprintf(text, sizeof(text),
		 "/api/v1/namespaces/team-%u/pods/web-7d4b9c6f5d-%u?gracePeriodSeconds=0",
		 pod->serial % NAMESPACES, pod->serial);
	return r ? r : call(churn, "DELETE", text, NULL);
}

static int churn_for(struct churn *churn, unsigned int n_pods, unsigned int rate, uint64_t seconds)
{
	uint64_t start_ns = now_ns();
	int r = 0;

	for (unsigned int i = 0; i < n_pods && r == 0; i++)
		r = pod_start(churn, &churn->pods[i]);
	for (uint64_t i = 0; i < rate * seconds && r == 0; i++) {
		struct live_pod *pod = &churn->pods[i % n_pods];

		while (now_ns() - start_ns < i * (1000000000 / rate))
			pause_us(1000);
		r = pod_end(churn, pod);
		if (r == 0)
			r = pod_start(churn, pod);
	}
	for (unsigned int i = 0; i < n_pods && r == 0; i++)
		r = pod_end(churn, &churn->pods[i]);
	return r;
}

int main(int argc, char **argv)
{
	static struct churn churn;
	uint64_t n_pods, rate, seconds;
	cpu_set_t here;
	int r;

	if (argc != 7 || parse_u64(argv[4], &n_pods) || parse_u64(argv[5], &rate) ||
	    parse_u64(argv[6], &seconds) || !n_pods || n_pods > MAX_PODS || !rate) {
		fputs("usage: pod_churn API NODE DIR PODS RATE SECONDS\n", stderr);
		return 2;
	}
	churn.api = argv[1];
	churn.node = argv[2];
	churn.parent_fd = open(argv[3], O_DIRECTORY | O_CLOEXEC);
	churn.curl = curl_easy_init();
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	if (churn.parent_fd < 0 || !churn.curl ||
	    sched_getaffinity(0, sizeof(churn.anywhere), &churn.anywhere) ||
	    sched_setaffinity(0, sizeof(here), &here)) {
		fprintf(stderr, "pod_churn: cannot begin in '%s': %s\n", argv[3], strerror(errno));
		return 1;
	}
	r = churn_for(&churn, (unsigned int)n_pods, (unsigned int)rate, seconds);
	if (r)
		fprintf(stderr, "pod_churn: '%s': %s\n", argv[3], strerror(-r));
	curl_easy_cleanup(churn.curl);
	return r ? 1 : 0;
}
