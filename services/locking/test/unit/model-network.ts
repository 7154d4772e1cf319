import type fc from 'fast-check';

import { RefusedError, ServiceClosedError } from '#src/client/errors.ts';
import type { QueueSteps, Told } from '#src/memory/queue-steps.ts';
import type { HandedOver, QueueMessages, QueueStore } from '#src/queue/store.ts';
import { type Clock, type Timers, createTimers } from '#src/timers.ts';

/** Longest wait for a reply: some dozen hops, so that now and then one comes too late. */
export const commandTimeoutMs = 30;

/** Time that only the test lets pass; each process sees it through a clock of its own, which can be stopped. */
export function createModelTime() {
  let now = 1_000;
  const timeouts = new Set<{ atMs: number; fn: () => void; process: ModelProcess }>();

  return {
    now: () => now,
    clockOf: (process: ModelProcess): Clock => ({
      now: () => now,
      setTimeout(fn, delayMs) {
        const timeout = { atMs: now + delayMs, fn, process };
        timeouts.add(timeout);
        return timeout;
      },
      clearTimeout: (timeout) => void timeouts.delete(timeout as never),
    }),
    /** When the next timeout is due; Infinity if none is set. */
    next: () => Math.min(...[...timeouts].filter(({ process }) => process.runs).map(({ atMs }) => atMs)),
    /** Lets time pass without a timeout. */
    skipTo(ms: number) {
      now = ms;
    },
    /** Runs the timeouts that are due. */
    fire() {
      for (const timeout of [...timeouts].sort((a, b) => a.atMs - b.atMs)) {
        if (timeout.atMs <= now && timeout.process.runs && timeouts.delete(timeout)) timeout.fn();
      }
    },
    timeoutsOf: (process: ModelProcess) =>
      [...timeouts].filter((timeout) => timeout.process === process).length,
  };
}

export interface ModelProcess {
  runs: boolean;
}

