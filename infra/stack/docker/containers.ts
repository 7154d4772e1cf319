import { capture } from '../run-command.ts';

/** A container of the project, reduced to what we ask of it. */
export interface Container {
  /** In the Compose file: `postgres`, `booking`, ... */
  service: string;
  /** Of several of one service, counted from 1. */
  number: number;
  name: string;
  /** As it names itself. */
  hostname: string;
  isRunning: boolean;
  /** For people: `running`, `healthy`, `paused`, `exited (1)`. */
  state: string;
  /** The port inside, for each one that it has. */
  ports: { inside: number; publishedAs: string | null }[];
  /** Its addresses inside the project's network. */
  address: string | null;
  env: Record<string, string>;
  networks: string[];
  /** How many CPUs it may use; 0 is no limit. */
  cpus: number;
  /** The folder that its project was started from, and the files for Compose that it was made by. */
  folder: string;
  files: string[];
}

/** What `docker inspect` tells, as far as it is read. */
interface Inspected {
  Name: string;
  State: { Status: string; ExitCode: number; Health?: { Status: string } };
  Config: {
    Hostname: string;
    Labels: Record<string, string>;
    Env: string[] | null;
    ExposedPorts?: Record<string, object> | null;
  };
  HostConfig: { PortBindings: Record<string, PortBinding[] | null> | null; NanoCpus: number };
  NetworkSettings: {
    Ports: Record<string, PortBinding[] | null> | null;
    Networks: Record<string, { IPAddress: string }>;
  };
}

interface PortBinding {
  HostIp: string;
  HostPort: string;
}

// Two quick questions to a local engine; whoever hangs longer than this is not there.
const timeoutMs = 5_000;

/**
 * All containers of the project, running or not; none where Docker is missing or silent. One-off containers
 * (`docker compose run`) are not parts of it.
 */
export async function listContainers(project: string): Promise<Container[]> {
  const filters = [`label=com.docker.compose.project=${project}`, 'label=com.docker.compose.oneoff=False'];
  const listed = await capture(
    'docker',
    ['ps', '--all', '--quiet', '--no-trunc', ...filters.flatMap((filter) => ['--filter', filter])],
    timeoutMs,
  );
  const ids = listed.stdout.split('\n').filter(Boolean);
  if (listed.code !== 0 || ids.length === 0) return [];
  // A container that goes away between the two questions makes the exit code 1 and is missing from the answer.
  const inspected = await capture('docker', ['inspect', '--type', 'container', ...ids], timeoutMs);
  if (inspected.stdout.trim() === '') return [];
  return (JSON.parse(inspected.stdout) as Inspected[]).map(asContainer);
}

function asContainer({ Name, State, Config, HostConfig, NetworkSettings }: Inspected): Container {
  // A stopped container has no ports any more, but still knows those that it was made with.
  const published = { ...HostConfig.PortBindings, ...NetworkSettings.Ports };
  const [network] = Object.values(NetworkSettings.Networks);
  return {
    service: Config.Labels['com.docker.compose.service'] ?? '',
    number: Number(Config.Labels['com.docker.compose.container-number'] ?? 1),
    name: Name.replace(/^\//, ''),
    hostname: Config.Hostname,
    isRunning: State.Status === 'running',
    state: stateInWords(State),
    ports: Object.entries(published).map(([inside, bindings]) => ({
      inside: Number.parseInt(inside, 10),
      publishedAs: bindings?.[0]?.HostPort ? `${bindings[0].HostIp}:${bindings[0].HostPort}` : null,
    })),
    address: network?.IPAddress || null,
    env: Object.fromEntries((Config.Env ?? []).map((line) => line.split(/=(.*)/s).slice(0, 2))),
    networks: Object.keys(NetworkSettings.Networks),
    cpus: HostConfig.NanoCpus / 1e9,
    folder: Config.Labels['com.docker.compose.project.working_dir'] ?? '',
    files: (Config.Labels['com.docker.compose.project.config_files'] ?? '').split(','),
  };
}

function stateInWords({ Status, ExitCode, Health }: Inspected['State']): string {
  if (Status === 'running') return Health?.Status ?? Status;
  return Status === 'exited' ? `exited (${ExitCode})` : Status;
}
