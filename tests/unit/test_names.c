/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <string.h>

#include "names/names.h"
#include "no_leaks.h"
#include "oom.h"

TestSuite(names, .fini = no_leaks);

#define H "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(names, put_every_class_into_its_bucket)
{
	static const struct {
		const char *path;
		enum bucket bucket;
	} cases[] = {
		{ "/docker/" H, BUCKET_CONTAINERS },
		{ "/kubepods/pod8a3c71de-9f0c-4b5e-8d2a-0011223344ff", BUCKET_CONTAINERS },
		{ "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", BUCKET_VMS },
		{ "/system.slice/sshd.service", BUCKET_SYSTEM },
		{ "/", BUCKET_SYSTEM },
		{ NULL, BUCKET_SYSTEM },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct name *name = name_new(cases[i].path);

		cr_assert(ne(ptr, name, NULL));
		cr_expect(eq(int, name->bucket, cases[i].bucket), "%s", cases[i].path);
		cr_expect(eq(str, name->path, (char *)(cases[i].path ? cases[i].path : "")));
		name_unref(name);
	}
}

Test(names, keep_every_byte_of_a_path)
{
	struct name *name = name_new("/a\nb\xff\"\\");

	cr_assert(eq(str, name->path, "/a\nb\xff\"\\"));
	name_unref(name);
}

Test(names, that_are_not_there_can_be_passed_around)
{
	cr_assert(eq(ptr, name_ref(NULL), NULL));
	name_unref(NULL);
}

static void *share(void *arg)
{
	for (int i = 0; i < 20000; i++)
		name_unref(name_ref(arg));
	name_unref(arg);
	return NULL;
}

Test(names, are_counted_across_threads)
{
	struct name *name = name_new("/x");
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		cr_assert(eq(int, pthread_create(&threads[i], NULL, share, name_ref(name)), 0));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert(eq(uint, atomic_load(&name->refs), 1));
	name_unref(name);
}

Test(names, can_run_out_of_memory)
{
	OOM_SWEEP(n)
	{
		struct name *name = name_new("/system.slice/sshd.service");
		bool failed = oom_stop();

		cr_assert(failed == (name == NULL));
		name_unref(name);
	}
	OOM_SWEEP(n)
	{
		struct name *name = name_new_vm("/x", "qemu", "vm", "");
		bool failed = oom_stop();

		cr_assert(failed == (name == NULL));
		name_unref(name);
	}
}

Test(names, of_a_virtual_machine_keep_its_pod_and_container)
{
	static const char path[] =
		"/docker/" H "/kubepods/burstable/pod8a3c71de-9f0c-4b5e-8d2a-0011223344ff/" H;
	struct name *plain = name_new(path), *name = name_new_vm(path, "qemu", "vm-1", "u-1");

	cr_assert(eq(int, name->bucket, BUCKET_VMS));
	cr_assert(eq(int, name->is.class, PATH_VM));
	cr_assert(eq(str, name->is.runtime, "qemu"));
	cr_assert(eq(str, name->is.vm, "vm-1"));
	cr_assert(eq(str, name->is.vm_uuid, "u-1"));
	cr_assert(eq(str, name->path, (char *)path));
	cr_assert(eq(str, name->is.pod_uid, plain->is.pod_uid));
	cr_assert(eq(str, name->is.container_id, plain->is.container_id));
	cr_assert(eq(str, name->is.node_container, H));
	cr_assert(eq(int, name->is.qos, QOS_BURSTABLE));
	cr_assert(eq(str, name->is.unit, plain->is.unit));
	name_unref(name);
	name_unref(plain);
}

Test(names, of_a_virtual_machine_are_the_best_there_is)
{
	static const char path[] = "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope";
	static const struct {
		const char *path, *vm, *uuid, *want;
	} cases[] = {
		{ path, "mine", "u", "mine" }, { path, "", "u", "web" },
		{ path, NULL, NULL, "web" },   { "/x", "", "u", "u" },
		{ "/x", NULL, NULL, "" },      { NULL, "mine", "u", "mine" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct name *name = name_new_vm(cases[i].path, NULL, cases[i].vm, cases[i].uuid);

		cr_expect(eq(str, name->is.vm, (char *)cases[i].want), "%zu", i);
		cr_expect(eq(int, name->bucket, BUCKET_VMS));
		cr_expect(eq(str, name->is.runtime, ""));
		name_unref(name);
	}
}

Test(names, of_a_virtual_machine_are_cut_to_size)
{
	char text[3 * PATH_MAX_UNIT];
	struct name *name, *again;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	name = name_new_vm("/x", text, text, text);
	cr_assert(eq(sz, strlen(name->is.runtime), sizeof(name->is.runtime) - 1));
	cr_assert(eq(sz, strlen(name->is.vm), sizeof(name->is.vm) - 1));
	cr_assert(eq(sz, strlen(name->is.vm_uuid), sizeof(name->is.vm_uuid) - 1));
	again = name_new_vm("/x", text, text, text);
	cr_assert(zero(int, memcmp(&name->is, &again->is, sizeof(name->is))));
	name_unref(again);
	name_unref(name);
}

Test(names, call_every_bucket_something)
{
	for (int i = 0; i < _BUCKET_MAX; i++)
		cr_assert(ne(str, (char *)bucket_name((enum bucket)i), "?"));
	cr_assert(eq(str, (char *)bucket_name(_BUCKET_MAX), "?"));
}
