import { z } from '@hono/zod-openapi';

import { wholeNumberText } from '#src/contract-fields.ts';

/** Lists are read by pages: each names the next one by the id of its last element, so that nothing is listed twice. */

/** An answer of 100 to 250 kB, and a statement of a few milliseconds. In the lab an event costs a sum over its bookings. */
export const MAX_LISTED = 1_000;
export const DEFAULT_LISTED = 100;

export const pageLimit = () => wholeNumberText(1, MAX_LISTED).optional();

export function pageOf<Element extends z.ZodType>(element: Element) {
  return {
    description: 'A page of them. If there may be more, the header `Link` names the next page.',
    content: { 'application/json': { schema: z.array(element) } },
  };
}

/** The header that names the next page, if the page is full. */
export function linkToNext<T>(
  path: string,
  query: { limit: number } & Record<string, string | number | undefined>,
  page: readonly T[],
  idOf: (last: T) => string | number,
): Record<string, string> {
  const last = page.at(-1);
  if (last === undefined || page.length < query.limit) return {};
  const given = Object.entries({ ...query, after: idOf(last) }).filter(([, value]) => value !== undefined);
  const next = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return { link: `<${path}?${next.toString()}>; rel="next"` };
}
