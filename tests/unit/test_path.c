/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "names/path.h"
#include "no_leaks.h"

TestSuite(path, .fini = no_leaks);

#define H    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define H0   "ffffffffffffffffffffffffffffffff00000000000000000000000000000000"
#define U    "8a3c71de-9f0c-4b5e-8d2a-0011223344ff"
#define U_   "8a3c71de_9f0c_4b5e_8d2a_0011223344ff"
#define HASH "9fdc5f34b2c1aa0b6c2f1e0d3c4b5a69"
#define KUBE "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" U_ ".slice"
#define KIND "/system.slice/docker-" H0 ".scope"

struct path_case {
	const char *path;
	enum path_class class;
	const char *runtime, *container, *uid;
	enum path_qos qos;
	const char *node, *unit, *vm;
};

static void expect(const struct path_case *c)
{
	struct path_name name;

	path_parse(c->path, &name);
	cr_expect(eq(int, name.class, c->class), "class of %s", c->path);
	cr_expect(eq(str, name.runtime, (char *)c->runtime), "runtime of %s", c->path);
	cr_expect(eq(str, name.container_id, (char *)c->container), "container of %s", c->path);
	cr_expect(eq(str, name.pod_uid, (char *)c->uid), "pod of %s", c->path);
	cr_expect(eq(int, name.qos, c->qos), "qos of %s", c->path);
	cr_expect(eq(str, name.node_container, (char *)c->node), "node of %s", c->path);
	cr_expect(eq(str, name.unit, (char *)c->unit), "unit of %s", c->path);
	cr_expect(eq(str, name.vm, (char *)(c->vm ? c->vm : "")), "vm of %s", c->path);
}

#define EXPECT_ALL(cases)                                                                          \
	for (size_t _i = 0; _i < sizeof(cases) / sizeof((cases)[0]); _i++)                         \
	expect(&(cases)[_i])

