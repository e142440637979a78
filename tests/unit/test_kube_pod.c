/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "names/kube_pod.h"
#include "oom.h"
#include "platform/scope.h"
#include "unit/no_leaks.h"

static struct kube_pod pod;
static cJSON *json;

static void set_up(void)
{
	kube_pod_init(&pod);
}

static void tear_down(void)
{
	kube_pod_free(&pod);
	cJSON_Delete(json);
	json = NULL;
	no_leaks();
}

TestSuite(kube_pod, .init = set_up, .fini = tear_down);

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define ID_D "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define META "\"uid\":\"u-1\",\"name\":\"web-1\",\"namespace\":\"shop\""

/* ' for ", which C would want escaped. */
static int read_quoted(const char *text, const char *const *labels)
{
	_free_ char *real = strdup(text);

	for (char *c = real; *c; c++)
		if (*c == '\'')
			*c = '"';
	cJSON_Delete(json);
	json = cJSON_Parse(real);
	cr_assert(json != NULL, "%s", real);
	return kube_pod_read(&pod, json, labels);
}

static const struct pod_container *find(const char *id)
{
	for (size_t i = 0; i < pod.pod.n_containers; i++)
		if (!strcmp(pod.pod.containers[i].id, id))
			return &pod.pod.containers[i];
	return NULL;
}

Test(kube_pod, reads_who_it_is_and_who_owns_it)
{
	cr_assert(zero(int, read_quoted("{'kind':'Pod','metadata':{" META ",'resourceVersion':'42',"
					"'labels':{'pod-template-hash':'7d4b9c6f5d'},"
					"'ownerReferences':[{'kind':'Node','name':'n1'},"
					"{'kind':'ReplicaSet','name':'web-7d4b9c6f5d',"
					"'controller':true}]},'status':{'phase':'Running'}}",
					NULL)));
	cr_expect(eq(str, pod.key, (char *)"u-1"));
	cr_expect(eq(str, pod.uid, (char *)"u-1"));
	cr_expect(eq(u64, pod.version, 42));
	cr_expect(eq(str, (char *)pod.pod.key, (char *)"u-1"));
	cr_expect(eq(str, (char *)pod.pod.name, (char *)"web-1"));
	cr_expect(eq(str, (char *)pod.pod.namespace, (char *)"shop"));
	cr_expect(eq(int, pod.pod.source, POD_FROM_API));
	cr_expect(eq(str, (char *)pod.pod.workload.kind, (char *)"deployment"));
	cr_expect(eq(str, (char *)pod.pod.workload.name, (char *)"web"));
	cr_expect(not(pod.pod.ended));
	cr_expect(eq(str, (char *)pod.pod.labels, (char *)""));

	/* Nobody controls it: the first one owns it; nobody at all: it does. */
	read_quoted("{'metadata':{" META ",'ownerReferences':[{'kind':'StatefulSet','name':'db'},"
		    "{'kind':'X','name':'y'}]}}",
		    NULL);
	cr_expect(eq(str, (char *)pod.pod.workload.name, (char *)"db"));
	read_quoted("{'metadata':{" META "}}", NULL);
	cr_expect(eq(str, (char *)pod.pod.workload.kind, (char *)"pod"));
	cr_expect(eq(str, (char *)pod.pod.workload.name, (char *)"web-1"));
}

Test(kube_pod, is_known_by_the_hash_of_the_manifest_that_it_mirrors)
{
	read_quoted("{'metadata':{" META ",'annotations':{'kubernetes.io/config.hash':"
		    "'0123456789abcdef0123456789abcdef'}}}",
		    NULL);
	cr_expect(eq(str, pod.key, (char *)"0123456789abcdef0123456789abcdef"));
	cr_expect(eq(str, pod.uid, (char *)"u-1"));
	/* What cannot be such a hash, and above all the id of a container, is none. */
	read_quoted("{'metadata':{" META ",'annotations':{'kubernetes.io/config.hash':'" ID_A
		    "'}}}",
		    NULL);
	cr_expect(eq(str, pod.key, (char *)"u-1"));
	read_quoted("{'metadata':{" META ",'annotations':{'kubernetes.io/config.hash':'../x'}}}",
		    NULL);
	cr_expect(eq(str, pod.key, (char *)"u-1"));
}

