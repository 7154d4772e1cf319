import type { ServiceSettings } from './service-settings.ts';

/** The one shape of both ways to run the topology: in Docker, or as plain processes on loopback. */

export interface StackOptions {
  /** API processes behind nginx. */
  replicas: number;
  /** Loopback port that nginx answers on. */
  port: number;
  /** Extra Redis servers for the quorum lock: 0, or an odd number of at least 3. */
  quorum: number;
  /** Three each of Redis and Postgres, of which one may be lost, with what makes another one the primary. */
  ha?: boolean;
  /** Prometheus, which looks at the replicas and their servers, with rules and alerts. */
  watch?: boolean;
  /** Of the replicas; what is left out has the service's own default, except that lab mode is on. */
  settings?: ServiceSettings;
  /** Absolute paths of files with strategies that the replicas are to load beside their own (lab mode). */
  labStrategies?: readonly string[];
}

/** A topology that is up: what the harness and a person need to reach it. */
export interface Stack {
  runtime: 'docker' | 'native';
  /** nginx. */
  url: string;
  postgresUrl: string;
  redisUrl: string;
  /** Empty unless started with a quorum. */
  quorumUrls: string[];
  /** Whether the servers are there three times; the addresses then lead to whichever is the primary. */
  ha: boolean;
  /** Null unless somebody watches. */
  watching: Watching | null;
  /** As many as were asked for, also while one of them is down. */
  replicas: number;
  /** What the replicas were started with. */
  settings: ServiceSettings;
}

/** Where what was watched is seen. */
export interface Watching {
  prometheusUrl: string;
  /** Null natively: Debian has no Grafana. */
  grafanaUrl: string | null;
}

export interface Runtime {
  name: 'docker' | 'native';
  /**
   * Starts what is missing and returns once every replica is ready and answers through nginx. Running it again with
   * the same options changes nothing. Throws a `UserError` that leaves nothing half started.
   */
  up(options: StackOptions): Promise<Stack>;
  /** Changes the number of replicas while the others serve, without a failed request. */
  scale(replicas: number): Promise<Stack>;
  /** Prints a table of parts: name, state, address. */
  ps(): Promise<void>;
  logs(options: { follow: boolean }): Promise<void>;
  /** Stops everything; with `volumes`, its data goes too. Nothing running is not an error. */
  down(options: { volumes: boolean }): Promise<void>;
  /** What is up now, or null. Quick, and quiet where this runtime is not even installed. */
  find(): Promise<Stack | null>;
}
