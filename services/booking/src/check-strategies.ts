import { pino } from 'pino';

import { loadLabStrategies } from '#src/booking/lab-strategies.ts';
import { ConfigError, readConfig } from '#src/config.ts';
import { openContext } from '#src/context.ts';
import { STRATEGY_NAMES } from '#src/contract.ts';

/**
 * One-shot: loads files of strategies as a replica does, asks no server, and prints as JSON which strategies they make.
 * Exit code 1 and one line where a replica would not start with them.
 */
const nobody = { DATABASE_URL: 'postgres://127.0.0.1:1/none', REDIS_URL: 'redis://127.0.0.1:1' };

try {
  const config = readConfig({ ...nobody, LAB_MODE: 'on' });
  const files = await loadLabStrategies(process.argv.slice(2));
  await using context = openContext(config, pino({ level: 'silent' }), { labStrategies: files });
  const made = [...context.strategies.values()].filter(
    ({ name }) => !STRATEGY_NAMES.some((our) => our === name),
  );
  console.log(JSON.stringify(made.map(({ name, guarantee }) => ({ name, guarantee }))));
} catch (error) {
  process.exitCode = 1;
  console.error(error instanceof ConfigError ? error.problems.join('\n') : error);
}

// Whatever a file has begun ends with the look at it.
process.exit();
