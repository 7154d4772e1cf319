import { expect, it } from 'vitest';

import { createFullEvents } from '#src/bench/cell.ts';
import { startStack } from '#src/bench/stack/start-stack.ts';

it('a front hands reads and bookings, at home and spread, to the first replicas only', async () => {
  await using stack = await startStack({ ...process.env, RUNTIME: 'native' });
  await stack.scale(3);
  await using fronts = await stack.startFronts!([1, 2, 3], new AbortController().signal);
  const ids = await createFullEvents({ ...stack, replicas: 3, hasQuorum: true }, 'fronts', 12);
  const booking = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };

  async function answering(url: string): Promise<Set<string | null>> {
    const requests = ids.flatMap((id) => [
      fetch(`${url}/events/${id}`),
      fetch(`${url}/events/${id}/bookings`, booking),
      fetch(`${url}/book/atomic-update/${id}`, booking),
    ]);
    const answers = await Promise.all(requests);
    expect(answers.filter(({ ok }) => !ok)).toEqual([]);
    await Promise.all(answers.map((answer) => answer.text()));
    return new Set(answers.map(({ headers }) => headers.get('x-instance-id')));
  }

  for (const [replicas, url] of fronts.urls) {
    const names = Array.from({ length: replicas }, (_, index) => `booking-${index + 1}`);
    expect(await answering(url)).toEqual(new Set(names));
  }
});
