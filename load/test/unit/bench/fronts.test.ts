import { expect, it } from 'vitest';

import { firstServers } from '#src/bench/stack/fronts.ts';

it('a front knows the first replicas only, all of them as replicas that are there', () => {
  const list = [
    '# the replicas',
    'server 127.0.0.1:25000 max_fails=10 fail_timeout=1s;',
    'server 127.0.0.1:25001 max_fails=10 fail_timeout=1s;',
    'server 127.0.0.1:25002 max_fails=1 fail_timeout=3s;',
    'server 127.0.0.1:25003 max_fails=1 fail_timeout=3s;',
    '',
  ].join('\n');
  expect(firstServers(list, 3)).toBe(
    [25_000, 25_001, 25_002]
      .map((port) => `server 127.0.0.1:${port} max_fails=10 fail_timeout=1s;\n`)
      .join(''),
  );
  expect(firstServers('server 127.0.0.1:1;\nserver 127.0.0.1:2;\n', 1)).toBe('server 127.0.0.1:1;\n');
});
