/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "driver_tree.h"
#include "names/vm.h"
#include "names/vm_proc.h"
#include "names/vm_scan.h"
#include "no_leaks.h"
#include "oom.h"
#include "platform/log.h"

#define UUID "8d9b2c1e-0f3a-4b5c-9d6e-7f8091a2b3c4"

static struct mailbox *mailbox;
static struct vm_scan *scan;
static int debug_lines;

static void count_debug(enum log_level level, _unused_ const char *line)
{
	debug_lines += level == LOG_LEVEL_DEBUG;
}

static void setup(void)
{
	tree_setup();
	cr_assert(eq(int, mailbox_new(64, &mailbox), 0));
	log_open("test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	log_set_sink(count_debug);
}

static void teardown(void)
{
	vm_scan_free(scan);
	mailbox_free(mailbox);
	scan = NULL;
	mailbox = NULL;
	tree_teardown();
	no_leaks();
}

TestSuite(vm, .init = setup, .fini = teardown);
TestSuite(vm_cmdline, .fini = no_leaks);

/* ---- command lines --------------------------------------------------------------------------- */

/* Words are given with spaces between; '_' is one inside of a word. */
static size_t words(const char *text, char *ret)
{
	size_t len = strlen(text) + 1;

	for (size_t i = 0; i < len; i++)
		ret[i] = text[i] == ' ' ? '\0' : (char)(text[i] == '_' ? ' ' : text[i]);
	return len;
}

static bool read_words(const char *text, struct vm_facts *ret)
{
	static char buf[8192];

	return vm_of_cmdline(buf, words(text, buf), ret);
}

static void is_vm(const char *text, const char *hypervisor, const char *name, const char *uuid)
{
	struct vm_facts facts;

	cr_assert(read_words(text, &facts), "%s", text);
	cr_expect(eq(str, facts.hypervisor, (char *)hypervisor), "%s", text);
	cr_expect(eq(str, facts.name, (char *)name), "%s", text);
	cr_expect(eq(str, facts.uuid, (char *)uuid), "%s", text);
}

Test(vm_cmdline, of_qemu_has_a_name_and_a_uuid)
{
	const char *libvirt = "/usr/bin/qemu-system-x86-64 -name guest=web-1,debug-threads=on -S "
			      "-machine pc-q35-7.2,usb=off -uuid " UUID " -no-user-config";

	is_vm(libvirt, "qemu", "web-1", UUID);
	is_vm("/usr/libexec/qemu-kvm -name guest=shop-vm1,debug-threads=on -uuid " UUID, "qemu",
	      "shop-vm1", UUID);
	is_vm("/usr/bin/kvm -id 100 -name db,debug-threads=on -smbios type=1,uuid=" UUID, "qemu",
	      "db", UUID);
	is_vm("kvm -id 100", "qemu", "100", "");
	is_vm("qemu-system-aarch64 --name demo --uuid " UUID, "qemu", "demo", UUID);
	is_vm("qemu-system-x86-64 -name demo,process=x -nographic", "qemu", "demo", "");
	is_vm("qemu-system-x86-64 -name process=x,guest=demo", "qemu", "demo", "");
	is_vm("qemu-system-x86-64 -name one -name guest=two", "qemu", "two", "");
	is_vm("qemu-system-x86-64 -name guest=a,,b,,,debug-threads=on", "qemu", "a,b,", "");
	is_vm("qemu-system-x86-64 -name a,,b", "qemu", "a,b", "");
	is_vm("qemu-system-x86-64 -name my_guest=1", "qemu", "", "");
	is_vm("qemu-system-x86-64 -name guest=my_vm", "qemu", "my vm", "");
	is_vm("qemu-system-x86-64 -m 512", "qemu", "", "");
	is_vm("qemu-system-x86-64 -name", "qemu", "", "");
	is_vm("qemu-system-x86-64 -uuid nonsense", "qemu", "", "");
	is_vm("qemu-system-x86-64 -uuid " UUID "0", "qemu", "", "");
	is_vm("qemu-system-x86-64", "qemu", "", "");
}

Test(vm_cmdline, of_firecracker_has_its_id)
{
	is_vm("/usr/bin/firecracker --api-sock /run/fc.sock --id fn-42", "firecracker", "fn-42",
	      "");
	is_vm("firecracker --id=fn-42", "firecracker", "fn-42", "");
	is_vm("firecracker --no-api --config-file x.json", "firecracker", "", "");
	is_vm("jailer --id fn-7 --exec-file /usr/bin/firecracker --uid 1 -- --id other",
	      "firecracker", "fn-7", "");
}

Test(vm_cmdline, of_cloud_hypervisor_is_named_by_its_socket)
{
	is_vm("cloud-hypervisor --api-socket /run/ch/vm3.sock --kernel k", "cloud-hypervisor",
	      "vm3", "");
	is_vm("cloud-hypervisor --api-socket=path=/run/vm4.socket --platform "
	      "num-pci-segments=1,uuid=" UUID,
	      "cloud-hypervisor", "vm4", UUID);
	is_vm("cloud-hypervisor --api-socket fd=7", "cloud-hypervisor", "", "");
	is_vm("cloud-hypervisor --platform uuid=" UUID, "cloud-hypervisor", "", UUID);
}

Test(vm_cmdline, of_others_is_no_hypervisors)
{
	static const char *const others[] = {
		"/bin/sh /usr/local/bin/qemu-system-x86-64.sh -name x",
		"/bin/bash ./qemu-foo",
		"qemu-foo -name x",
		"qemu-img convert a b",
		"qemu-nbd -c /dev/nbd0 x",
		"/usr/bin/qemu-ga -p /dev/x",
		"qemu-x86-64 ./a.out",
		"qemu-system- -name x",
		"qemu-system-x86-64.sh -name x",
		"/usr/libexec/virtiofsd --socket-path=x",
		"vim qemu.c",
		"vim qemu-system-x86-64",
		"grep kvm",
		"kvmtool run",
		"ch-remote --api-socket x",
		"jailer 3",
		""
	};
	struct vm_facts facts = { .name = "kept" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		cr_expect(eq(int, read_words(others[i], &facts), false), "%s", others[i]);
	cr_assert(eq(int, vm_of_cmdline("", 0, &facts), false));
	cr_assert(eq(str, facts.name, "kept"));
}

Test(vm_cmdline, cuts_what_is_too_long_and_keeps_strange_bytes)
{
	char text[2048] = "kvm -name ", name[PATH_MAX_UNIT];
	struct vm_facts facts;
	const char strange[] = "kvm\0-name\0\xff\x01\n\"\\";

	memset(text + strlen(text), 'x', 1000);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	is_vm(text, "qemu", name, "");
	cr_assert(vm_of_cmdline(strange, sizeof(strange), &facts));
	cr_assert(eq(str, facts.name, "\xff\x01\n\"\\"));
}

/* ---- what /proc says ------------------------------------------------------------------------- */

static const char *path_in(const char *text, const char *hierarchy)
{
	static char buf[512];
	const char *path;

	snprintf(buf, sizeof(buf), "%s", text);
	return vm_proc_cgroup(buf, hierarchy, &path) == 0 ? path : "none";
}

Test(vm, knows_the_line_of_its_hierarchy)
{
	const char *v1 = "12:cpu,cpuacct:/a:b\n3:name=systemd:/s\n2:cpuset:/c\n0::/u\n";

	cr_assert(eq(str, (char *)path_in(v1, "cpuacct"), "/a:b"));
	cr_assert(eq(str, (char *)path_in(v1, "systemd"), "/s"));
	cr_assert(eq(str, (char *)path_in(v1, "unified"), "/u"));
	cr_assert(eq(str, (char *)path_in(v1, "cpus"), "none"));
	cr_assert(eq(str, (char *)path_in("0::", "unified"), "none"));
	cr_assert(eq(str, (char *)path_in("::\n:\n\n0::/x", "unified"), "/x"));
}

Test(vm, reads_ticks_and_leaves_kernel_threads_out)
{
	uint64_t ticks = 9;

	cr_assert(
		eq(int, vm_proc_ticks("1 (a) b) S 1 1 1 0 -1 64 0 0 0 0 30 12 0 0\n", &ticks), 0));
	cr_assert(eq(u64, ticks, 42));
	cr_assert(
		eq(int, vm_proc_ticks("1 (a) S 1 1 1 0 -1 2097152 0 0 0 0 30 12 0\n", &ticks), 0));
	cr_assert(eq(u64, ticks, 0));
	cr_assert(eq(int, vm_proc_ticks("1 (a) S 1 1 1 0 -1 64 0 0 0 0 30", &ticks), -EINVAL));
	cr_assert(eq(int, vm_proc_ticks("", &ticks), -EINVAL));
}

/* ---- the scan -------------------------------------------------------------------------------- */

static void process(int pid, const char *comm, const char *cmdline, const char *cgroup, int ticks)
{
	char path[64], buf[1024];
	_fclose_ FILE *file = NULL;
	size_t len = words(cmdline, buf);

	snprintf(path, sizeof(path), "%s/proc/%d", tree_root, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "proc/%d/comm", pid);
	tree_put(path, "%s\n", comm);
	snprintf(path, sizeof(path), "proc/%d/cgroup", pid);
	tree_put(path, "0::%s\n", cgroup);
	snprintf(path, sizeof(path), "proc/%d/stat", pid);
	tree_put(path, "%d (%s) S 1 1 1 0 -1 0 0 0 0 0 %d 0 0 0 20 0 1 0 5 0 0\n", pid, comm,
		 ticks);
	snprintf(path, sizeof(path), "%s/proc/%d/cmdline", tree_root, pid);
	file = fopen(path, "w");
	cr_assert(file && fwrite(buf, 1, len, file) == len);
}

static uint64_t cgroup(const char *path, const char *procs)
{
	char full[512];
	struct stat st;

	snprintf(full, sizeof(full), "%s/cgroup%s", tree_root, path);
	mkdir(full, 0755);
	cr_assert(eq(int, stat(full, &st), 0));
	snprintf(full, sizeof(full), "cgroup%s/cgroup.procs", path);
	tree_put(full, "%s", procs);
	return st.st_ino;
}

static void open_scan(void)
{
	const struct vm_config config = { &tree_host, "unified", "" };

	cr_assert(eq(int, vm_scan_new(&config, mailbox, &scan), 0));
}

/* Looks, and takes the one note that is to come of it. */
static void expect_note(uint64_t cgroup_id, const char *vm, const char *hypervisor,
			const char *uuid)
{
	struct note notes[4];
	size_t n;

	vm_scan_look(scan);
	n = mailbox_take(mailbox, notes, ARRAY_SIZE(notes));
	cr_assert(eq(sz, n, 1), "%s", vm);
	cr_expect(eq(int, notes[0].kind, NOTE_VM));
	cr_expect(eq(u64, notes[0].cgroup_id, cgroup_id));
	cr_expect(eq(int, notes[0].name->is.class, PATH_VM));
	cr_expect(eq(str, notes[0].name->is.vm, (char *)vm));
	cr_expect(eq(str, notes[0].name->is.runtime, (char *)hypervisor));
	cr_expect(eq(str, notes[0].name->is.vm_uuid, (char *)uuid));
	note_drop(&notes[0]);
}

static void expect_nothing(void)
{
	struct note note;

	vm_scan_look(scan);
	cr_assert(eq(sz, mailbox_take(mailbox, &note, 1), 0));
}

Test(vm, tells_of_a_cgroup_once_and_of_its_successor_again)
{
	uint64_t id = cgroup("/demo.service", "10\n11\n");

	process(10, "qemu-system-x86", "qemu-system-x86-64 -name demo -uuid " UUID, "/demo.service",
		100);
	process(11, "sh", "sh -c x", "/demo.service", 100);
	process(12, "qemu-img", "qemu-img convert", "/other.service", 100);
	open_scan();
	expect_note(id, "demo", "qemu", UUID);
	expect_nothing();
	expect_nothing();

	tree_remove("cgroup/demo.service");
	tree_remove("proc/10");
	expect_nothing();
	tree_mkdir("cgroup/filler"); /* takes the inode, where they are used again at once */
	id = cgroup("/demo.service", "13\n");
	process(13, "qemu-system-x86", "qemu-system-x86-64 -name demo", "/demo.service", 1);
	expect_note(id, "demo", "qemu", "");
}

Test(vm, leaves_a_cgroup_alone_in_which_others_did_more)
{
	uint64_t id = cgroup("/user.slice", "20\n21\n22\n");

	process(20, "firecracker", "firecracker --id fn", "/user.slice", 99);
	process(21, "make", "make", "/user.slice", 100);
	/* A kernel thread that works for the guest is the kernel's. */
	process(22, "vhost-20", "", "/user.slice", 0);
	tree_put("proc/22/stat", "22 (v) S 1 1 1 0 -1 2097152 0 0 0 0 5000 0 0 0 20 0 1 0 5 0\n");
	open_scan();
	debug_lines = 0;
	expect_nothing();
	expect_nothing();
	cr_assert(eq(int, debug_lines, 1), "said once");
	process(20, "firecracker", "firecracker --id fn", "/user.slice", 100);
	expect_note(id, "fn", "firecracker", "");
}

Test(vm, joins_the_names_of_several_in_an_order_of_its_own)
{
	uint64_t id = cgroup("/vms", "30\n31\n32\n33\n");

	process(32, "cloud-hyperviso", "cloud-hypervisor --api-socket /run/a.sock", "/vms", 5);
	process(30, "qemu-kvm", "qemu-kvm -name c", "/vms", 5);
	process(31, "kvm", "kvm -uuid " UUID, "/vms", 5);
	process(33, "firecracker", "firecracker --id c", "/vms", 5);
	open_scan();
	expect_note(id, UUID "+a+c", "qemu", "");
	expect_nothing();
	tree_remove("proc/31");
	expect_note(id, "a+c", "cloud-hypervisor", "");
	tree_remove("proc/32");
	tree_remove("proc/30");
	tree_remove("proc/33");
	process(34, "firecracker", "firecracker", "/vms", 5);
	expect_note(id, "/vms", "firecracker", "");
}

Test(vm, has_nothing_to_add_where_the_path_knows_and_never_takes_the_root)
{
	cgroup("/machine.slice", "");
	cgroup("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope", "40\n");
	cgroup("/kubepods", "");
	cgroup("/kubepods/pod" UUID, "");
	cgroup("/kubepods/pod" UUID "/kata_1", "42\n");
	cgroup("", "41\n");
	process(40, "qemu-kvm", "qemu-kvm -name guest=web",
		"/machine.slice/machine-qemu\\x2d1\\x2dweb.scope", 5);
	process(41, "qemu-kvm", "qemu-kvm -name guest=root", "/", 5);
	process(42, "qemu-kvm", "qemu-kvm -name sandbox-1", "/kubepods/pod" UUID "/kata_1", 5);
	process(43, "qemu-kvm", "qemu-kvm -name up", "/../../etc", 5);
	process(44, "qemu-kvm", "qemu-kvm -name gone", "/gone", 5);
	open_scan();
	expect_nothing();
}

Test(vm, tries_again_when_the_mailbox_is_full)
{
	struct note note;

	mailbox_free(mailbox);
	cr_assert(eq(int, mailbox_new(1, &mailbox), 0));
	cgroup("/a", "50\n");
	cgroup("/b", "51\n");
	process(50, "kvm", "kvm -name a", "/a", 1);
	process(51, "kvm", "kvm -name b", "/b", 1);
	open_scan();
	vm_scan_look(scan);
	for (int i = 0; i < 2; i++) {
		cr_assert(eq(sz, mailbox_take(mailbox, &note, 1), 1));
		note_drop(&note);
		vm_scan_look(scan);
	}
	cr_assert(eq(sz, mailbox_take(mailbox, &note, 1), 0));
}

Test(vm, watches_a_bounded_number, .timeout = 60)
{
	char path[64], pid[16];
	struct note note;
	size_t n = 0;

	mailbox_free(mailbox);
	cr_assert(eq(int, mailbox_new(4096, &mailbox), 0));
	for (int i = 0; i < VM_SCAN_MAX + 50; i++) {
		snprintf(path, sizeof(path), "/vm%d", i);
		snprintf(pid, sizeof(pid), "%d\n", 1000 + i);
		cgroup(path, pid);
		process(1000 + i, "kvm", "kvm -name x", path, 1);
	}
	open_scan();
	for (int i = 0; i < 3; i++)
		vm_scan_look(scan);
	for (; mailbox_take(mailbox, &note, 1); n++)
		note_drop(&note);
	cr_assert(eq(sz, n, VM_SCAN_MAX));
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

Test(vm, looks_by_itself_a_second_after_it_began, .timeout = 10)
{
	const struct vm_config config = { &tree_host, "unified", "" };
	uint64_t id = cgroup("/a", "50\n");
	struct vm_finder *finder;
	struct loop_timer *timer;
	struct loop *loop;
	struct note note;

	process(50, "kvm", "kvm -name a", "/a", 1);
	cr_assert(eq(int, loop_new(&loop), 0));
	cr_assert(eq(int, vm_finder_open(loop, &config, mailbox, &finder), 0));
	cr_assert(eq(sz, mailbox_take(mailbox, &note, 1), 0));
	cr_assert(eq(int, loop_timer_new(loop, stop, loop, &timer), 0));
	loop_timer_set(timer, host_monotonic_ns() + 1200000000);
	cr_assert(eq(int, loop_run(loop), 0));
	cr_assert(eq(sz, mailbox_take(mailbox, &note, 1), 1));
	cr_assert(eq(u64, note.cgroup_id, id));
	note_drop(&note);
	loop_timer_free(timer);
	vm_finder_close(finder);
	vm_finder_close(NULL);
	loop_free(loop);
}

Test(vm, survives_without_memory)
{
	const struct vm_config config = { &tree_host, "unified", "" };
	struct vm_finder *finder;
	struct note note;
	struct loop *loop;

	cgroup("/a", "50\n");
	process(50, "kvm", "kvm -name a", "/a", 1);
	cr_assert(eq(int, loop_new(&loop), 0));
	OOM_SWEEP(i)
	{
		int r = vm_finder_open(loop, &config, mailbox, &finder);

		if (oom_stop())
			cr_assert(eq(int, r, -ENOMEM));
		vm_finder_close(r == 0 ? finder : NULL);
	}
	loop_free(loop);
	/* A look that fails is made up for by the next. */
	OOM_SWEEP(j)
	{
		oom_stop();
		open_scan();
		oom_after(j);
		vm_scan_look(scan);
		oom_stop();
		vm_scan_look(scan);
		cr_assert(eq(sz, mailbox_take(mailbox, &note, 1), 1));
		note_drop(&note);
		vm_scan_free(scan);
		scan = NULL;
	}
}