Test(path, finds_containers_of_pods)
{
	static const struct path_case cases[] = {
		{ KUBE "/cri-containerd-" H ".scope", PATH_CONTAINER, "containerd", H, U,
		  QOS_BURSTABLE, "", "cri-containerd-" H ".scope", NULL },
		{ "/kubepods.slice/kubepods-pod" U_ ".slice/cri-containerd-" H ".scope",
		  PATH_CONTAINER, "containerd", H, U, QOS_GUARANTEED, "",
		  "cri-containerd-" H ".scope", NULL },
		{ "/kubepods/burstable/pod" U "/" H, PATH_CONTAINER, "", H, U, QOS_BURSTABLE, "",
		  "/kubepods/burstable/pod" U "/" H, NULL },
		{ "/kubepods/besteffort/pod" U "/" H "/", PATH_CONTAINER, "", H, U, QOS_BESTEFFORT,
		  "", "/kubepods/besteffort/pod" U "/" H, NULL },
		{ "/kubepods/pod" U "/" H, PATH_CONTAINER, "", H, U, QOS_GUARANTEED, "",
		  "/kubepods/pod" U "/" H, NULL },
		{ "/system.slice/containerd.service/kubepods-besteffort-pod" U_
		  ".slice:cri-containerd:" H,
		  PATH_CONTAINER, "containerd", H, U, QOS_BESTEFFORT, "", "containerd.service",
		  NULL },
		{ "/podruntime.slice/containerd.service/kubepods-pod" U_ ".slice:cri-containerd:" H,
		  PATH_CONTAINER, "containerd", H, U, QOS_GUARANTEED, "", "containerd.service",
		  NULL },
		{ "/system.slice/crio.service/kubepods-burstable-pod" U_ ".slice:crio:" H,
		  PATH_CONTAINER, "crio", H, U, QOS_BURSTABLE, "", "crio.service", NULL },
		{ "/system.slice/docker.service/kubepods-pod" U_ ".slice:docker:" H, PATH_CONTAINER,
		  "docker", H, U, QOS_GUARANTEED, "", "docker.service", NULL },
		{ KUBE "/crio-" H ".scope", PATH_CONTAINER, "crio", H, U, QOS_BURSTABLE, "",
		  "crio-" H ".scope", NULL },
		{ KUBE "/crio-" H ".scope/container", PATH_CONTAINER, "crio", H, U, QOS_BURSTABLE,
		  "", "crio-" H ".scope", NULL },
		{ "/kubepods/besteffort/pod" U "/crio-" H, PATH_CONTAINER, "crio", H, U,
		  QOS_BESTEFFORT, "", "/kubepods/besteffort/pod" U "/crio-" H, NULL },
		{ KUBE "/docker-" H ".scope", PATH_CONTAINER, "docker", H, U, QOS_BURSTABLE, "",
		  "docker-" H ".scope", NULL },
		/* --cgroup-root of the kubelet. */
		{ "/k8s/kubepods/besteffort/pod" U "/" H, PATH_CONTAINER, "", H, U, QOS_BESTEFFORT,
		  "", "/k8s/kubepods/besteffort/pod" U "/" H, NULL },
		/* What an application makes in its container is the container's. */
		{ KUBE "/cri-containerd-" H ".scope/my/own", PATH_CONTAINER, "containerd", H, U,
		  QOS_BURSTABLE, "", "cri-containerd-" H ".scope", NULL },
		{ "/kubepods/pod" U "/" H "/my/own", PATH_CONTAINER, "", H, U, QOS_GUARANTEED, "",
		  "/kubepods/pod" U "/" H "/my/own", NULL },
		/* systemd in a container. */
		{ KUBE "/cri-containerd-" H ".scope/system.slice/nginx.service", PATH_CONTAINER,
		  "containerd", H, U, QOS_BURSTABLE, "", "nginx.service", NULL },
		/* k3s without root. */
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/k3s-rootless.service/"
		  "k3s_evac/kubepods/burstable/pod" U "/" H,
		  PATH_CONTAINER, "", H, U, QOS_BURSTABLE, "", "k3s-rootless.service", NULL },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/k3s-rootless.service/"
		  "kubepods.slice/kubepods-pod" U_ ".slice/cri-containerd-" H ".scope",
		  PATH_CONTAINER, "containerd", H, U, QOS_GUARANTEED, "",
		  "cri-containerd-" H ".scope", NULL },
	};

	EXPECT_ALL(cases);
}

Test(path, knows_static_pods_by_the_hash_of_their_manifest)
{
	static const struct path_case cases[] = {
		{ "/kubepods/burstable/pod" HASH "/" H, PATH_CONTAINER, "", H, HASH, QOS_BURSTABLE,
		  "", "/kubepods/burstable/pod" HASH "/" H, NULL },
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" HASH
		  ".slice/cri-containerd-" H ".scope",
		  PATH_CONTAINER, "containerd", H, HASH, QOS_BURSTABLE, "",
		  "cri-containerd-" H ".scope", NULL },
		{ "/kubepods.slice/kubepods-pod" HASH ".slice/crio-" H ".scope", PATH_CONTAINER,
		  "crio", H, HASH, QOS_GUARANTEED, "", "crio-" H ".scope", NULL },
		{ "/kubepods/pod" HASH "/" H, PATH_CONTAINER, "", H, HASH, QOS_GUARANTEED, "",
		  "/kubepods/pod" HASH "/" H, NULL },
	};

	EXPECT_ALL(cases);
}

