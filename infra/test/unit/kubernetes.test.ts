import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { connections, drain, graces } from '../support/kubernetes/checks/bounds.ts';
import { images } from '../support/kubernetes/checks/images.ts';
import { monitors } from '../support/kubernetes/checks/monitors.ts';
import { network } from '../support/kubernetes/checks/network.ts';
import { listening, names, ports } from '../support/kubernetes/checks/ports.ts';
import { probes } from '../support/kubernetes/checks/probes.ts';
import { includes, references } from '../support/kubernetes/checks/references.ts';
import { restricted } from '../support/kubernetes/checks/restricted.ts';
import { autoscalers, ownPods, selectors } from '../support/kubernetes/checks/selectors.ts';
import { settings } from '../support/kubernetes/checks/settings.ts';
import { findWrongFields } from '../support/kubernetes/fields.ts';
import { findKubectl, render } from '../support/kubernetes/kubectl.ts';
import { parseManifests, type Manifest } from '../support/kubernetes/manifests.ts';

/** The manifests as `kubectl apply -k` would send them, checked without a cluster: none has run them here. */

const folder = fileURLToPath(new URL('../../kubernetes/overlays', import.meta.url));
const overlays = readdirSync(folder);

const checks = {
  autoscalers,
  connections,
  drain,
  graces,
  images,
  includes,
  listening,
  monitors,
  names,
  network,
  ownPods,
  ports,
  probes,
  references,
  restricted,
  selectors,
  settings,
};

test.each(['servers', 'homes', 'reads'])(
  'nginx is told the same of a replica as in Docker: %s.conf',
  (name) => {
    expect(ofReplica(`kubernetes/${name}.conf`)).toBe(ofReplica(`docker/${name}.conf`));
  },
);

test('the rules of infra/watching are those of a PrometheusRule', async () => {
  const text = readFileSync(new URL('../../watching/rules.yml', import.meta.url), 'utf8');
  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'lastseat' },
  };
  expect(await wrongFieldsOf([{ ...rule, spec: parse(text) as unknown } as Manifest])).toEqual([]);
});

// One program after another, on a machine that may be busy.
const RENDERED_WITHIN_MS = 60_000;

const kubectl = await findKubectl();
const title = 'what kubectl makes of the manifests';

