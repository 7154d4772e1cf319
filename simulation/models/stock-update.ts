import { rowLock, type Statement, type StockRow } from './postgres.ts';

/**
 * The changes of one counter, as storage/inventory.ts builds them: the text itself is executed here, so that a condition
 * that it lacks is not there in the model either.
 */
export function stockUpdate(text: string, values: readonly unknown[]): Statement | undefined {
  const parts = /^update "inventory" set (.+) where (.+?)( returning .+)?$/s.exec(text);
  if (parts === null) return undefined;
  const [, set = '', where = '', returning] = parts;
  const changes = set.split(', ').map((change) => parse(/^"(\w+)" = (?:"\w+" ([+-]) )?\$(\d+)$/, change));
  const conditions = where
    .split(' and ')
    .map((condition) => parse(/^"(\w+)" (=|<=|>=|<) \$(\d+)$/, condition));
  const valueAt = (place: string) => values[Number(place) - 1] as number;
  const eventId = valueAt(conditions.find(([column]) => column === 'event_id')?.[2] ?? '');
  const fits = (stock: StockRow | undefined): stock is StockRow =>
    stock !== undefined &&
    conditions.every(([column, operator, place]) =>
      compare(stock[column as keyof StockRow], operator, valueAt(place)),
    );

  const nothing = returning === undefined ? 0 : [];

  return function* (trx) {
    if (!fits(trx.stock(eventId))) return nothing;
    yield rowLock(eventId);
    const stock = trx.lockedStock(eventId);
    if (!fits(stock)) return nothing;
    const changed = Object.fromEntries(
      changes.map(([column, sign, place]) => {
        const value = valueAt(place);
        if (sign === '') return [column, value];
        return [column, stock[column as keyof StockRow] + (sign === '+' ? value : -value)];
      }),
    );
    const next = { ...stock, ...changed };
    trx.change(next);
    return returning === undefined ? 1 : [{ stockRevision: next.version, terms: null }];
  };
}

function parse(pattern: RegExp, text: string): [column: string, operator: string, place: string] {
  const [, column, operator = '', place] = pattern.exec(text) ?? [];
  if (column === undefined || place === undefined) {
    throw new Error(`the model of Postgres does not understand: ${text}`);
  }
  return [column, operator, place];
}

function compare(left: number, operator: string, right: number): boolean {
  if (operator === '=') return left === right;
  if (operator === '<') return left < right;
  return operator === '<=' ? left <= right : left >= right;
}