Test(kube_pod, refuses_what_is_no_pod)
{
	static const char *const others[] = {
		"1",
		"[]",
		"'x'",
		"null",
		"{}",
		"{'metadata':null}",
		"{'metadata':[]}",
		"{'metadata':{'name':'a','namespace':'b'}}",
		"{'metadata':{'uid':'u','namespace':'b'}}",
		"{'metadata':{'uid':'u','name':'a'}}",
		"{'metadata':{'uid':1,'name':'a','namespace':'b'}}",
		"{'metadata':{'uid':'','name':'a','namespace':'b'}}",
		"{'metadata':{'uid':'a b','name':'a','namespace':'b'}}",
		"{'metadata':{'uid':'a/b','name':'a','namespace':'b'}}",
		"{'metadata':{'uid':'a\\n','name':'a','namespace':'b'}}",
		"{'metadata':{'uid':'\xc3\xa9','name':'a','namespace':'b'}}",
		"{'metadata':{'uid':'" ID_A "','name':'a','namespace':'b'}}",
		"{'metadata':{'uid':'u','name':'','namespace':'b'}}",
		"{'metadata':{'uid':'u','name':'" ID_A ID_A ID_A ID_A "','namespace':'b'}}",
		"{'kind':'Status','metadata':{" META "}}",
		"{'kind':7,'metadata':{" META "}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		cr_expect(eq(int, read_quoted(others[i], NULL), -EBADMSG), "%s", others[i]);
}

Test(kube_pod, reads_every_container_that_ran_with_its_request_and_role)
{
	read_quoted(
		"{'metadata':{" META "},'spec':{'containers':["
		"{'name':'app','resources':{'requests':{'cpu':'500m','memory':'1Gi'}}},"
		"{'name':'side','resources':{'requests':{'cpu':2}}}],"
		"'initContainers':[{'name':'setup','resources':{'requests':{'cpu':'1'}}},"
		"{'name':'mesh','restartPolicy':'Always','resources':{'requests':{'cpu':'0.25'}}}]}"
		","
		"'status':{'containerStatuses':[{'name':'app','containerID':'containerd://" ID_A
		"',"
		"'lastState':{'terminated':{'containerID':'containerd://" ID_B "'}}},"
		"{'name':'side','containerID':'cri-o://" ID_C "'}],"
		"'initContainerStatuses':[{'name':'setup','containerID':'',"
		"'state':{'terminated':{'containerID':'docker://" ID_D "'}}},"
		"{'name':'mesh','containerID':'containerd://e1'}],"
		"'ephemeralContainerStatuses':[{'name':'debug','containerID':'containerd://e2'}]}}",
		NULL);
	cr_assert(eq(sz, pod.pod.n_containers, 6));
	cr_assert(pod.pod.all_started);
	cr_expect(eq(str, (char *)find(ID_A)->name, (char *)"app"));
	cr_expect(eq(u32, find(ID_A)->cpu_milli, 500));
	cr_expect(eq(int, find(ID_A)->role, CONTAINER_MAIN));
	cr_expect(eq(str, (char *)find(ID_B)->name, (char *)"app"));
	cr_expect(eq(u32, find(ID_C)->cpu_milli, 2000));
	cr_expect(eq(int, find(ID_D)->role, CONTAINER_INIT));
	cr_expect(eq(int, find("e1")->role, CONTAINER_MAIN), "a sidecar runs along");
	cr_expect(eq(u32, find("e1")->cpu_milli, 250));
	cr_expect(eq(int, find("e2")->role, CONTAINER_EPHEMERAL));
}

Test(kube_pod, has_all_started_only_when_every_container_of_its_spec_has_an_id)
{
#define SPEC "{'metadata':{" META "},'spec':{'containers':[{'name':'a'},{'name':'b'}]},'status':"
	static const struct {
		const char *text;
		bool all;
	} cases[] = {
		{ SPEC "{}}", false },
		{ SPEC "{'containerStatuses':[{'name':'a','containerID':'x://1'}]}}", false },
		{ SPEC "{'containerStatuses':[{'name':'a','containerID':'x://1'},"
		       "{'name':'b','containerID':''}]}}",
		  false },
		{ SPEC "{'containerStatuses':[{'name':'a','containerID':'x://1'},{'name':'b',"
		       "'lastState':{'terminated':{'containerID':'x://2'}}}]}}",
		  false },
		{ SPEC "{'containerStatuses':[{'name':'b','containerID':'x://1'},"
		       "{'name':'a','containerID':'x://2'}]}}",
		  true },
		{ "{'metadata':{" META "},'spec':{'containers':null},'status':{}}", false },
		{ "{'metadata':{" META "}}", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert(zero(int, read_quoted(cases[i].text, NULL)));
		cr_expect(eq(int, pod.pod.all_started, cases[i].all), "%s", cases[i].text);
	}
}

Test(kube_pod, prefers_the_ids_of_today_where_there_is_no_room_for_all)
{
	_sbuf_ struct sbuf text = SBUF_INIT(1 << 20);

	sbuf_puts(&text, "{'metadata':{" META "},'status':{'containerStatuses':[");
	for (int i = 0; i < POD_MAX_CONTAINERS; i++)
		sbuf_printf(&text,
			    "%s{'name':'c%d','containerID':'x://new%d','lastState':{'terminated':"
			    "{'containerID':'x://old%d'}}}",
			    i ? "," : "", i, i, i);
	sbuf_puts(&text, "]}}");
	cr_assert(zero(int, read_quoted(text.text, NULL)));
	cr_assert(eq(sz, pod.pod.n_containers, POD_MAX_CONTAINERS));
	for (int i = 0; i < POD_MAX_CONTAINERS; i++)
		cr_assert(zero(int, strncmp(pod.pod.containers[i].id, "new", 3)));
}

Test(kube_pod, copies_the_labels_that_are_wanted_as_a_series_wants_them)
{
	static const char *const keys[] = { "app.kubernetes.io/name", "absent", "team",
					    "app-kubernetes-io/name", NULL };

	read_quoted("{'metadata':{" META ",'labels':{'team':'a\\\"b\\\\c\\nd','x':'y',"
		    "'app.kubernetes.io/name':'web','app-kubernetes-io/name':'other'}}}",
		    keys);
	cr_expect(eq(str, (char *)pod.pod.labels,
		     (char *)",label_app_kubernetes_io_name=\"web\""
			     ",label_team=\"a\\\"b\\\\c\\nd\""));
	/* The same name may not come twice, but the second may stand in for the first. */
	read_quoted("{'metadata':{" META ",'labels':{'app-kubernetes-io/name':'other'}}}", keys);
	cr_expect(
		eq(str, (char *)pod.pod.labels, (char *)",label_app_kubernetes_io_name=\"other\""));
}

Test(kube_pod, leaves_a_label_out_whole_that_does_not_fit)
{
	static const char *const keys[] = { "big", "small", NULL };
	_sbuf_ struct sbuf text = SBUF_INIT(1 << 20);

	sbuf_puts(&text, "{'metadata':{" META ",'labels':{'small':'s','big':'");
	for (int i = 0; i < POD_MAX_LABELS; i++)
		sbuf_putc(&text, 'x');
	sbuf_puts(&text, "'}}}");
	read_quoted(text.text, keys);
	cr_expect(eq(str, (char *)pod.pod.labels, (char *)",label_small=\"s\""));
}

Test(kube_pod, says_since_when_it_is_ready_and_whether_it_ended)
{
	read_quoted("{'metadata':{" META "},'status':{'phase':'Failed','conditions':["
		    "{'type':'PodScheduled','status':'True','lastTransitionTime':"
		    "'2020-01-01T00:00:00Z'},{'type':'Ready','status':'True',"
		    "'lastTransitionTime':'2026-01-01T00:00:05Z'}]}}",
		    NULL);
	cr_expect(eq(u64, pod.pod.ready_wall_ns, UINT64_C(1767225605) * 1000000000));
	cr_expect(pod.pod.ended);
	read_quoted("{'metadata':{" META "},'status':{'phase':'Succeeded','conditions':["
		    "{'type':'Ready','status':'False','lastTransitionTime':"
		    "'2026-01-01T00:00:05Z'}]}}",
		    NULL);
	cr_expect(zero(u64, pod.pod.ready_wall_ns));
	cr_expect(pod.pod.ended);
}

Test(kube_pod, survives_any_type_in_any_place)
{
	static const char *const odd[] = {
		"null", "1", "'x'", "[]", "{}", "true", "[1,null,'x',[]]", "[{}]"
	};
	static const char *const places[] = {
		"{'metadata':{" META ",'labels':%s}}",
		"{'metadata':{" META ",'annotations':%s}}",
		"{'metadata':{" META ",'resourceVersion':%s}}",
		"{'metadata':{" META ",'ownerReferences':%s}}",
		"{'metadata':{" META ",'ownerReferences':[{'kind':%s,'name':'a'}]}}",
		"{'metadata':{" META "},'spec':%s}",
		"{'metadata':{" META "},'status':%s}",
		"{'metadata':{" META "},'spec':{'containers':%s}}",
		"{'metadata':{" META "},'status':{'conditions':%s}}",
		"{'metadata':{" META "},'status':{'containerStatuses':%s}}",
		"{'metadata':{" META "},'status':{'containerStatuses':[{'name':%s,"
		"'containerID':'a://b'}]}}",
		"{'metadata':{" META "},'status':{'containerStatuses':[{'containerID':%s}]}}",
		"{'metadata':{" META "},'status':{'containerStatuses':[{'lastState':%s}]}}",
		"{'metadata':{" META "},'spec':{'containers':[{'name':'a','resources':%s}]},"
		"'status':{'containerStatuses':[{'name':'a','containerID':'a://b'}]}}",
		"{'metadata':{" META "},'spec':{'containers':[{'name':'a','resources':{'requests':"
		"{'cpu':%s}}}]},'status':{'containerStatuses':[{'name':'a','containerID':'a://"
		"b'}]}}",
	};
	static const char *const keys[] = { "a", NULL };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(odd); j++) {
			_sbuf_ struct sbuf text = SBUF_INIT(1 << 16);
			const char *gap = strstr(places[i], "%s");

			sbuf_append(&text, places[i], (size_t)(gap - places[i]));
			sbuf_puts(&text, odd[j]);
			sbuf_puts(&text, gap + 2);
			cr_expect(zero(int, read_quoted(text.text, keys)), "%s", text.text);
			cr_expect(eq(str, pod.key, (char *)"u-1"));
			cr_expect(le(sz, pod.pod.n_containers, 1));
		}
	}
}

