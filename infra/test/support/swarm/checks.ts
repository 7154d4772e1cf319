import { isDeepStrictEqual } from 'node:util';

import { STOPPED_WITHIN_MS } from '../../../../services/booking/src/time-limits.ts';
import { filesOf, writableOf, type Service, type StackFile } from './stack-file.ts';

/** What can be wrong with the files of infra/swarm: each finds it, in words. */
export const checks = { agreement, files, limits, locks, members, refused, secrets, updates, waiting };

/** What both files say of a service is the same. Left out: what only one of them has, the profiles among it. */
function agreement(stack: StackFile, compose: StackFile): string[] {
  const names = Object.entries(compose.services).flatMap(([name, service]) =>
    service === null || service.profiles ? [] : [name],
  );
  const services = names.flatMap((name) => {
    const [there, here] = [compose.services[name], stack.services[name]].map((service) =>
      sharedBy(name, service),
    );
    return Object.keys({ ...there, ...here }).flatMap((key) =>
      isDeepStrictEqual(there?.[key], here?.[key]) ? [] : [`${name}: ${key}`],
    );
  });
  const volumes = Object.keys(compose.volumes).filter(
    (name) => name in compose.services && names.includes(name),
  );
  const isSame = isDeepStrictEqual(
    [Object.keys(stack.networks ?? {}), Object.keys(stack.volumes)],
    [Object.keys(compose.networks ?? {}).filter((name) => name !== WATCHERS), volumes],
  );
  return isSame ? services : services.concat('networks or volumes');
}

/** The network of those who watch: a stack has none of them. */
const WATCHERS = 'watch';

function sharedBy(name: string, service: Service | undefined): Record<string, unknown> {
  if (service === undefined) return { service: 'missing' };
  const { image, user, init, read_only, cap_drop, logging, command, entrypoint, networks, healthcheck } =
    service;
  const { mem_limit, deploy, ports = [], stop_grace_period, hostname } = service;
  const isOurs = name === 'booking' || name === 'migrate';
  const isMember = MEMBER.test(name);
  const isAlone = name === 'postgres' || name === 'redis';
  return {
    // One that we build has a name in Compose, and a registry in a swarm. There a shell that starts a service reads the
    // secrets, and takes the lock of a data server; and who is unhealthy is killed, so that some checks are Swarm's own.
    image: image?.startsWith('${') ? 'built' : image,
    command: isOurs || command,
    entrypoint: isOurs || isMember || isAlone || entrypoint,
    healthcheck: isOurs || (OTHERWISE_WELL.test(name) ? timesOf(healthcheck) : healthcheck),
    hostname,
    port: name === 'nginx' && ports.map(({ target }) => target),
    user,
    init,
    read_only,
    cap_drop,
    logging,
    // That of the router is no list: it has other names there.
    networks: Array.isArray(networks) ? networks.filter((name) => name !== WATCHERS) : networks,
    stop_grace_period,
    memory: mem_limit ?? deploy?.resources?.limits?.memory,
    environment: name === 'postgres' || name === 'router' || environmentOf(service),
  };
}

/** One of three. */
const MEMBER = /^(redis|sentinel|etcd|postgres)-([123])$/;
/** In Compose their checks say whether there is a primary, which nobody may be killed for. */
const OTHERWISE_WELL = /^(router|postgres-[123])$/;

function timesOf(healthcheck: Service['healthcheck']): object {
  return { ...healthcheck, test: undefined };
}

/** Without the passwords, the quorum, which a stack has not, and the defaults of what may be set (`${NAME:-default}`). */
function environmentOf({ environment = {} }: Service): string[] {
  const apart = new Set(['BOOKING_KEY', 'OPERATORS', 'QUORUM_REDIS_URLS', 'INSTANCE_ID']);
  return Object.entries(environment)
    .filter(([name]) => !apart.has(name) && !name.endsWith('PASSWORD'))
    .filter(([, value]) => value !== '') // which a variable does in a stack
    .map(([name, value]) => `${name}=${value.startsWith('${') ? defaultOf(value) : value}`)
    .toSorted();
}

function defaultOf(value: string): string {
  return /^\$\{\w+-(.*)\}$/.exec(value)?.[1] ?? '';
}

/** The same files at the same places, under a name that changes with what is in them. */
function files(stack: StackFile, compose: StackFile): string[] {
  const services = Object.entries(stack.services).flatMap(([name, service]) => {
    const there = compose.services[name] ?? { image: '' };
    const { '/etc/nginx/status.conf': _, ...files } = filesOf(compose, there); // without what is for who watches
    const isSame = isDeepStrictEqual(filesOf(stack, service), files);
    // In a swarm a replica notes that it was ready, and a migration that it is done.
    const isOurs = name === 'booking' || name === 'migrate';
    const writable = writableOf(service).filter((path) => !isOurs || path !== '/tmp (tmpfs)');
    const isWritable = isDeepStrictEqual(writable, writableOf(there));
    return sentences([!isSame && `${name}: files`, !isWritable && `${name}: writable`]);
  });
  const configs = Object.entries(stack.configs ?? {}).flatMap(([name, config]) => {
    const digest = `-\${DIGEST_${name.toUpperCase().replaceAll('-', '_')}}`;
    return config.name.endsWith(digest) ? [] : [`${name}: its name does not change with it`];
  });
  return [...services, ...configs];
}

