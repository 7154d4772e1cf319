import type {
  Extended,
  Grant,
  HandedOver,
  Holder,
  Inspection,
  NotHeld,
  Queued,
  Released,
  Seen,
  Vanished,
} from './store.ts';

// What the replies and messages of the scripts say, as the first lines of the scripts tell it.

export type GrantReply = [1, token: number, reserved: number, clockUs: number, waiting: number];
export type QueuedReply = [2, held: string, holderTtlMs: number, place: number, before: number];
type NotHeldReply = [0 | -1];

type Ended = Released | NotHeld;

export const releasedAlone: Released = { is: 'released', handedOver: false };

/** The common case has the shortest reply. */
export function grantOfFree(token: number): Grant {
  return { is: 'granted', token, reserved: token, clockUs: token, waiting: 0 };
}

export function grant([, token, reserved, clockUs, waiting]: GrantReply): Grant {
  return { is: 'granted', token, reserved, clockUs, waiting };
}

function queued([, held, holderTtlMs, place, before]: QueuedReply): Queued {
  return { is: 'queued', ...holder(held, holderTtlMs), place: place === -1 ? undefined : place, before };
}

/** "<id> <token>"; anything else was written by somebody else. */
function holder(held: string, holderTtlMs: number): Holder {
  if (held === '') return { holder: undefined, holderToken: undefined, holderTtlMs };
  const space = held.lastIndexOf(' ');
  if (space === -1) return { holder: held, holderToken: undefined, holderTtlMs };
  return { holder: held.slice(0, space), holderToken: Number(held.slice(space + 1)), holderTtlMs };
}

function notHeld(reply: 0 | -1): NotHeld {
  return { is: reply === 0 ? 'gone' : 'taken' };
}

export function grantOrPlace(reply: GrantReply | QueuedReply): Grant | Queued {
  return reply[0] === 1 ? grant(reply) : queued(reply);
}

export function grantPlaceOrNot(reply: GrantReply | QueuedReply | NotHeldReply): Grant | Queued | NotHeld {
  return reply[0] === 1 || reply[0] === 2 ? grantOrPlace(reply) : notHeld(reply[0]);
}

export function extendedOrNot(
  reply: [1, reserved: number, waiting: number] | NotHeldReply,
): Extended | NotHeld {
  return reply[0] === 1 ? { is: 'extended', reserved: reply[1], waiting: reply[2] } : notHeld(reply[0]);
}

export function releasedOrNot(reply: 1 | 2 | 0 | -1, mayHaveRunTwice: boolean): Ended {
  if (reply === 1 || reply === 2) return { is: 'released', handedOver: reply === 2 };
  return endedOnce(notHeld(reply), mayHaveRunTwice);
}

/** Not held any more, the second time: it was given back the first time. */
export function endedOnce(ended: Ended, mayHaveRunTwice: boolean): Ended {
  return mayHaveRunTwice && ended.is !== 'released' ? releasedAlone : ended;
}

export function seenOrVanished(
  reply: [1, held: string, holderTtlMs: number, before: number] | [0],
): Seen | Vanished {
  if (reply[0] === 0) return { is: 'vanished' };
  const [, held, holderTtlMs, before] = reply;
  return { is: 'seen', ...holder(held, holderTtlMs), before };
}

export function inspection(
  reply: [held: string, holderTtlMs: number, waiting: number, waiters: string[]],
): Inspection {
  const [held, holderTtlMs, waiting, waiters] = reply;
  const { holder: id, holderToken: token } = holder(held, holderTtlMs);
  return { holder: id, token, holderTtlMs, waiting, waiters };
}

type Message = { readonly number: number; readonly key: string } & (
  | { readonly what: 'granted'; readonly grant: HandedOver }
  | { readonly what: 'asked' | 'stolen' }
);

// "<what> <number> ... <key>"; what stands between is told in lua/queue-common.lua. A key may have anything in it.
const grantedMessage = /^granted (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (.*)$/s;
const shortMessage = /^(asked|stolen) (\d+) (.*)$/s;

/** Undefined: a later version may send more than this one knows. */
export function readMessage(text: string): Message | undefined {
  const granted = grantedMessage.exec(text);
  if (granted !== null) {
    const [number, token, reserved, clockUs, ttlMs, waiting] = granted.slice(1, 7).map(Number) as Numbers;
    const grant: HandedOver = { is: 'granted', token, reserved, clockUs, ttlMs, waiting };
    return { what: 'granted', number, grant, key: granted[7] ?? '' };
  }
  const short = shortMessage.exec(text);
  if (short === null) return undefined;
  return { what: short[1] as 'asked' | 'stolen', number: Number(short[2]), key: short[3] ?? '' };
}

type Numbers = [number, number, number, number, number, number];
