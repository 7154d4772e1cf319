import {
  containersOf,
  environmentOf,
  generated,
  nameOf,
  ofKind,
  podsOf,
  portOf,
  selects,
  type Manifest,
} from '../manifests.ts';

/** Services, probes and policies call ports that the pods have. */
export function ports(objects: readonly Manifest[]): string[] {
  const pods = podsOf(objects).filter(({ spec }) => spec !== null);
  const services = ofKind(objects, 'Service').flatMap((service) => {
    const { selector, ports = [], clusterIP } = service.spec ?? {};
    const chosen = pods.filter(({ labels }) => selects({ matchLabels: selector ?? {} }, labels));
    return chosen.flatMap((some) =>
      ports.flatMap(({ port, targetPort = port }) => {
        const inside = portOf(some, targetPort);
        if (inside === undefined)
          return [`${nameOf(service)} sends to the port ${targetPort}, which ${some.of} has not`];
        // Nobody translates the port of a headless Service: its name is those of the pods.
        return clusterIP === 'None' && inside !== port
          ? [`${nameOf(service)} is headless: its port is ${inside}`]
          : [];
      }),
    );
  });
  const probes = pods.flatMap((some) =>
    containersOf(some).flatMap(({ startupProbe, livenessProbe, readinessProbe }) =>
      [startupProbe, livenessProbe, readinessProbe].flatMap((probe) => {
        const port = probe?.httpGet?.port;
        return port === undefined || portOf(some, port) !== undefined
          ? []
          : [`${some.of} is probed at the port ${port}`];
      }),
    ),
  );
  return [...services, ...probes];
}

/** What each program listens on is what its container says. */
export function listening(objects: readonly Manifest[]): string[] {
  const listen = Number(/^listen (\d+);/m.exec(generated(objects, 'nginx')['listen.conf'] ?? '')?.[1]);
  return podsOf(objects).flatMap((pods) => {
    if (pods.name === 'nginx' && portOf(pods, 'http') !== listen) return [`nginx listens on ${listen}`];
    if (pods.name !== 'booking') return [];
    const [container] = containersOf(pods);
    const { PORT, METRICS_PORT } = container ? environmentOf(objects, container) : {};
    const http = portOf(pods, 'http') === Number(PORT) ? [] : [`booking listens on ${PORT}`];
    const told =
      portOf(pods, 'metrics') === Number(METRICS_PORT) ? [] : [`booking tells metrics on ${METRICS_PORT}`];
    const isSent = annotationsOf(objects)['prometheus.io/port'] === METRICS_PORT;
    return http.concat(told, isSent ? [] : ['Prometheus is sent to another port']);
  });
}

function annotationsOf(objects: readonly Manifest[]): Record<string, string> {
  const booking = ofKind(objects, 'Deployment').find(({ metadata }) => metadata.name === 'booking');
  return booking?.spec?.template?.metadata?.annotations ?? {};
}

/** Whoever asks for another by name asks for a Service that there is, at a port that it has. */
export function names(objects: readonly Manifest[]): string[] {
  return [...nginxAsksFor(objects), ...addressesOf(objects)].flatMap(({ by, host, port, isHeadless }) => {
    const [name, namespace] = host.split('.');
    const service = ofKind(objects, 'Service').find(({ metadata }) => metadata.name === name);
    if (service === undefined) return [`${by} asks for ${host}, which is no Service`];
    if (namespace !== undefined && service.metadata.namespace !== namespace) {
      return [`${by} asks for ${host}, which is in the namespace ${service.metadata.namespace}`];
    }
    if (!service.spec?.ports?.some((one) => one.port === port))
      return [`${by} asks ${host} for its port ${port}`];
    const isSo = service.spec.clusterIP === 'None';
    return isHeadless && !isSo
      ? [`${by} asks ${host} for the addresses of the pods, and gets that of the Service`]
      : [];
  });
}

interface Asked {
  by: string;
  host: string;
  port: number;
  isHeadless: boolean;
}

function nginxAsksFor(objects: readonly Manifest[]): Asked[] {
  return ['servers.conf', 'homes.conf', 'reads.conf'].map((file) => {
    const server = /^server ([\w.-]+\.svc\.cluster\.local):(\d+) resolve/m.exec(
      generated(objects, 'nginx')[file] ?? '',
    );
    const [, host = 'nobody', port] = server ?? [];
    return { by: file, host, port: Number(port), isHeadless: true };
  });
}

/** Of the servers, where the manifests know them: a Secret that is made elsewhere tells nothing. */
function addressesOf(objects: readonly Manifest[]): Asked[] {
  return podsOf(objects).flatMap((pods) =>
    containersOf(pods).flatMap((container) =>
      Object.entries(environmentOf(objects, container)).flatMap(([name, value]) => {
        if (!name.endsWith('_URL') || value === null) return [];
        const { hostname: host, port } = new URL(value);
        return [{ by: `${name} of ${pods.of}`, host, port: Number(port), isHeadless: false }];
      }),
    ),
  );
}
