import { runProgram } from '../command-line/index.ts';
import { down, logs, ps, scale, up, type Output } from './commands.ts';
import { readRequest } from './options.ts';

const help = `Runs the whole topology: nginx, replicas of the booking service, Redis and Postgres.

  node infra/stack/main.ts up      start it, or change what runs into what is asked for
  node infra/stack/main.ts scale   change the number of replicas while the others serve
  node infra/stack/main.ts ps      list its parts
  node infra/stack/main.ts logs    follow what the parts say
  node infra/stack/main.ts down    stop it; its data stays

  --replicas N    replicas of the service, 1 to 32 (REPLICAS; 3)
  --port N        where nginx answers, on 127.0.0.1 (PORT; 8080)
  --quorum N      Redis servers for the quorum lock: 0, 3, 5, ... (QUORUM; 0)
  --ha on|off     three each of Redis and Postgres, of which one may be lost (HA; off)
  --watch on|off  Prometheus, with rules and alerts; in Docker Grafana too (WATCH; off)
  --runtime NAME  docker or native (RUNTIME; docker where an engine answers)
  --no-follow     logs: what there is, and no more (FOLLOW=0)
  --volumes       down: delete the data too

In parentheses: the variable that says the same, and what holds when nothing is said and nothing runs. What runs keeps
what it was started with. COMPOSE_PROJECT_NAME names it, so that two can run side by side; in Docker the first has the
name of its folder. The replicas get LAB_MODE (on), BOOKING_KEY, OPERATORS, LOCK_TTL_MS, LOCK_WAIT_MS, PG_POOL_MAX,
IDEMPOTENCY_KEY_TTL_S, AUDIT_INTERVAL_S and LOG_LEVEL from the environment; in Docker each container may use one CPU, or
as many as NGINX_CPUS, BOOKING_CPUS, REDIS_CPUS or POSTGRES_CPUS say.`;

const commands = { up, scale, ps, logs, down };

const output: Output = { note: (line) => console.error(line), say: (text) => console.log(text) };

await runProgram(async () => {
  const request = readRequest(process.argv.slice(2), process.env);
  if (request.help) console.log(help);
  else await commands[request.command](request, output);
  return 0;
});