Test(path, leaves_what_is_no_container_to_the_pod)
{
	static const struct path_case cases[] = {
		{ KUBE, PATH_POD, "", "", U, QOS_BURSTABLE, "",
		  "kubepods-burstable-pod" U_ ".slice", NULL },
		{ "/kubepods/besteffort/pod" U, PATH_POD, "", "", U, QOS_BESTEFFORT, "",
		  "/kubepods/besteffort/pod" U, NULL },
		{ KUBE "/crio-conmon-" H ".scope", PATH_POD, "", "", U, QOS_BURSTABLE, "",
		  "crio-conmon-" H ".scope", NULL },
		{ "/kubepods/besteffort/pod" U "/crio-conmon-" H, PATH_POD, "", "", U,
		  QOS_BESTEFFORT, "", "/kubepods/besteffort/pod" U "/crio-conmon-" H, NULL },
		{ KUBE "/kata_" H, PATH_POD, "kata", "", U, QOS_BURSTABLE, "",
		  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" U_
		  ".slice/kata_" H,
		  NULL },
		{ "/kubepods/burstable/pod" U "/kata_" H, PATH_POD, "kata", "", U, QOS_BURSTABLE,
		  "", "/kubepods/burstable/pod" U "/kata_" H, NULL },
		{ "/kata_overhead/" H, PATH_POD, "kata", "", "", QOS_NONE, "", "/kata_overhead/" H,
		  NULL },
		{ "/machine.slice/machine-libpod_pod_" H ".slice", PATH_POD, "podman", "", "",
		  QOS_NONE, "", "machine-libpod_pod_" H ".slice", NULL },
		{ "/machine.slice/machine-libpod_pod_" H0 ".slice/libpod-conmon-" H ".scope",
		  PATH_POD, "podman", "", "", QOS_NONE, "", "libpod-conmon-" H ".scope", NULL },
		/* gVisor, and a static pod without its containers. */
		{ "/kubepods/pod" U, PATH_POD, "", "", U, QOS_GUARANTEED, "", "/kubepods/pod" U,
		  NULL },
		{ "/kubepods.slice/kubepods-pod" HASH ".slice", PATH_POD, "", "", HASH,
		  QOS_GUARANTEED, "", "kubepods-pod" HASH ".slice", NULL },
	};
	char unit[PATH_MAX_UNIT];
	const size_t long_one = 4;
	struct path_case kata = cases[long_one];

	/* Longer than a unit may be: the end is kept. */
	if (strlen(kata.unit) >= sizeof(unit)) {
		const size_t keep = sizeof(unit) - 4;

		memcpy(unit, "...", 3);
		memcpy(unit + 3, kata.unit + strlen(kata.unit) - keep, keep + 1);
		kata.unit = unit;
	}
	expect(&kata);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (i != long_one)
			expect(&cases[i]);
}

