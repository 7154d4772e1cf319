/** What several servers replied, at the moment at which it was decided. */
export interface Vote<R> {
  /** A majority agreed. */
  readonly carried: boolean;
  /** A majority disagreed. The others could not have changed that. */
  readonly refused: boolean;
  readonly replies: readonly R[];
  readonly errors: readonly unknown[];
}

/**
 * Counts the replies of `servers` servers until a majority agrees, or none can any more. Whoever has not answered by
 * then is not waited for: one dead server of three costs no time.
 * @param calls may be fewer than there are servers; the missing ones count as silent
 */
export function takeVote<R>(
  servers: number,
  calls: readonly Promise<R>[],
  agrees: (reply: R) => boolean,
): Promise<Vote<R>> {
  const majority = Math.floor(servers / 2) + 1;
  const { promise, resolve } = Promise.withResolvers<Vote<R>>();
  const replies: R[] = [];
  const errors: unknown[] = Array.from({ length: servers - calls.length }, () => new Error('not connected'));
  let yes = 0;
  let no = 0;

  function decide(): void {
    const carried = yes >= majority;
    const lost = no + errors.length > servers - majority;
    if (carried || lost)
      resolve({ carried, refused: no >= majority, replies: [...replies], errors: [...errors] });
  }

  for (const call of calls) {
    call.then(
      (reply) => {
        replies.push(reply);
        if (agrees(reply)) yes += 1;
        else no += 1;
        decide();
      },
      (error: unknown) => {
        errors.push(error);
        decide();
      },
    );
  }
  decide();
  return promise;
}