function limits({ services }: StackFile): string[] {
  const graceS = Number.parseInt(services['booking']?.stop_grace_period ?? '', 10);
  const unbound = Object.entries(services).filter(
    ([, { deploy }]) => deploy?.resources?.limits?.memory === undefined,
  );
  return [
    ...(graceS * 1_000 > STOPPED_WITHIN_MS ? [] : [`booking is killed after ${graceS} s`]),
    ...unbound.map(([name]) => `${name} has no bound on its memory`),
  ];
}

/** Who keeps data has it for itself alone: a second task waits for the lock. */
function locks({ services }: StackFile): string[] {
  return Object.entries(services).flatMap(([name, { entrypoint = [], volumes = [] }]) => {
    const kept = volumes.find((volume) => typeof volume === 'string');
    const takesLock = `exec 9>${kept?.split(':')[1]}/lock && flock 9 `;
    return kept === undefined || entrypoint.join(' ').includes(takesLock)
      ? []
      : [`${name}: two may have its data`];
  });
}

/** Each of three servers has a machine of its own, and is known by its name. */
function members({ services }: StackFile): string[] {
  const wrong = Object.entries(services).flatMap(([name, { hostname, deploy }]) => {
    const number = MEMBER.exec(name)?.[2];
    if (number === undefined) return [];
    const machine = [`node.labels.lastseat-data == ${number}`];
    return [
      hostname !== name && `${name}: has another name`,
      !isDeepStrictEqual(deploy?.placement?.constraints, machine) && `${name}: not on machine ${number}`,
    ];
  });
  const { router } = services;
  return sentences([
    ...wrong,
    router !== undefined && router.deploy?.mode !== 'global' && 'router: not on every machine',
  ]);
}

/** A stack refuses some of these words, and ignores the others without a word. */
function refused({ services }: StackFile): string[] {
  const words = [
    'build',
    'cpus',
    'depends_on',
    'mem_limit',
    'profiles',
    'pull_policy',
    'restart',
    'security_opt',
  ];
  const ignored = new Set([...words, 'shm_size', 'tmpfs', 'container_name', 'env_file']);
  return Object.entries(services).flatMap(([name, service]) =>
    Object.keys(service).flatMap((key) => (ignored.has(key) ? [`${name}: a stack has no ${key}`] : [])),
  );
}

function secrets(stack: StackFile): string[] {
  const services = Object.entries(stack.services).flatMap(([name, service]) => {
    const { environment = {}, entrypoint = [], secrets = [] } = service;
    const literal = Object.entries(environment).filter(
      ([variable, value]) => /PASSWORD|TOKEN/.test(variable) && !value.startsWith('/run/secrets/'),
    );
    const read = JSON.stringify([environment, entrypoint]).matchAll(/\/run\/secrets\/([\w-]+)/g);
    const missing = [...read].map(([, secret = '']) => secret).filter((secret) => !secrets.includes(secret));
    const isNone = literal.map(([variable]) => `${name}: ${variable} is no secret`);
    return isNone.concat(missing.map((secret) => `${name} reads the secret ${secret}, and is not given it`));
  });
  const files = Object.entries(stack.secrets ?? {}).filter(([, { external }]) => !external);
  return [...services, ...files.map(([name]) => `${name} is a file`)];
}

function updates({ services }: StackFile): string[] {
  const { booking, nginx, migrate } = services;
  const virtual = Object.entries(services).filter(([, { deploy }]) => deploy?.endpoint_mode !== 'dnsrr');
  const data = Object.entries(services).filter(([, { volumes = [] }]) =>
    volumes.some((volume) => typeof volume === 'string'),
  );
  const wrong = [
    orderOf(booking) !== 'start-first' && 'booking: an old one goes before a new one is there',
    booking?.deploy?.update_config?.failure_action !== 'rollback' && 'booking: a bad release goes on',
    orderOf(nginx) !== 'stop-first' && 'nginx: two at one port',
    nginx?.ports?.[0]?.mode !== 'host' && 'nginx: its port is not that of its machine',
    migrate?.deploy?.mode?.endsWith('-job') && 'migrate: a manager may start it again and again',
    !migrate?.entrypoint?.at(-1)?.includes('exec sleep') && 'migrate: runs again and again',
    ...virtual.map(([name]) => `${name}: has a virtual address`),
    ...data.map(
      ([name, service]) => !service.deploy?.placement?.constraints?.length && `${name}: may leave its data`,
    ),
    ...data.map(([name, service]) => orderOf(service) !== 'stop-first' && `${name}: two on the same files`),
  ];
  return sentences(wrong);
}

// On two cores with forty programs that want to run, an answer was seen to take six seconds.
const PATIENCE_S = 10;

/** Swarm kills who is unhealthy: readiness says when a replica may begin, and is no reason to kill it. */
function waiting({ services }: StackFile): string[] {
  const script = services['booking']?.healthcheck?.test?.at(-1) ?? '';
  const [, before, after] = /path=(\S+); \[ ! -e \S+ \] \|\| path=(\S+)/.exec(script) ?? [];
  const hasty = Object.entries(services).map(([name, { healthcheck }]) => {
    const seconds = Number.parseInt(healthcheck?.timeout ?? String(PATIENCE_S), 10);
    return seconds < PATIENCE_S && `${name} is killed when its machine is busy`;
  });
  return sentences([
    after !== '/livez' && 'booking is killed when a server is away',
    before !== '/readyz' && 'booking is asked before it can book',
    ...hasty,
  ]);
}

function sentences(wrong: readonly (string | false | undefined)[]): string[] {
  return wrong.filter((what) => typeof what === 'string');
}

function orderOf(service?: Service): string | undefined {
  return service?.deploy?.update_config?.order;
}