Test(path, finds_containers_without_kubernetes)
{
	static const struct path_case cases[] = {
		{ "/system.slice/docker-" H ".scope", PATH_CONTAINER, "docker", H, "", QOS_NONE, "",
		  "docker-" H ".scope", NULL },
		{ "/docker/" H, PATH_CONTAINER, "docker", H, "", QOS_NONE, "", "/docker/" H, NULL },
		{ "/" H, PATH_CONTAINER, "docker", H, "", QOS_NONE, "", "/" H, NULL },
		{ "/actions_job/" H, PATH_CONTAINER, "docker", H, "", QOS_NONE, "",
		  "/actions_job/" H, NULL },
		{ "/default/" H, PATH_CONTAINER, "containerd", H, "", QOS_NONE, "", "/default/" H,
		  NULL },
		{ "/system.slice/containerd-" H ".scope", PATH_CONTAINER, "containerd", H, "",
		  QOS_NONE, "", "containerd-" H ".scope", NULL },
		{ "/system.slice/nerdctl-" H ".scope", PATH_CONTAINER, "nerdctl", H, "", QOS_NONE,
		  "", "nerdctl-" H ".scope", NULL },
		{ "/machine.slice/libpod-" H ".scope", PATH_CONTAINER, "podman", H, "", QOS_NONE,
		  "", "libpod-" H ".scope", NULL },
		/* One container, whatever is split off for its monitor. */
		{ "/machine.slice/libpod-" H ".scope/libpod-payload-" H, PATH_CONTAINER, "podman",
		  H, "", QOS_NONE, "", "libpod-" H ".scope", NULL },
		{ "/machine.slice/libpod-" H ".scope/container", PATH_CONTAINER, "podman", H, "",
		  QOS_NONE, "", "libpod-" H ".scope", NULL },
		{ "/machine.slice/machine-libpod_pod_" H0 ".slice/libpod-" H ".scope",
		  PATH_CONTAINER, "podman", H, "", QOS_NONE, "", "libpod-" H ".scope", NULL },
		{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" H
		  ".scope/container",
		  PATH_CONTAINER, "podman", H, "", QOS_NONE, "", "libpod-" H ".scope", NULL },
		{ "/user.slice/user-libpod_pod_" H0 ".slice/libpod-" H ".scope", PATH_CONTAINER,
		  "podman", H, "", QOS_NONE, "", "libpod-" H ".scope", NULL },
		{ "/libpod_parent/libpod-" H, PATH_CONTAINER, "podman", H, "", QOS_NONE, "",
		  "/libpod_parent/libpod-" H, NULL },
		{ "/system.slice/web.service/libpod-payload-" H, PATH_CONTAINER, "podman", H, "",
		  QOS_NONE, "", "web.service", NULL },
		{ "/system.slice/web.service/supervisor", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "web.service", NULL },
		{ "/ecs/" HASH "/" HASH "-0123456789", PATH_CONTAINER, "ecs", HASH "-0123456789",
		  "", QOS_NONE, "", "/ecs/" HASH "/" HASH "-0123456789", NULL },
		{ "/ecs/" HASH "/" H, PATH_CONTAINER, "docker", H, "", QOS_NONE, "",
		  "/ecs/" HASH "/" H, NULL },
		{ "/ecstasks.slice/ecstasks-" HASH ".slice/docker-" H ".scope", PATH_CONTAINER,
		  "docker", H, "", QOS_NONE, "", "docker-" H ".scope", NULL },
		{ "/lxc.payload.web-1", PATH_CONTAINER, "lxc", "web-1", "", QOS_NONE, "",
		  "/lxc.payload.web-1", NULL },
		{ "/lxc.payload.web-1/system.slice/ssh.service", PATH_CONTAINER, "lxc", "web-1", "",
		  QOS_NONE, "", "ssh.service", NULL },
		{ "/lxc/104/ns/init.scope", PATH_CONTAINER, "lxc", "104", "", QOS_NONE, "",
		  "init.scope", NULL },
		{ "/machine.slice/systemd-nspawn@my\\x2dbox.service/payload/init.scope",
		  PATH_CONTAINER, "nspawn", "my-box", "", QOS_NONE, "", "init.scope", NULL },
		{ "/machine.slice/systemd-nspawn@box.service/supervisor", PATH_CONTAINER, "nspawn",
		  "box", "", QOS_NONE, "", "systemd-nspawn@box.service", NULL },
		{ "/machine.slice/machine-lxc\\x2d12\\x2dbox.scope", PATH_CONTAINER, "lxc",
		  "lxc-12-box", "", QOS_NONE, "", "machine-lxc\\x2d12\\x2dbox.scope", NULL },
		{ "/machine.slice/machine-box.scope", PATH_CONTAINER, "nspawn", "box", "", QOS_NONE,
		  "", "machine-box.scope", NULL },
	};

	EXPECT_ALL(cases);
}

