import { expect, test } from 'vitest';

import { createRequestCount } from '#src/http/request-count.ts';

test('a count that must forget its events begins anew under another name', () => {
  const count = createRequestCount(2);
  const first = [1, 2, 1].map((event) => count.next(event));
  const counter = first[0]!.split('/')[0];
  expect(first).toEqual([`${counter}/1`, `${counter}/1`, `${counter}/2`]);
  expect(count.next(3)).not.toContain(counter);
});