Test(kube_pod, has_another_number_for_every_other_fact)
{
	static const char *const keys[] = { "app", NULL };
	static const char *const pods[] = {
		"{'metadata':{'uid':'u-1','name':'a','namespace':'b'}}",
		"{'metadata':{'uid':'u-2','name':'a','namespace':'b'}}",
		"{'metadata':{'uid':'u-1','name':'ab','namespace':'b'}}",
		"{'metadata':{'uid':'u-1','name':'a','namespace':'bb'}}",
		"{'metadata':{'uid':'u-1','name':'a','namespace':'b','labels':{'app':'x'}}}",
		"{'metadata':{'uid':'u-1','name':'a','namespace':'b'},'status':{'phase':'Failed'}}",
		"{'metadata':{'uid':'u-1','name':'a','namespace':'b','labels':"
		"{'serving.knative.dev/service':'f'}}}",
		"{'metadata':{'uid':'u-1','name':'a','namespace':'b','ownerReferences':"
		"[{'kind':'StatefulSet','name':'f'}]}}",
		"{'metadata':{'uid':'u-1','name':'a','namespace':'b'},'status':"
		"{'containerStatuses':[{'name':'c','containerID':'x://1'}]}}",
		"{'metadata':{'uid':'u-1','name':'a','namespace':'b'},'status':"
		"{'containerStatuses':[{'name':'c','containerID':'x://2'}]}}",
		"{'metadata':{'uid':'u-1','name':'a','namespace':'b'},'status':"
		"{'initContainerStatuses':[{'name':'c','containerID':'x://1'}]}}",
		"{'metadata':{'uid':'u-1','name':'a','namespace':'b'},'status':{'conditions':"
		"[{'type':'Ready','status':'True','lastTransitionTime':'2026-01-01T00:00:05Z'}]}}",
	};
	uint64_t facts[ARRAY_SIZE(pods)];

	for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
		cr_assert(zero(int, read_quoted(pods[i], keys)));
		facts[i] = kube_pod_facts(&pod);
		for (size_t j = 0; j < i; j++)
			cr_expect(ne(u64, facts[i], facts[j]), "%s\n%s", pods[i], pods[j]);
	}
	/* What we do not keep is no fact. */
	read_quoted("{'metadata':{'uid':'u-1','name':'a','namespace':'b','resourceVersion':'9',"
		    "'managedFields':[1]},'spec':{'nodeName':'n'}}",
		    keys);
	cr_expect(eq(u64, kube_pod_facts(&pod), facts[0]));
}

