// SPDX-License-Identifier: Apache-2.0
// An informer of @kubernetes/client-node looks at the fake API server: it lists, it sees a pod come,
// change and go, and it finds its way back when its watch breaks off and its version has expired.
//
//	node client_node.mjs URL
import { KubeConfig, CoreV1Api, makeInformer } from '@kubernetes/client-node';

const url = process.argv[2];
const config = new KubeConfig();
config.loadFromOptions({
	clusters: [{ name: 'fake', server: url, skipTLSVerify: true }],
	users: [{ name: 'nobody' }],
	contexts: [{ name: 'fake', cluster: 'fake', user: 'nobody' }],
	currentContext: 'fake',
});
const api = config.makeApiClient(CoreV1Api);
const seen = { add: new Set(), update: new Set(), delete: new Set() };
const informer = makeInformer(
	config,
	'/api/v1/pods',
	() => api.listPodForAllNamespaces({ fieldSelector: 'spec.nodeName=node-a' }),
	undefined,
	'spec.nodeName=node-a',
);
for (const verb of Object.keys(seen))
	informer.on(verb, (pod) => seen[verb].add(pod.metadata.name));
informer.on('error', () => setTimeout(() => informer.start(), 100));

const send = (method, path, body, type = 'application/json') =>
	fetch(url + path, {
		method,
		headers: { 'Content-Type': type },
		body: body && JSON.stringify(body),
	}).then((r) => {
		if (!r.ok) throw new Error(`${method} ${path}: ${r.status}`);
	});

async function until(what, condition) {
	const end = Date.now() + 15000;
	while (!condition()) {
		if (Date.now() > end) {
			console.log(`not ${what}`);
			process.exit(1);
		}
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

const pods = '/api/v1/namespaces/default/pods';
const pod = (name) => ({
	metadata: { name },
	spec: { nodeName: 'node-a', containers: [{ name: 'c', image: 'i' }] },
});
await informer.start();
await until('listed', () => seen.add.size >= 300);
const listed = informer.list().length;
seen.add.clear();
seen.update.clear();
await send('POST', pods, pod('one'));
await until('added', () => seen.add.has('one'));
await send('PATCH', `${pods}/one/status`, { status: { phase: 'Running' } }, 'application/merge-patch+json');
await until('changed', () => seen.update.has('one'));
const changed = seen.update.size;
await send('DELETE', `${pods}/one`, { gracePeriodSeconds: 0 });
await until('deleted', () => seen.delete.has('one'));
const added = seen.add.size;
const deleted = seen.delete.size;
await send('POST', '/fake/expire', { close: true });
await send('POST', pods, pod('two'));
await until('recovered', () => informer.get('two', 'default'));
console.log(`listed ${listed}, added ${added}, changed ${changed}, deleted ${deleted}, recovered`);
await informer.stop();
process.exit(0);
