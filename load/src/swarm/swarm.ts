import { UserError } from '@lastseat/infra/stack';
import { dockerAt, type Docker } from '@lastseat/infra/swarm';
import { examples } from '@lastseat/lab-frame/words.ts';

import { runCommand, runUntilDone, type Command, type Commands } from './node-commands.ts';

/** One machine of the swarm. All of them are managers. */
export interface SwarmNode {
  /** By which Swarm and the commands know it. */
  name: string;
  /** As in DOCKER_HOST. */
  host: string;
  docker: Docker;
  /** Where the others reach it, and buyers too. */
  address: string;
}

/** A swarm that may be struck. */
export interface Swarm {
  nodes: readonly SwarmNode[];
  /** Those that have power and a cable. */
  standing(): SwarmNode[];
  /** One of them, to be told and asked what the swarm is to do. */
  manager(): Docker;
  /** Null while they have not agreed on one. */
  leader(): Promise<SwarmNode | null>;
  /** Returns when it is done. */
  strike(command: keyof typeof MENDED_BY, node: SwarmNode): Promise<void>;
  /** Undoes what has struck the node, and says by what. A command that does not end well is tried again for a minute. */
  mend(node: SwarmNode): Promise<Command>;
}

const MENDED_BY = { kill: 'boot', unplug: 'plug' } as const satisfies Partial<Record<Command, Command>>;

/**
 * The swarm of these hosts. Throws a `UserError` of one line unless it is one that may be struck: whoever has written the
 * label on its nodes has said so.
 */
export async function findSwarm(hosts: readonly string[], commands: Commands): Promise<Swarm> {
  if ((await dockerAt().ask(['--version'])) === null)
    throw new UserError('the docker command is not installed');
  const nodes = await Promise.all(hosts.map(findNode));
  const clusters = new Set(nodes.map(({ cluster }) => cluster));
  if (clusters.size > 1) throw new UserError('the hosts of HOSTS are not all of one swarm');
  await refuseUnlabelled(nodes);

  const struck = new Map<string, Command>();
  const standing = () => nodes.filter(({ name }) => !struck.has(name));
  const manager = (): Docker => {
    const [first] = standing();
    if (!first) throw new UserError('no node is left');
    return first.docker;
  };
  return {
    nodes,
    standing,
    manager,
    async leader() {
      const told = await manager().ask(['node', 'ls', '--format', '{{.Hostname}} {{.ManagerStatus}}']);
      const line = told?.split('\n').find((line) => line.endsWith(' Leader'));
      return nodes.find(({ name }) => name === line?.split(' ')[0]) ?? null;
    },
    async strike(command, node) {
      struck.set(node.name, MENDED_BY[command]);
      await runCommand(commands, command, node.name);
    },
    async mend(node) {
      const command = struck.get(node.name);
      if (command === undefined) throw new Error(`${node.name} was not struck`);
      await runUntilDone(commands, command, node.name);
      struck.delete(node.name);
      return command;
    },
  };
}

/** What `docker info` tells, as far as it is read. */
interface Info {
  Name?: string;
  Swarm?: { NodeAddr?: string; ControlAvailable?: boolean; Cluster?: { ID?: string } };
}

async function findNode(host: string): Promise<SwarmNode & { cluster: string }> {
  const docker = dockerAt(host);
  const told = await docker.ask(['info', '--format', '{{json .}}']);
  const { Name: name, Swarm: swarm } = JSON.parse(told ?? '{}') as Info;
  if (!name) throw new UserError(`HOSTS: no Docker engine answers at ${host}`);
  if (!swarm?.ControlAvailable || !swarm.NodeAddr)
    throw new UserError(`HOSTS: ${name} (${host}) is no manager of a swarm: docker swarm join-token manager`);
  return { name, host, docker, address: swarm.NodeAddr, cluster: swarm.Cluster?.ID ?? '' };
}

async function refuseUnlabelled(nodes: readonly SwarmNode[]): Promise<void> {
  const [first] = nodes;
  const list = async (...filter: string[]): Promise<string[]> => {
    const told = await first?.docker.ask(['node', 'ls', '--format', '{{.Hostname}}', ...filter]);
    if (told === null || told === undefined)
      throw new UserError(`HOSTS: the swarm of ${first?.name} has no leader that answers`);
    return told.split('\n').filter(Boolean);
  };
  const all = await list();
  const labelled = await list('--filter', 'node.label=test=yes');
  const unlabelled = all.filter((name) => !labelled.includes(name));
  if (unlabelled.length > 0) {
    throw new UserError(
      `this swarm is not made for tests, which kill its nodes and delete data: the label test=yes is missing${examples(unlabelled)}`,
    );
  }
  const unnamed = all.filter((name) => !nodes.some((node) => node.name === name));
  if (unnamed.length > 0) throw new UserError(`HOSTS names not all nodes of the swarm${examples(unnamed)}`);
  if (new Set(nodes.map(({ name }) => name)).size < nodes.length)
    throw new UserError('HOSTS names a node twice');
}