describe.skipIf(kubectl === null)(kubectl === null ? `${title} (kubectl is not installed)` : title, () => {
  const texts: Record<string, string> = {};
  beforeAll(async () => {
    for (const name of overlays) texts[name] = await render(kubectl ?? '', `${folder}/${name}`);
  }, RENDERED_WITHIN_MS);

  test.each(overlays)('%s has the fields that the API knows', async (overlay) => {
    expect(await wrongFieldsOf(parseManifests(texts[overlay] ?? ''))).toEqual([]);
  });

  test.each(overlays)('%s fits together', (overlay) => {
    const objects = parseManifests(texts[overlay] ?? '');
    const findings = Object.entries(checks).map(([name, check]) => [name, check(objects)]);
    expect(Object.fromEntries(findings)).toEqual(
      Object.fromEntries(Object.keys(checks).map((name) => [name, []])),
    );
  });

  test.each([
    [
      'laptop',
      'terminationGracePeriodSeconds: 25',
      'terminationGraceSeconds: 25',
      /Deployment booking: .*terminationGraceSeconds/,
    ],
    [
      'laptop',
      'containerPort: 3000',
      'containerPort: "3000"',
      /Deployment booking: .*containerPort must be integer/,
    ],
    ['laptop', 'path: /livez', 'pathh: /livez', /nobody knows the field .*httpGet\.pathh/],
    ['production', 'maxReplicas: 7', 'maxReplica: 7', /HorizontalPodAutoscaler booking: .*maxReplicas/],
    [
      'production',
      'kind: PodDisruptionBudget',
      'kind: PodDisruptionBudge',
      /no package tells what a policy\/v1 has/,
    ],
    ['prometheus-operator', 'port: metrics', 'port: 9464', /ServiceMonitor booking: .*port must be string/],
    ['prometheus-operator', 'interval: 5s', 'intervall: 5s', /nobody knows the field .*intervall/],
    ['cloudnative-pg', 'instances: 3', 'instances: three', /Cluster postgres: .*instances must be integer/],
    [
      'cloudnative-pg',
      'dataDurability: required',
      'durability: required',
      /nobody knows the field .*durability/,
    ],
  ])('in %s, "%s" for "%s" is a wrong field', async (overlay, right, wrong, finding) => {
    expect(await wrongFieldsOf(broken(overlay, right, wrong))).toContainEqual(expect.stringMatching(finding));
  });

  test.each<[keyof typeof checks, string, string | RegExp, string, RegExp]>([
    ['autoscalers', 'production', /(kind: Deployment\n    name: )booking/, '$1bookings', /scales nothing/],
    ['autoscalers', 'production', 'progressDeadlineSeconds: 180', 'replicas: 3', /names its replicas/],
    ['connections', 'production', 'maxReplicas: 7', 'maxReplicas: 12', /12 replicas may want 137 .* has 100/],
    ['connections', 'laptop', 'max_connections = 300', 'max_connections = 30', /Postgres has 30/],
    ['connections', 'cloudnative-pg', 'max_connections: "300"', 'max_connections: "200"', /Postgres has 200/],
    [
      'connections',
      'laptop',
      'LAB_MODE: "on"',
      'LAB_MODE: "on"\n  PG_POOL_MAX: "100"',
      /may want 432 connections/,
    ],
    ['drain', 'production', 'DRAIN_DELAY_MS: "3000"', 'DRAIN_DELAY_MS: "2000"', /drains for 2000 ms only/],
    [
      'graces',
      'production',
      'terminationGracePeriodSeconds: 25',
      'terminationGracePeriodSeconds: 20',
      /Deployment booking is killed after 20000 ms, and may need 20000/,
    ],
    ['graces', 'production', 'seconds: 10', 'seconds: 15', /Deployment nginx is killed after 30000 ms/],
    [
      'graces',
      'production',
      'worker_shutdown_timeout 15s',
      'worker_shutdown_timeout 20s',
      /Deployment nginx/,
    ],
    ['graces', 'production', 'seconds: 3', 'seconds: 0', /booking stops before others have heard/],
    ['images', 'production', 'nginx:1.30-alpine', 'nginx:stable', /nginx:stable, which is not the one of/],
    [
      'images',
      'cloudnative-pg',
      'postgresql:18',
      'postgresql:17',
      /Cluster postgres runs .*:17, which is not/,
    ],
    ['images', 'laptop', 'postgres:18-alpine', 'postgres:17-alpine', /postgres:17-alpine, which is not/],
    ['images', 'production', 'lastseat-booking:0.1.0', 'lastseat-booking:latest', /names no release/],
    ['includes', 'production', '  reads.conf: |', '  read.conf: |', /nginx.conf includes reads.conf, which/],
    ['listening', 'production', 'listen 8080;', 'listen 8081;', /nginx listens on 8081/],
    ['listening', 'production', 'METRICS_PORT: "9464"', 'METRICS_PORT: "9465"', /tells metrics on 9465/],
    ['listening', 'production', 'port: "9464"', 'port: "9465"', /Prometheus is sent to another port/],
    [
      'monitors',
      'prometheus-operator',
      /(endpoints:(.|\n)*?port: )metrics/,
      '$1metric',
      /asks for the port metric,/,
    ],
    [
      'monitors',
      'prometheus-operator',
      /(ServiceMonitor(.|\n)*?matchLabels:\n.*: )booking/,
      '$1bookings',
      /selects no Service/,
    ],
    ['network', 'production', 'name: monitoring', 'name: default', /Prometheus cannot reach booking/],
    ['listening', 'production', 'PORT: "3000"', 'PORT: "3001"', /booking listens on 3001/],
    [
      'names',
      'production',
      'booking.lastseat.svc',
      'replicas.lastseat.svc',
      /servers.conf asks for replicas\..* no Service/,
    ],
    ['names', 'production', 'booking.lastseat.svc', 'booking.shop.svc', /is in the namespace lastseat/],
    ['names', 'production', 'svc.cluster.local:3000', 'svc.cluster.local:3001', /asks .* for its port 3001/],
    ['names', 'production', 'clusterIP: None', 'clusterIP: ""', /gets that of the Service/],
    ['names', 'laptop', 'name: redis', 'name: cache', /REDIS_URL of Deployment booking asks for redis/],
    [
      'network',
      'laptop',
      'podSelector: {}',
      'podSelector: { matchLabels: { a: b } }',
      /cannot ask for names/,
    ],
    [
      'network',
      'laptop',
      /(name: redis\n.*\nspec:\n {2}ingress:\n {2}- from:\n {4}- podSelector:\n {8}matchLabels:)\n.*booking/,
      '$1 {}',
      /Job migrate can reach StatefulSet redis at 6379/,
    ],
    [
      'network',
      'production',
      /ingress:\n {2}- ports:\n {4}- port: http/,
      'ingress: []',
      /nobody can reach nginx/,
    ],
    [
      'network',
      'laptop',
      '- migrate',
      '- migration',
      /Job migrate cannot reach StatefulSet postgres at 5432/,
    ],
    ['network', 'production', 'port: 6379', 'port: 6380', /booking cannot reach the outside at 6379/],
    ['network', 'production', 'port: 26379', 'port: 26380', /booking cannot reach the outside at 26379/],
    ['network', 'production', 'port: 53', 'port: 54', /Job migrate cannot ask for names/],
    [
      'ownPods',
      'production',
      /(matchLabels:\n {6}app.kubernetes.io\/name: )booking\n( {2}strategy)/,
      '$1nginx\n$2',
      /Deployment booking does not select its own pods alone/,
    ],
    [
      'ownPods',
      'production',
      /(labelSelector:\n {10}matchLabels:\n {12}app.kubernetes.io\/name: )nginx/,
      '$1ngnix',
      /Deployment nginx does not/,
    ],
    ['ports', 'production', 'targetPort: http', 'targetPort: web', /Service booking sends to the port web/],
    ['ports', 'production', 'port: 3000', 'port: 80', /Service booking is headless: its port is 3000/],
    [
      'ports',
      'production',
      /(path: \/readyz\n *port: )http/,
      '$1https',
      /Deployment booking is probed at the port https/,
    ],
    ['probes', 'production', 'path: /readyz', 'path: /ready', /is probed at \/ready, where nothing answers/],
    ['probes', 'production', 'path: /livez', 'path: /readyz', /is restarted when a server is away/],
    [
      'probes',
      'production',
      'path: /nginx-health',
      'path: /health',
      /Deployment nginx is probed at \/health/,
    ],
    ['probes', 'production', 'timeoutSeconds: 3', 'timeoutSeconds: 1', /probed for less/],
    [
      'probes',
      'laptop',
      'readinessProbe',
      'startupProbe',
      /StatefulSet redis is not asked whether it is ready/,
    ],
    [
      'references',
      'production',
      /(configMapRef:\n *name: )booking-settings/,
      '$1settings',
      /names the ConfigMap settings-/,
    ],
    ['references', 'production', 'key: REDIS_URL', 'key: REDIS', /the key REDIS of the Secret servers/],
    ['references', 'laptop', 'key: password', 'key: pasword', /StatefulSet postgres names the key pasword/],
    ['references', 'production', /(mountPath: \/tmp\n *name: )tmp/, '$1temp', /names the volume temp/],
    [
      'restricted',
      'production',
      'pod-security.kubernetes.io/enforce: restricted',
      'a: b',
      /the namespace enforces nothing/,
    ],
    ['restricted', 'production', 'runAsNonRoot: true', 'runAsNonRoot: false', /Job migrate may run as root/],
    ['restricted', 'production', 'runAsUser: 1000', 'runAsUser: 0', /has no number/],
    ['restricted', 'production', 'type: RuntimeDefault', 'type: Unconfined', /has no seccomp profile/],
    [
      'restricted',
      'production',
      'automountServiceAccountToken: false',
      'automountServiceAccountToken: true',
      /has credentials/,
    ],
    [
      'restricted',
      'production',
      'enableServiceLinks: false',
      'hostNetwork: true',
      /shares what is the node’s/,
    ],
    [
      'restricted',
      'production',
      /emptyDir:\n *medium: Memory\n *sizeLimit: 16Mi/,
      'hostPath: { path: /tmp }',
      /mounts what is the node’s/,
    ],
    [
      'restricted',
      'production',
      'allowPrivilegeEscalation: false',
      'privileged: true',
      /may gain privileges/,
    ],
    [
      'restricted',
      'production',
      'readOnlyRootFilesystem: true',
      'readOnlyRootFilesystem: false',
      /can change its files/,
    ],
    ['restricted', 'production', '- ALL', '- NET_RAW', /keeps capabilities/],
    [
      'restricted',
      'production',
      'containerPort: 3000',
      'containerPort: 3000\n          hostPort: 3000',
      /takes a port of the node/,
    ],
    [
      'restricted',
      'production',
      /limits:\n *memory: 256Mi/,
      'limits: {}',
      /Deployment nginx has no bound on its memory/,
    ],
    ['restricted', 'production', 'cpu: 250m', 'ephemeral-storage: 1Gi', /asks for no CPU/],
    [
      'selectors',
      'production',
      /(name: nginx\n  namespace: lastseat\nspec:\n[^-]*externalTrafficPolicy(.|\n)*?app.kubernetes.io\/name: )nginx/,
      '$1ngnix',
      /Service nginx selects no pod/,
    ],
    [
      'selectors',
      'production',
      /(maxUnavailable: 1\n {2}selector:\n {4}matchLabels:\n.*: )booking/,
      '$1bookings',
      /PodDisruptionBudget booking selects no pod/,
    ],
    [
      'selectors',
      'production',
      /(- podSelector:\n {8}matchLabels:\n.*: )booking/,
      '$1bookings',
      /NetworkPolicy nginx selects no pod/,
    ],
    ['settings', 'production', 'LAB_MODE: "off"', 'LAB: "off"', /is given LAB, which it does not know/],
    ['settings', 'production', 'LAB_MODE: "off"', 'LAB_MODE: "no"', /LAB_MODE="no": write on or off/],
    ['settings', 'laptop', /REDIS_URL: \S+/, 'REDIS: eA==', /REDIS_URL is not set/],
    ['references', 'production', 'key: REDIS_SENTINELS', 'key: SENTINELS', /the key SENTINELS of the Secret/],
  ])('%s: in %s, %s for %s is found', (check, overlay, right, wrong, finding) => {
    expect(checks[check](broken(overlay, right, wrong))).toContainEqual(expect.stringMatching(finding));
  });

  test('sentinels in place of an address are settings that the service takes', () => {
    const sentinels = `REDIS_SENTINELS: ${btoa('sentinel-1:26379,sentinel-2:26379')}`;
    expect(checks.settings(broken('laptop', /REDIS_URL: \S+/, sentinels))).toEqual([]);
  });

  /** The rendered text with one mistake in it, wherever the right words stand. */
  function broken(overlay: string, right: string | RegExp, wrong: string): Manifest[] {
    const text = texts[overlay] ?? '';
    const changed = text.replaceAll(typeof right === 'string' ? right : new RegExp(right, 'g'), wrong);
    expect(changed).not.toBe(text);
    return parseManifests(changed);
  }
});

async function wrongFieldsOf(objects: readonly Manifest[]): Promise<string[]> {
  return (await Promise.all(objects.map(findWrongFields))).flat();
}

function ofReplica(path: string): string | undefined {
  const text = readFileSync(new URL(`../../../nginx/${path}`, import.meta.url), 'utf8');
  return /^server \S+ (.*)$/m.exec(text)?.[1];
}
