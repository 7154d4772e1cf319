/**
 * One read of a thing at a time, shared by all who ask for it meanwhile. Whoever asks gets a read that began after he
 * asked, never the one that is under way: what he has written or was told before is in what he gets.
 */
export function shareReads<Ask, T>(
  read: (ask: Ask) => Promise<T>,
  keyOf: (ask: Ask) => unknown = (ask) => ask,
): (ask: Ask) => Promise<T> {
  const underWay = new Map<unknown, { readonly ended: Promise<unknown>; next: Promise<T> | undefined }>();

  function begin(ask: Ask): Promise<T> {
    const key = keyOf(ask);
    const result = read(ask);
    const ended = result.then(
      () => undefined,
      () => undefined,
    );
    const current = { ended, next: undefined };
    underWay.set(key, current);
    void ended.then(() => {
      if (current.next === undefined) underWay.delete(key);
    });
    return result;
  }

  return (ask) => {
    const current = underWay.get(keyOf(ask));
    if (current === undefined) return begin(ask);
    current.next ??= current.ended.then(() => begin(ask));
    return current.next;
  };
}
