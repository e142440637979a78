/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>

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
}

Test(names, call_every_bucket_something)
{
	for (int i = 0; i < _BUCKET_MAX; i++)
		cr_assert(ne(str, (char *)bucket_name((enum bucket)i), "?"));
	cr_assert(eq(str, (char *)bucket_name(_BUCKET_MAX), "?"));
}
