export const PROMETHEUS = 'prometheus';

/** Each asks one kind of server what it does, and tells it to Prometheus. */
export const EXPORTERS = ['exporter-nginx', 'exporter-redis', 'exporter-postgres'] as const;

export type Exporter = (typeof EXPORTERS)[number];

/** All parts that watch, and that nothing else needs. */
export const WATCHING_PARTS: readonly string[] = [PROMETHEUS, ...EXPORTERS];

/** The programs, as Debian calls them. */
export const WATCHING_PROGRAMS = [
  'prometheus',
  'prometheus-nginx-exporter',
  'prometheus-redis-exporter',
  'prometheus-postgres-exporter',
] as const;