Test(path, lets_the_deepest_match_win_and_remembers_the_outermost)
{
	static const struct path_case cases[] = {
		{ KIND "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
		       "kubelet-kubepods-besteffort-pod" U_ ".slice/cri-containerd-" H ".scope",
		  PATH_CONTAINER, "containerd", H, U, QOS_BESTEFFORT, H0,
		  "cri-containerd-" H ".scope", NULL },
		{ "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" U_
		  ".slice/cri-containerd-" H ".scope",
		  PATH_CONTAINER, "containerd", H, U, QOS_GUARANTEED, "",
		  "cri-containerd-" H ".scope", NULL },
		{ KIND "/kubelet/kubepods/burstable/pod" HASH "/" H, PATH_CONTAINER, "", H, HASH,
		  QOS_BURSTABLE, H0, "docker-" H0 ".scope", NULL },
		{ KIND "/kubelet/kubepods/burstable/pod" HASH, PATH_POD, "", "", HASH,
		  QOS_BURSTABLE, H0, "docker-" H0 ".scope", NULL },
		{ KIND "/init.scope", PATH_CONTAINER, "docker", H0, "", QOS_NONE, "", "init.scope",
		  NULL },
		{ KIND, PATH_CONTAINER, "docker", H0, "", QOS_NONE, "", "docker-" H0 ".scope",
		  NULL },
		{ KIND "/kubelet/kubepods/besteffort/pod" U "/" H, PATH_CONTAINER, "", H, U,
		  QOS_BESTEFFORT, H0, "docker-" H0 ".scope", NULL },
		{ KIND "/system.slice/containerd.service", PATH_CONTAINER, "docker", H0, "",
		  QOS_NONE, "", "containerd.service", NULL },
		{ KIND "/system.slice/kubelet.service", PATH_CONTAINER, "docker", H0, "", QOS_NONE,
		  "", "kubelet.service", NULL },
		{ KIND KUBE "/docker-" H ".scope", PATH_CONTAINER, "docker", H, U, QOS_BURSTABLE,
		  H0, "docker-" H ".scope", NULL },
		{ KIND "/kubepods/besteffort/pod" U "/" H, PATH_CONTAINER, "", H, U, QOS_BESTEFFORT,
		  H0, "docker-" H0 ".scope", NULL },
		/* docker in docker. */
		{ "/docker/" H0 "/docker/" H, PATH_CONTAINER, "docker", H, "", QOS_NONE, H0,
		  "/docker/" H0 "/docker/" H, NULL },
		{ KUBE "/cri-containerd-" H0 ".scope/docker/" H, PATH_CONTAINER, "docker", H, U,
		  QOS_BURSTABLE, H0, "cri-containerd-" H0 ".scope", NULL },
		/* docker in LXD, kind in a pod. */
		{ "/lxc.payload.web/system.slice/docker-" H ".scope", PATH_CONTAINER, "docker", H,
		  "", QOS_NONE, "web", "docker-" H ".scope", NULL },
		{ KUBE "/cri-containerd-" H0 ".scope/kubelet/kubepods/pod" HASH "/" H,
		  PATH_CONTAINER, "", H, HASH, QOS_GUARANTEED, H0, "cri-containerd-" H0 ".scope",
		  NULL },
	};

	EXPECT_ALL(cases);
}

Test(path, finds_virtual_machines)
{
	static const struct path_case cases[] = {
		{ "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", PATH_VM, "qemu", "", "",
		  QOS_NONE, "", "machine-qemu\\x2d1\\x2dvm.scope", "vm" },
		{ "/machine.slice/machine-qemu\\x2d12\\x2dmy\\x2dweb.scope/libvirt/vcpu0", PATH_VM,
		  "qemu", "", "", QOS_NONE, "", "machine-qemu\\x2d12\\x2dmy\\x2dweb.scope",
		  "my-web" },
		{ "/machine/qemu-3-db.libvirt-qemu/vcpu1", PATH_VM, "qemu", "", "", QOS_NONE, "",
		  "/machine/qemu-3-db.libvirt-qemu/vcpu1", "db" },
		{ "/qemu.slice/101.scope", PATH_VM, "qemu", "", "", QOS_NONE, "", "101.scope",
		  "101" },
		{ KIND "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", PATH_VM, "qemu", "", "",
		  QOS_NONE, H0, "machine-qemu\\x2d1\\x2dvm.scope", "vm" },
	};

	EXPECT_ALL(cases);
}