interface Call {
  readonly run: () => unknown;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One client and its two connections. Each hop (a request, a reply, a message, a reconnection) is a step of the
 * scheduler; what is on one connection stays in order, as on TCP.
 *
 * @param random from 0 to 1; decides what is lost
 */
export function connectClient(
  client: string,
  scheduler: Pick<fc.Scheduler, 'schedule'>,
  time: ReturnType<typeof createModelTime>,
  server: () => QueueSteps,
  random: () => number,
) {
  const self: ModelProcess = { runs: true };
  const clock = time.clockOf(self);
  const timers: Timers = createTimers(clock);
  let messages: QueueMessages | undefined;
  let dead = false;
  let closed = false;
  let connected = true;
  let connection = 0;
  let requests: Call[] = [];
  const unsent = new Set<Call>();
  /** What arrived while the process was stopped. */
  let arrived: (() => void)[] = [];
  let stoppedAtMs = 0;
  let stoppedMs = 0;
  let subscribed = false;
  /** To a server that is passed the messages on by the one that is asked, which does not know of it: to a replica. */
  let elsewhere = false;
  let listening = false;
  let subscription = 0;
  /** How often a message is lost, or comes twice. */
  let faulty = true;
  let deafness = false;

  function hop(label: string, then: () => void): void {
    void scheduler.schedule(Promise.resolve(), `${label} ${client}`).then(then);
  }

  function arrive(what: () => void): void {
    if (dead) return;
    if (self.runs) what();
    else arrived.push(what);
  }

  function call<T>(run: () => T): Promise<T> {
    if (closed) return Promise.reject(new ServiceClosedError());
    return new Promise<T>((resolve, reject: (error: Error) => void) => {
      const timeout = clock.setTimeout(() => settle(reject, new Error('no reply in time')), commandTimeoutMs);
      const settle = <V>(how: (value: V) => void, value: V) => {
        unsent.delete(one);
        clock.clearTimeout(timeout);
        how(value);
      };
      const one: Call = {
        run,
        resolve: (reply) => settle(resolve, reply as T),
        reject: (error) => settle(reject, error),
      };
      if (connected) send(one);
      else unsent.add(one);
    });
  }

  function send(one: Call): void {
    unsent.delete(one);
    const on = connection;
    requests.push(one);
    hop('request', () => {
      if (on !== connection) return;
      const head = requests.shift();
      if (head !== undefined) answer(head, on);
    });
  }

  // Replies of one connection keep their order: each hop brings the oldest.
  let replies: (() => void)[] = [];
  function answer({ run, resolve, reject }: Call, on: number): void {
    let settle: () => void;
    try {
      const reply = run();
      settle = () => resolve(reply);
    } catch (error) {
      settle = () => reject(new RefusedError(String(error)));
    }
    replies.push(settle);
    hop('reply', () => {
      if (on === connection) arrive(replies.shift() ?? (() => undefined));
    });
  }

  /** The connection breaks: replies are lost, and each request is either lost too or executed at any time. */
  function cut(): void {
    if (!connected) return;
    connected = false;
    connection += 1;
    for (const { run, reject } of requests) {
      if (random() < 0.5) hop('stray request', run);
      arrive(() => reject(new Error('connection closed')));
    }
    requests = [];
    replies = []; // what was executed and is not answered rejects by its time-out
    hop('reconnection', () =>
      arrive(() => {
        if (closed) return;
        connected = true;
        for (const one of unsent) send(one);
        messages?.reachable();
      }),
    );
  }
  function subscribe(): void {
    const on = ++subscription;
    hop('subscription', () => {
      if (on !== subscription || closed || dead) return;
      subscribed = true;
      elsewhere = false;
      hop('subscribed', () =>
        arrive(() => {
          if (on !== subscription || closed) return;
          listening = true;
          messages?.listening();
        }),
      );
    });
  }

  let inbox: (() => void)[] = [];
  function deliver(what: Told, number: number, name: string, grant: HandedOver): void {
    if (!subscribed || dead) return;
    const copies = deafness ? 0 : !faulty || random() < 0.7 ? 1 : random() < 0.5 ? 0 : 2;
    const on = subscription;
    for (let copy = 0; copy < copies; copy += 1) {
      inbox.push(() => messages?.[what](name, number, grant));
      hop(what, () => {
        if (on === subscription) arrive(inbox.shift() ?? (() => undefined));
      });
    }
  }

  const store: QueueStore = {
    client,
    get listening() {
      return listening;
    },
    acquire: (name, request) => call(() => server().acquire(name, request)),
    extend: (name, request) => call(() => server().extend(name, request)),
    yield: (name, request) => call(() => server().yield(name, request)),
    release: (name, request) => call(() => server().release(name, request)),
    poll: (name, id) => call(() => server().poll(name, id, client)),
    steal: (name, request) => call(() => server().steal(name, request)),
    inspect: (name) => call(() => server().inspect(name)),
    heldNames: () => call(() => server().heldNames()),
    open() {
      if (subscription === 0) subscribe();
    },
    async close() {
      closed = true;
      subscribed = false;
      listening = false;
      for (const one of [...unsent, ...requests]) one.reject(new ServiceClosedError());
    },
  };

  return {
    self,
    timers,
    open(told: QueueMessages): QueueStore {
      messages = told;
      return store;
    },
    deliver,
    /** Whether the server that is asked knows that messages are heard here. */
    get isHeard() {
      return subscribed && !elsewhere && !dead;
    },
    cut,
    /** The server that is asked is another one from now on, by a failover; the subscription stays until it breaks. */
    failOver() {
      cut();
      elsewhere = subscription > 0;
    },
    /** The subscription breaks: what is on its way is lost, and it is made anew. */
    deafen() {
      if (subscription === 0) return;
      subscribed = false;
      listening = false;
      inbox = [];
      subscribe();
    },
    stop() {
      if (self.runs) stoppedAtMs = time.now();
      self.runs = false;
    },
    /** For how long it was stopped until now, all in all. */
    get stoppedMs() {
      return stoppedMs;
    },
    resume() {
      if (self.runs || dead) return;
      self.runs = true;
      stoppedMs += time.now() - stoppedAtMs;
      const late = arrived;
      arrived = [];
      if (random() < 0.5) time.fire();
      for (const what of late) what();
      time.fire();
    },
    kill() {
      dead = true;
      self.runs = false;
      subscribed = false;
    },
    get isDead() {
      return dead;
    },
    becomeReliable() {
      faulty = false;
    },
    /** Every message from now on is lost, though Redis believes it is heard. */
    loseMessages() {
      deafness = true;
    },
  };
}

export type ModelClient = ReturnType<typeof connectClient>;