Test(kube_pod, reads_quantities_as_kubernetes_does)
{
	static const struct {
		const char *text;
		uint32_t milli;
	} cases[] = {
		{ "500m", 500 },
		{ "2", 2000 },
		{ "0.5", 500 },
		{ ".5", 500 },
		{ "2.", 2000 },
		{ "+1", 1000 },
		{ "1e3m", 1000 },
		{ "250000u", 250 },
		{ "1n", 1 },
		{ "1u", 1 },
		{ "0", 0 },
		{ "0.0000000000000000000000000000000001", 1 },
		{ "1000000n", 1 },
		{ "1000001n", 2 },
		{ "2k", 2000000 },
		{ "1Ki", 1024000 },
		{ "1e2", 100000 },
		{ "1E-2", 10 },
		{ "1E", UINT32_MAX },
		{ "1M", 1000000000 },
		{ "4294967295m", UINT32_MAX },
		{ "4294967296m", UINT32_MAX },
		{ "1Ei", UINT32_MAX },
		{ "999999999999999999999999999999999", UINT32_MAX },
		{ "1e999999999999", UINT32_MAX },
		{ "1e-999999999999", 1 },
		{ "0e999999999999", 0 },
		{ "", 0 },
		{ "m", 0 },
		{ "-1", 0 },
		{ "1x", 0 },
		{ "1 m", 0 },
		{ "1mm", 0 },
		{ "1i", 0 },
		{ "1mi", 0 },
		{ "1e", 0 },
		{ "1..5", 0 },
		{ "NaN", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect(eq(u32, kube_cpu_milli(cases[i].text), cases[i].milli), "'%s'",
			  cases[i].text);
}

Test(kube_pod, reads_any_time_that_the_c_library_writes)
{
	for (int64_t at = 1; at < INT64_C(16000000000); at += 12345677) {
		time_t then = (time_t)at;
		struct tm tm;
		char text[64];

		gmtime_r(&then, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
		cr_assert(eq(u64, kube_time_ns(text), (uint64_t)at * 1000000000u), "%s", text);
	}
	cr_assert(eq(u64, kube_time_ns("1970-01-01T02:00:01+02:00"), 1000000000u));
	cr_assert(eq(u64, kube_time_ns("1970-01-01T00:00:00-00:01"), UINT64_C(60000000000)));
}

Test(kube_pod, refuses_what_is_no_time)
{
	static const char *const times[] = {
		"",
		"2026",
		"2026-01-01",
		"2026-01-01T00:00:00",
		"2026-01-01 00:00:00Z",
		"2026-01-01T00:00:00.5Z",
		"2026-01-01T00:00:00Zx",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2026-01-32T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:60Z",
		"2026-01-01T00:00:00+1:00",
		"2026-01-01T00:00:00+24:00",
		"+026-01-01T00:00:00Z",
		"1969-12-31T23:59:59Z",
		"9999-01-01T00:00:00Z",
		"1970-01-01T00:00:00+00:01",
	};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		cr_expect(zero(u64, kube_time_ns(times[i])), "%s", times[i]);
}

Test(kube_pod, says_so_when_there_is_no_memory)
{
	static const char *const keys[] = { "app", NULL };

	read_quoted("{'metadata':{" META ",'labels':{'app':'x'}}}", NULL);
	OOM_SWEEP(n)
	{
		struct kube_pod fresh;
		int r;

		kube_pod_init(&fresh);
		r = kube_pod_read(&fresh, json, keys);
		cr_assert(eq(int, r, oom_stop() ? -ENOMEM : 0));
		kube_pod_free(&fresh);
	}
}
