/**
 * Variables of the service that go through to every replica, in both ways of running. Not among them are those that the
 * stack decides itself (addresses, names, and DRAIN_DELAY_MS, which fits nginx), and RACE_WINDOW_MS, which on make's
 * command line is the crowd's.
 */
export const SERVICE_SETTINGS = [
  'LAB_MODE',
  'BOOKING_KEY',
  'OPERATORS',
  'LOCK_TTL_MS',
  'LOCK_WAIT_MS',
  'PG_POOL_MAX',
  'IDEMPOTENCY_KEY_TTL_S',
  'AUDIT_INTERVAL_S',
  'LOG_LEVEL',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
] as const;

export type ServiceSettings = Partial<Record<(typeof SERVICE_SETTINGS)[number], string>>;

/** Those that are set. A replica judges the values itself, and does not start with one that it cannot use. */
export function readServiceSettings(env: Readonly<Record<string, string | undefined>>): ServiceSettings {
  return Object.fromEntries(SERVICE_SETTINGS.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}
