import type { BookingView } from '#src/contract.ts';

/** How a booking is written in a file. */
export interface Format {
  head: string;
  lineOf(booking: BookingView): string;
}

export const ndjson: Format = { head: '', lineOf: (booking) => `${JSON.stringify(booking)}\n` };

const columns = [
  'bookingId',
  'eventId',
  'customer',
  'quantity',
  'state',
  'expiresAt',
  'strategy',
  'instanceId',
  'fencingToken',
] as const;

/** RFC 4180. */
export const csv: Format = {
  head: `${columns.join(',')}\r\n`,
  lineOf: (booking) => `${columns.map((column) => cellOf(booking[column])).join(',')}\r\n`,
};

/** A spreadsheet would run a name that begins like a formula: such a name gets an apostrophe before it. */
function cellOf(value: string | number | null | undefined): string {
  const text = typeof value === 'string' && /^[=+\-@\t]/.test(value) ? `'${value}` : String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * All bookings, page by page, each read when the one before has been taken: memory holds one, however many there are and
 * however slowly the client reads. A page that cannot be read breaks the stream off, so that nobody takes half for all.
 * @param readPage reads those after that id; an empty page is the end
 * @param begin called when the first is read; what it returns is disposed of at the end, whatever the end is
 */
export function exportPages(
  readPage: (after: string | undefined) => Promise<readonly BookingView[]>,
  { head, lineOf }: Format,
  begin: () => Disposable,
): ReadableStream<Uint8Array> {
  const text = new TextEncoder();
  let underWay: Disposable | undefined;
  let after: string | undefined;
  const end = () => underWay?.[Symbol.dispose]();
  return new ReadableStream(
    {
      async pull(controller) {
        const isFirst = underWay === undefined;
        underWay ??= begin();
        try {
          const page = await readPage(after);
          after = page.at(-1)?.bookingId;
          const lines = (isFirst ? head : '') + page.map(lineOf).join('');
          if (lines !== '') controller.enqueue(text.encode(lines));
          if (after !== undefined) return;
          controller.close();
        } catch (error) {
          controller.error(error);
        }
        end();
      },
      cancel: end,
    },
    // Nothing is read before it is asked for: a HEAD asks for nothing.
    { highWaterMark: 0 },
  );
}
