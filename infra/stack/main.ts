import { helpText, runProgram } from '../command-line/index.ts';
import { down, logs, ps, scale, up, type Output } from './commands.ts';
import { readRequest, TABLE } from './options.ts';

const HELP = helpText({
  summary: 'Runs the whole topology: nginx, replicas of the booking service, Redis and Postgres.',
  examples: [
    ['make up', 'start it, or change what runs into what is asked for'],
    ['make scale REPLICAS=6', 'change the number of replicas while the others serve'],
    ['make ps', 'list its parts'],
    ['make logs', 'follow what the parts say'],
    ['make down', 'stop it; its data stays'],
  ],
  program: 'infra/stack/main.ts up',
  table: TABLE,
  notes: `A default holds where nothing is said and nothing runs: what runs keeps what it was started with. COMPOSE_PROJECT_NAME names it, so that two can run side by side; in Docker the first has the name of its folder. The replicas get LAB_MODE (on), BOOKING_KEY, OPERATORS, LOCK_TTL_MS, LOCK_WAIT_MS, PG_POOL_MAX, IDEMPOTENCY_KEY_TTL_S, AUDIT_INTERVAL_S and LOG_LEVEL from the environment; in Docker each container may use one CPU, or as many as NGINX_CPUS, BOOKING_CPUS, REDIS_CPUS or POSTGRES_CPUS say.`,
});

const commands = { up, scale, ps, logs, down };

const output: Output = { note: (line) => console.error(line), say: (text) => console.log(text) };

await runProgram(async () => {
  const request = readRequest(process.argv.slice(2), process.env);
  if (request.help) console.log(HELP);
  else await commands[request.command](request, output);
  return 0;
});
