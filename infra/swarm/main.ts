import { helpText, name, number, readTable, runProgram, text, yes } from '../command-line/index.ts';
import { isOn, maxReplicas, ON_OFF } from '../stack/options.ts';
import { readServiceSettings } from '../stack/service-settings.ts';
import { deploy, remove } from './deploy.ts';
import { dockerAt } from './docker.ts';

const table = {
  image: text('IMAGE', { what: 'of the service, where every machine finds it', variable: 'BOOKING_IMAGE' }),
  ha: name(ON_OFF, {
    what: 'three each of Redis and Postgres on three machines, of which one may be lost (default: off)',
  }),
  'redundant-image': text('IMAGE', { what: 'of infra/redundant, with HA=on' }),
  replicas: number({ min: 1, max: maxReplicas, what: 'replicas of the service' }),
  port: number({ min: 1, max: 65_535, what: 'port that nginx takes on every machine' }),
  stack: text('NAME', { what: 'name of the stack (lastseat)', variable: 'COMPOSE_PROJECT_NAME' }),
  remove: yes({ what: 'take it away; its data and passwords stay', variable: null }),
};

const examples = [
  ['make swarm BOOKING_IMAGE=registry.example.com/lastseat-booking:1', 'the first time'],
  [
    'make swarm BOOKING_IMAGE=registry.example.com/lastseat-booking:2',
    'a release, one replica after another',
  ],
  ['make swarm REPLICAS=9', 'while they sell'],
  ['make swarm HA=on BOOKING_IMAGE=... REDUNDANT_IMAGE=...', 'the first time, with three of each server'],
  ['make swarm-down', 'its data and its passwords stay'],
] as const;

const notes =
  'What is there keeps what it was deployed with, so that one thing can be changed at a time. The replicas get the same ' +
  'variables as with make up; LAB_MODE is off. POSTGRES_PASSWORD and ADMIN_TOKEN become secrets the first time; what is ' +
  'not given is drawn at random.';

await runProgram(async () => {
  const {
    help,
    stack = 'lastseat',
    replicas,
    port,
    image,
    ha,
    'redundant-image': redundantImage,
    ...asked
  } = readTable(table, process.argv.slice(2), process.env);
  if (help) {
    const summary = 'Deploys the topology on the swarm of the current Docker context, or changes it.';
    console.log(helpText({ summary, program: 'infra/swarm/main.ts', examples, table, notes }));
    return 0;
  }
  if (asked.remove) {
    await remove(dockerAt(), stack);
    console.log(`removed ${stack}; its data and its passwords stay`);
    return 0;
  }
  const settings = readServiceSettings(process.env);
  // Both are made of secrets.
  delete settings.BOOKING_KEY;
  delete settings.OPERATORS;
  const passwords = {
    postgres: process.env['POSTGRES_PASSWORD'] || undefined,
    admin: process.env['ADMIN_TOKEN'] || undefined,
  };
  const wish = { stack, ha: isOn(ha), replicas, port, image, redundantImage, settings };
  await deploy(dockerAt(), wish, passwords, (line) => console.error(line));
  console.log(`${stack} serves; docker stack services ${stack}`);
  return 0;
});