Test(path, names_units)
{
	static const struct path_case cases[] = {
		{ "/", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/", NULL },
		{ "", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/", NULL },
		{ "/init.scope", PATH_SYSTEM, "", "", "", QOS_NONE, "", "init.scope", NULL },
		{ "/system.slice/sshd.service", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "sshd.service", NULL },
		{ "/user.slice/user-0.slice/session-3.scope", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "session-3.scope", NULL },
		{ "/system.slice/systemd-udevd.service/udev", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "systemd-udevd.service", NULL },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/a.service/deep/er",
		  PATH_SYSTEM, "", "", "", QOS_NONE, "", "a.service", NULL },
		{ "/system.slice/dev-hugepages.mount", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "dev-hugepages.mount", NULL },
		{ "/system.slice", PATH_SYSTEM, "", "", "", QOS_NONE, "", "system.slice", NULL },
		{ "/my/own", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/my/own", NULL },
		{ "/kubepods.slice/kubepods-burstable.slice", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "kubepods-burstable.slice", NULL },
		{ "/machine.slice/libpod-conmon-" H ".scope", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "libpod-conmon-" H ".scope", NULL },
		{ "/libpod_parent/conmon", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "/libpod_parent/conmon", NULL },
		{ "/lxc.monitor/104", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/lxc.monitor/104",
		  NULL },
		{ "/lxc.monitor.web-1", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/lxc.monitor.web-1",
		  NULL },
		/* An id is 64 digits, no more and no fewer. */
		{ "/docker/abc", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/docker/abc", NULL },
		{ "/docker/" H "0", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/docker/" H "0", NULL },
		{ "/x/evil-" H ".scope", PATH_SYSTEM, "", "", "", QOS_NONE, "", "evil-" H ".scope",
		  NULL },
		{ "/machine.slice/libpod-" H "0.scope", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "libpod-" H "0.scope", NULL },
		{ "/kubepods/burstable", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "/kubepods/burstable", NULL },
		{ "/kubepods/podcast", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/kubepods/podcast",
		  NULL },
	};

	EXPECT_ALL(cases);
}

Test(path, reads_lines_of_proc_pid_cgroup)
{
	static const struct path_case cases[] = {
		{ "0::/", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/", NULL },
		{ "0::/system.slice/sshd.service\n", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "sshd.service", NULL },
		{ "4:cpu,cpuacct:/docker/" H "\n", PATH_CONTAINER, "docker", H, "", QOS_NONE, "",
		  "/docker/" H, NULL },
		{ "1:name=systemd:" KUBE "/cri-containerd-" H ".scope", PATH_CONTAINER,
		  "containerd", H, U, QOS_BURSTABLE, "", "cri-containerd-" H ".scope", NULL },
		{ "0::/docker/" H " (deleted)\n", PATH_CONTAINER, "docker", H, "", QOS_NONE, "",
		  "/docker/" H, NULL },
		{ "11:memory:/kubepods/besteffort/pod" U "/" H "\n", PATH_CONTAINER, "", H, U,
		  QOS_BESTEFFORT, "", "/kubepods/besteffort/pod" U "/" H, NULL },
		{ "0::/kubepods.slice/kubepods-pod" U_ ".slice/crio-" H ".scope (deleted)",
		  PATH_CONTAINER, "crio", H, U, QOS_GUARANTEED, "", "crio-" H ".scope", NULL },
		{ "0::/system.slice/a.service (deleted)\n", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "a.service", NULL },
	};

	EXPECT_ALL(cases);
}

/* From within a cgroup namespace the rest of the machine is above: nobody knows how far. */
Test(path, says_no_more_than_it_knows_from_outside_a_namespace)
{
	static const struct path_case cases[] = {
		{ "0::/../../kubepods/pod" U "/" H, PATH_CONTAINER, "", H, U, QOS_GUARANTEED, "",
		  "/../../kubepods/pod" U "/" H, NULL },
		{ "/../pod" U "/" H, PATH_CONTAINER, "", H, U, QOS_NONE, "", "/../pod" U "/" H,
		  NULL },
		{ "/../cri-containerd-" H ".scope", PATH_CONTAINER, "containerd", H, "", QOS_NONE,
		  "", "cri-containerd-" H ".scope", NULL },
		/* Docker's, or containerd's, or in a pod. */
		{ "/../" H, PATH_CONTAINER, "", H, "", QOS_NONE, "", "/../" H, NULL },
		{ "/../../default/" H, PATH_CONTAINER, "", H, "", QOS_NONE, "", "/../../default/" H,
		  NULL },
		{ "/../../docker/" H, PATH_CONTAINER, "docker", H, "", QOS_NONE, "",
		  "/../../docker/" H, NULL },
		{ "/../lxc/104/init.scope", PATH_CONTAINER, "lxc", "104", "", QOS_NONE, "",
		  "init.scope", NULL },
		{ "/../../system.slice/sshd.service", PATH_SYSTEM, "", "", "", QOS_NONE, "",
		  "sshd.service", NULL },
		/* Not the root, which is unit "/". */
		{ "/..", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/..", NULL },
	};

	EXPECT_ALL(cases);
}

Test(path, keeps_any_byte)
{
	static const struct path_case cases[] = {
		{ "/a\nb", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/a\nb", NULL },
		{ "/a\"b\\c d.service", PATH_SYSTEM, "", "", "", QOS_NONE, "", "a\"b\\c d.service",
		  NULL },
		{ "/\xff\xfe/\x80", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/\xff\xfe/\x80", NULL },
		{ "/x\n0::/docker/" H, PATH_CONTAINER, "docker", H, "", QOS_NONE, "",
		  "/x\n0::/docker/" H, NULL },
		{ "//docker///" H "//", PATH_CONTAINER, "docker", H, "", QOS_NONE, "",
		  "//docker///" H, NULL },
		{ "/lxc.payload.a\\x00\\x2db", PATH_CONTAINER, "lxc", "a\\x00-b", "", QOS_NONE, "",
		  "/lxc.payload.a\\x00\\x2db", NULL },
		{ ":", PATH_SYSTEM, "", "", "", QOS_NONE, "", ":", NULL },
		{ "0:", PATH_SYSTEM, "", "", "", QOS_NONE, "", "0:", NULL },
		{ "/.service", PATH_SYSTEM, "", "", "", QOS_NONE, "", "/.service", NULL },
	};

	EXPECT_ALL(cases);
}

Test(path, cuts_what_is_too_long)
{
	static char path[70000];
	struct path_name name;

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path_parse(path, &name);
	cr_assert(eq(sz, strlen(name.unit), sizeof(name.unit) - 1));
	cr_assert(eq(int, strncmp(name.unit, "...xxx", 6), 0));

	memcpy(path, "/lxc.payload.", 13);
	path_parse(path, &name);
	cr_assert(eq(sz, strlen(name.container_id), sizeof(name.container_id) - 1));

	memcpy(path, "/machine-qemu\\x2d1\\x2d", 22);
	memcpy(path + sizeof(path) - 7, ".scope", 7);
	path_parse(path, &name);
	cr_assert(eq(int, name.class, PATH_VM));
	cr_assert(lt(sz, strlen(name.vm), sizeof(name.vm)));

	memset(path, '/', sizeof(path) - 1);
	path_parse(path, &name);
	cr_assert(eq(str, name.unit, "/"));
}

Test(path, says_qos_in_words)
{
	cr_assert(eq(str, (char *)path_qos_name(QOS_GUARANTEED), "guaranteed"));
	cr_assert(eq(str, (char *)path_qos_name(QOS_BURSTABLE), "burstable"));
	cr_assert(eq(str, (char *)path_qos_name(QOS_BESTEFFORT), "besteffort"));
	cr_assert(eq(str, (char *)path_qos_name(QOS_NONE), ""));
}
