import { createApp, type AppDeps } from '../../../../../services/booking/src/http/app.ts';
import { PING_TIMEOUT_MS } from '../../../../../services/booking/src/time-limits.ts';
import { containersOf, findings, generated, podsOf, type Manifest } from '../manifests.ts';

/** Every probe asks for something that its program answers, and waits for the answer. */
export function probes(objects: readonly Manifest[]): string[] {
  const nginxConf = generated(objects, 'nginx')['nginx.conf'] ?? '';
  const answered: Record<string, readonly string[]> = {
    booking: routes(),
    nginx: [...nginxConf.matchAll(/^ *location = (\S+) \{/gm)].map(([, path = '']) => path),
  };
  return podsOf(objects).flatMap((pods) =>
    containersOf(pods).flatMap(({ name, startupProbe, livenessProbe, readinessProbe }) => {
      const deaf = [startupProbe, livenessProbe, readinessProbe]
        .flatMap((probe) => probe?.httpGet?.path ?? [])
        .filter((path) => answered[name]?.includes(path) !== true)
        .map((path) => `is probed at ${path}, where nothing answers`);
      const isOneShot = pods.of.startsWith('Job');
      const isService = name === 'booking';
      const patienceMs = (readinessProbe?.timeoutSeconds ?? 1) * 1_000;
      return findings(pods.of, [
        ...deaf,
        readinessProbe === undefined && !isOneShot && 'is not asked whether it is ready',
        // A server that is away must not have its clients restarted: only readiness asks for it.
        isService && livenessProbe?.httpGet?.path !== '/livez' && 'is restarted when a server is away',
        isService && patienceMs <= PING_TIMEOUT_MS && 'is probed for less than its servers may take',
      ]);
    }),
  );
}

/** Of the service itself; nothing that a route needs is there until it is asked. */
function routes(): string[] {
  return createApp({ bookingKey: 'none', operators: [] } as unknown as AppDeps).routes.map(
    ({ path }) => path,
  );
}
