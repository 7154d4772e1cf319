import { expect, it } from 'vitest';

import { firstServers } from '#src/bench/stack/fronts.ts';

it('a front knows the first places only, with the settings of replicas that are there', () => {
  const list = 'server 127.0.0.1:25000 max_fails=5 fail_timeout=1s;\n';
  const places = [25_000, 25_001, 25_002, 25_003]
    .map((port) => `server 127.0.0.1:${port} max_fails=1 fail_timeout=3s;\n`)
    .join('');
  expect(firstServers(list, places, 3)).toBe(
    [25_000, 25_001, 25_002]
      .map((port) => `server 127.0.0.1:${port} max_fails=5 fail_timeout=1s;\n`)
      .join(''),
  );
});
