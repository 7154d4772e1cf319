import type fc from 'fast-check';

import type { ExtendOutcome } from '#src/lease-deadline.ts';
import type { ReleaseOutcome } from '#src/lease.ts';
import type { MintReply, QuorumServer, TakeReply } from '#src/quorum/server.ts';

/** What becomes of one call. `late`: the caller hears of a time-out first, and the server executes it all the same. */
export type Fate = 'answered' | 'request lost' | 'reply lost' | 'late';

/** Ways in which a server could be wrong, to see that the properties notice. */
export type Mistake = 'mints the same twice' | 'never refuses a token';

/** The Lua scripts of one server in a few lines, without time: locks expire when the test says so. */
export interface ModelServer {
  expire(): void;
  /** As after a restart without its data. */
  forget(): void;
  /** What is written down there now. */
  state(): { holder: string | null; token: number; minter: string };
  /** A connection of one client: what is sent over it arrives in order. */
  connect(): QuorumServer;
}

export interface ModelWorld {
  scheduler: Pick<fc.Scheduler, 'schedule'>;
  clockUs: () => number;
  nextFate: () => Fate;
  onMint: (id: string) => void;
  mistake?: Mistake | undefined;
}

export function createModelServer(world: ModelWorld): ModelServer {
  let holder: string | undefined;
  let last = { token: 0, minter: '' };

  function take(id: string): TakeReply {
    if (holder !== undefined && holder !== id) return { taken: false, holder };
    const clockUs = world.clockUs();
    if (holder === undefined && last.token < clockUs) {
      last = { token: clockUs, minter: '' };
    }
    holder = id;
    return { taken: true, lastToken: last.token, clockUs };
  }

  function mint(id: string, token: number): MintReply {
    if (holder !== id) return 'not held';
    const refused = last.token > token || (last.token === token && last.minter !== id);
    const ignored =
      world.mistake === 'never refuses a token' ||
      (world.mistake === 'mints the same twice' && last.token === token);
    if (refused && !ignored) return { refusedFor: last.token };
    last = { token, minter: id };
    return 'written';
  }

  function extend(id: string): ExtendOutcome {
    if (holder === id) return 'held';
    return holder === undefined ? 'gone' : 'taken';
  }

  function release(id: string): ReleaseOutcome {
    const was = extend(id);
    if (was !== 'held') return was;
    holder = undefined;
    return 'released';
  }

  return {
    expire() {
      holder = undefined;
    },
    forget() {
      holder = undefined;
      last = { token: 0, minter: '' };
    },
    state: () => ({ holder: holder ?? null, ...last }),
    connect() {
      const call = createConnection(world);
      return {
        isReachable: () => true,
        take: (_name, id) => call(`take ${id}`, () => take(id)),
        mint(_name, id, token) {
          world.onMint(id);
          return call(`mint ${id} ${token}`, () => mint(id, token));
        },
        extend: (_name, id) => call(`extend ${id}`, () => extend(id)),
        release: (_name, id) => call(`release ${id}`, () => release(id)),
      };
    },
  };
}

function createConnection({ scheduler, nextFate }: ModelWorld) {
  let arrived: Promise<unknown> = Promise.resolve();

  return async function call<R>(label: string, execute: () => R): Promise<R> {
    const fate = nextFate();
    const arriving = arrived.then(() => scheduler.schedule(Promise.resolve(), `${label} arrives`));
    const executed = arriving.then(() => (fate === 'request lost' ? undefined : execute()));
    arrived = executed;
    if (fate === 'late') await scheduler.schedule(Promise.resolve(), `${label} times out`);
    else await executed;
    if (fate !== 'answered') throw new Error(`${label}: ${fate}`);
    const reply = await executed;
    await scheduler.schedule(Promise.resolve(), `${label} answers`);
    return reply as R;
  };
}
