import { nameOf, ofKind, selects, type Manifest, type Selector } from '../manifests.ts';

interface ServiceMonitor extends Manifest {
  spec: { selector: Selector; endpoints: { port?: string }[] };
}

/** What Prometheus is sent to is a Service that there is, at a port that it has. */
export function monitors(objects: readonly Manifest[]): string[] {
  const all = objects.filter(({ kind }) => kind === 'ServiceMonitor') as ServiceMonitor[];
  return all.flatMap((monitor) => {
    const { selector, endpoints } = monitor.spec;
    const services = ofKind(objects, 'Service').filter(({ metadata }) =>
      selects(selector, metadata.labels ?? {}),
    );
    if (services.length === 0) return [`${nameOf(monitor)} selects no Service`];
    const ports = new Set(services.flatMap(({ spec }) => spec?.ports ?? []).map(({ name }) => name));
    const missing = endpoints.filter(({ port }) => !ports.has(port));
    return missing.map(({ port }) => `${nameOf(monitor)} asks for the port ${port}, which no Service has`);
  });
}
