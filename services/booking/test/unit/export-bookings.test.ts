import { expect, test } from 'vitest';

import type { BookingView } from '#src/contract.ts';
import { csv, exportPages, ndjson } from '#src/http/export-bookings.ts';

function booking(n: number, customer = 'ada'): BookingView {
  return {
    bookingId: String(n),
    eventId: 1,
    customer,
    quantity: 2,
    strategy: 'batched-update',
    instanceId: 'booking-1',
    fencingToken: null,
    state: 'confirmed',
  };
}

/** Ten pages of two. */
function tenPages() {
  const asked: (string | undefined)[] = [];
  const state = { isUnderWay: false };
  const begin = () => {
    state.isUnderWay = true;
    return { [Symbol.dispose]: () => void (state.isUnderWay = false) };
  };
  const readPage = async (after: string | undefined) => {
    asked.push(after);
    const first = Number(after ?? 0) + 1;
    return first > 20 ? [] : [booking(first), booking(first + 1)];
  };
  return { asked, state, begin, readPage };
}

test('every booking is there once, in order, a line each', async () => {
  const { begin, readPage, state } = tenPages();
  const text = await new Response(exportPages(readPage, ndjson, begin)).text();
  const ids = text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as BookingView).bookingId);
  expect(ids).toEqual(Array.from({ length: 20 }, (_, i) => String(i + 1)));
  expect(state.isUnderWay).toBe(false);
});

test('a page is read when it is asked for: a client that reads no further costs no more', async () => {
  const { asked, begin, readPage, state } = tenPages();
  const stream = exportPages(readPage, ndjson, begin);
  expect([asked, state.isUnderWay]).toEqual([[], false]);
  const reader = stream.getReader();
  await reader.read();
  await new Promise(setImmediate);
  expect([asked, state.isUnderWay]).toEqual([[undefined], true]);
  await reader.read();
  expect(asked).toEqual([undefined, '2']);
  await reader.cancel();
  expect(state.isUnderWay).toBe(false);
});

async function readOnePage(after: string | undefined): Promise<BookingView[]> {
  if (after !== undefined) throw new Error('Postgres is away');
  return [booking(1)];
}

test('a page that cannot be read breaks it off', async () => {
  const { begin, state } = tenPages();
  await expect(new Response(exportPages(readOnePage, ndjson, begin)).text()).rejects.toThrow(
    'Postgres is away',
  );
  expect(state.isUnderWay).toBe(false);
});

test('a line of CSV is one line, whatever the name, and no formula', async () => {
  const { begin } = tenPages();
  const names = ['Ada "Countess", of L', '=1+1', '@cmd', "d'Arc"];
  const readPage = async (after: string | undefined) =>
    after === undefined ? names.map((name, i) => booking(i, name)) : [];
  const [head, ...lines] = (await new Response(exportPages(readPage, csv, begin)).text()).split('\r\n');
  expect(head).toBe('bookingId,eventId,customer,quantity,state,expiresAt,strategy,instanceId,fencingToken');
  expect(lines).toEqual([
    '0,1,"Ada ""Countess"", of L",2,confirmed,,batched-update,booking-1,',
    "1,1,'=1+1,2,confirmed,,batched-update,booking-1,",
    "2,1,'@cmd,2,confirmed,,batched-update,booking-1,",
    "3,1,d'Arc,2,confirmed,,batched-update,booking-1,",
    '',
  ]);
});

test('an event without bookings is a file without lines, or with their names alone', async () => {
  const { begin } = tenPages();
  expect(await new Response(exportPages(async () => [], ndjson, begin)).text()).toBe('');
  expect(await new Response(exportPages(async () => [], csv, begin)).text()).toBe(csv.head);
});
