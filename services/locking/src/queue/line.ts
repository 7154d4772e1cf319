import type { Alarm } from '../alarms.ts';
import { RefusedError } from '../client/errors.ts';
import { isEnoughFor, type Kept, keptUntil, type Loss } from '../hold.ts';
import type { HeldLease, Released } from '../lease.ts';
import { retryDelayMs } from '../retry-delay.ts';
import { Answers } from './answers.ts';
import { Callers, type From } from './callers.ts';
import type { Entry, LineContext } from './line-context.ts';
import type { Grant, HandedOver, NotHeld, Queued, Seen, YieldRequest } from './store.ts';
import { Turn, type TurnOwner } from './turn.ts';
import type { Waiter, WaitingRoom } from './waiter.ts';

interface Yielding {
  readonly request: YieldRequest;
  readonly next: Entry;
  readonly untilMs: number;
}

/**
 * The callers of one process that want one name, and the one entry in Redis that stands for all of them.
 *
 *            ask               place in the queue           told, or vanished
 *     idle -------> asking ------------------------> queued -----------------> asking
 *                     |
 *                     | granted: a turn begins (for another time than the first caller wants: confirming)
 *                     v          end of the turn, callers wait           nobody else waits: a new turn
 *                  holding ----------------------------------> yielding --------------------> holding
 *                     |                                            |
 *                     | nobody waits here, or lost                 | handed over
 *                     v                                            v
 *                    idle                                        queued
 *
 * Only the answer to the latest question is believed (`#attempt`): it tells what is true now. And whatever is left
 * behind while Redis may still have it, or still do it (a question nobody waits for any more, a lock past its
 * deadline), is given back by its id, which is never used again.
 */
export class Line implements Alarm, TurnOwner, WaitingRoom {
  // The alarm: the next try after a silence (then the line is paused), or the end of lingering.
  atMs = 0;
  slot = -1;

  readonly name: string;
  /** All callers of the name use this line; otherwise it is for one of them. */
  readonly isShared: boolean;
  readonly #context: LineContext;
  /** Takes the lock from its holder instead of waiting for it. */
  readonly #steals: boolean;
  readonly #answers = new Answers();
  readonly #callers: Callers;

  #stage: 'idle' | 'asking' | 'queued' | 'confirming' | 'holding' | 'yielding' = 'idle';
  #attempt = 0;
  /** A question for this entry was not answered: Redis may do at any time what it asked for. */
  #unsure = false;
  #entry: Entry | undefined;
  /** The place that the entry was first given: it is brought along if it has to be taken again. */
  #place: number | undefined;
  /** The longest TTL that Redis was asked for under this entry, and so may give it. */
  #longestMs = 0;
  #turn: Turn | undefined;
  #yielding: Yielding | undefined;

  /** We were made the holder; told before the answer that tells our place. */
  #early: HandedOver | undefined;

  constructor(
    name: string,
    context: LineContext,
    { isShared, steals }: { isShared: boolean; steals: boolean },
  ) {
    this.name = name;
    this.isShared = isShared;
    this.#context = context;
    this.#steals = steals;
    this.#callers = new Callers(name, context, this.#answers, () =>
      this.#turn === undefined ? undefined : this.#entry?.id,
    );
  }

  /** What it has in Redis. */
  get entry(): Entry | undefined {
    return this.#entry;
  }

  /** Whether messages for that number are for this line. */
  hasEntry(number: number): boolean {
    return this.#entry?.number === number || this.#yielding?.next.number === number;
  }

  get isIdle(): boolean {
    return this.#stage === 'idle' && this.#callers.size === 0;
  }

  /** How many here hold the lock or wait for it. */
  get size(): number {
    return this.#callers.size + (this.#turn?.lease === undefined ? 0 : 1);
  }

  // -------------------------------------------------------------------------------------------- callers

  admit(waiter: Waiter): void {
    if (!waiter.patient && this.#isOccupied()) {
      this.#callers.refuse(waiter, 'timeout');
      return;
    }
    this.#callers.push(waiter);
    waiter.sitDown(this);
    if (this.#stage === 'idle') this.#ask();
    else if (this.#turn !== undefined && this.#lingers()) this.#begin(this.#turn, 'linger');
  }

  /** Somebody is before a caller who comes now: it is not free for it. */
  #isOccupied(): boolean {
    return this.#callers.size > 0 || this.#turn?.lease !== undefined;
  }

  /** Its time is over, or its caller has cancelled. */
  leave(waiter: Waiter, why: 'timeout' | 'aborted'): void {
    const unheard = this.#stage === 'asking' && this.#answers.heardMs < waiter.sinceMs;
    const noReply = unheard ? new Error(`no reply within ${waiter.waitMs} ms`) : undefined;
    this.#callers.dismiss(waiter, why, this.#answers.silence?.cause ?? noReply);
    if (this.#callers.size > 0) return;
    // A question under way is left alone: its answer finds nobody here, and is given back then.
    if (this.#stage === 'queued' || this.#paused()) this.#giveUp();
  }

  /** By a lease of the turn, which is held at this moment. */
  release(lease: HeldLease): Promise<Released> | Released {
    const turn = this.#turn;
    if (turn === undefined) return 'gone';
    turn.returned(lease);
    if (this.#callers.size > 0) {
      if (!turn.isOver() && this.#serve(turn, 'turn')) return 'released';
      return turn.confirmed(lease, this.#yieldTurn(turn));
    }
    const { alarms, settings } = this.#context;
    if (settings.lingerMs === 0 || turn.asked) return turn.confirmed(lease, this.#handBack());
    alarms.set(this, alarms.clock.now() + settings.lingerMs);
    return 'released';
  }

  /** Sends everybody away, and gives everything back. */
  async close(cause: Error): Promise<void> {
    this.#callers.dismissAll(cause);
    this.#turn?.lease?.lose({ why: 'closed', cause });
    await this.#handBack().catch(() => undefined);
  }

  // -------------------------------------------------------------------------------------------- what Redis tells

  /**
   * "You have been made the holder." Told with a grant (by a message) that is credible, it is enough to begin at once.
   * Otherwise (by a look at the queue, or a message that is late) it is a hint, which the next question settles.
   */
  granted(number: number, grant?: HandedOver): void {
    if (this.#stage === 'asking' || this.#stage === 'yielding') {
      // Before the answer that tells our place: on two connections either may come first.
      if (number === (this.#yielding?.next ?? this.#entry)?.number) this.#early = grant;
    } else if (this.#stage === 'queued' && number === this.#entry?.number) {
      if (grant === undefined || !this.#takeAtOnce(grant)) this.#ask();
    }
  }

  /** Another process waits for what we keep. */
  asked(number: number): void {
    if (this.#entry?.number === number) this.onAsked();
  }

  stolen(number: number): void {
    if (this.#entry?.number === number) this.#turn?.hold.lose({ why: 'taken' });
  }

  /** A look at the queue: the entry is there. */
  seen(reply: Seen, sentAtMs: number): void {
    this.#heard();
    this.#answers.notHolder(this.#entry?.id, reply, sentAtMs);
  }

  /** A look at the queue: the entry is not there. Its turn was missed, or the data was lost. */
  vanished(): void {
    if (this.#stage === 'queued') this.#ask();
  }

  /** A look at the queue that was not answered. */
  unseen(cause: unknown, sentAtMs: number): void {
    if (this.#stage === 'queued') this.#unanswered(cause, sentAtMs);
  }

  /** Redis can be asked again, or messages reach us again. */
  recheck(): void {
    if (this.#paused()) this.ring();
  }

  ring(): void {
    this.#context.alarms.clear(this);
    if (this.#stage === 'asking') this.#ask();
    else if (this.#stage === 'yielding') this.#sendYield().catch(() => undefined);
    else if (this.#stage === 'confirming' && this.#turn !== undefined) this.#confirm(this.#turn);
    else if (this.#lingers()) this.#giveUp();
  }

  // -------------------------------------------------------------------------------------------- asking

  #ask(): void {
    const { store, alarms, settings } = this.#context;
    const first = this.#callers.first;
    if (first === undefined) {
      this.#giveUp();
      return;
    }
    this.#context.unwatch(this);
    alarms.clear(this);
    this.#early = undefined;
    this.#stage = 'asking';
    this.#entry ??= this.#context.register(this, first.ttlMs);
    this.#longestMs = Math.max(this.#longestMs, first.ttlMs);
    this.#attempt += 1;
    const attempt = this.#attempt;
    const sentAtMs = alarms.clock.now();
    const request = {
      id: this.#entry.id,
      ttlMs: first.ttlMs,
      tokenAbove: first.tokenAbove,
      // Who cannot be told of its turn had better not take a place: it would be passed over.
      enqueue: store.listening && (first.patient || this.#callers.size > 1),
      place: this.#place,
      // Those who wait here after the first one will want tokens too.
      reserve: this.#callers.size > 1 || settings.lingerMs > 0,
    };
    const answer = this.#steals ? store.steal(this.name, request) : store.acquire(this.name, request);
    answer.then(
      (reply) => {
        if (attempt === this.#attempt) this.#answered(reply, sentAtMs, request.ttlMs);
      },
      (cause: unknown) => {
        if (attempt === this.#attempt) this.#unanswered(cause, sentAtMs);
      },
    );
  }

  #answered(reply: Grant | Queued, sinceMs: number, ttlMs: number): void {
    this.#heard();
    if (reply.is === 'granted') {
      this.#take(reply, { sinceMs, ttlMs, longestMs: this.#longestMs }, this.#cameFrom);
      return;
    }
    this.#answers.notHolder(this.#entry?.id, reply, sinceMs);
    if (reply.place !== undefined) {
      this.#queue(reply, reply.place);
      return;
    }
    this.#callers.dismissImpatient();
    if (this.#callers.size === 0) {
      // Taken, and no place was asked for: nothing was left in Redis.
      this.#retire();
      this.#goOn();
    } else if (this.#context.store.listening) {
      this.#ask();
    } else {
      this.#unanswered(new Error('no subscription to the messages of Redis'), sinceMs);
    }
  }

  #queue({ before, holderTtlMs }: Queued, place: number): void {
    this.#callers.dismissImpatient();
    if (this.#callers.size === 0) {
      this.#giveUp();
      return;
    }
    if (this.#place === undefined) this.#context.emit?.({ type: 'queued', lock: this.name, before });
    this.#place = place;
    this.#stage = 'queued';
    this.#context.watch(this, holderTtlMs);
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined && this.#entry !== undefined) this.granted(this.#entry.number, early);
  }

  // -------------------------------------------------------------------------------------------- holding

  get #cameFrom(): From {
    return this.#place === undefined ? 'free' : 'queue';
  }

  /**
   * Handed over, and told all that it takes: the first caller begins, without a word to Redis.
   * @returns whether that was enough for it
   */
  #takeAtOnce(grant: HandedOver): boolean {
    const { first } = this.#callers;
    const { token, ttlMs } = grant;
    if (first === undefined || token <= first.tokenAbove || !this.#answers.isCredible(token)) return false;
    const kept = { sinceMs: this.#answers.keptSinceMs, ttlMs, longestMs: ttlMs };
    const leftMs = keptUntil(kept) - this.#context.alarms.clock.now();
    if (!isEnoughFor(first.ttlMs, leftMs, ttlMs)) return false;
    this.#context.unwatch(this);
    this.#heard();
    this.#take(grant, kept, this.#cameFrom, true);
    return true;
  }

  /** @param isEnough for the first caller; otherwise it is if Redis was asked for just what that one wants */
  #take(grant: Grant, kept: Kept, from: From, isEnough = false): void {
    const { first, size } = this.#callers;
    const terms = first ?? { ttlMs: kept.ttlMs, renew: false, maxHoldMs: Infinity };
    const turn = new Turn(this, this.#context, this.#entry?.id ?? '', { grant, terms, kept, waiters: size });
    this.#turn = turn;
    this.#early = undefined;
    this.#stage = 'holding';
    if (first === undefined) {
      this.#context.emit?.({ type: 'stale-grant', lock: this.name });
      this.#giveUp();
      return;
    }
    if (isEnough || (kept.ttlMs === first.ttlMs && kept.longestMs <= first.ttlMs)) this.#begin(turn, from);
    else this.#confirm(turn);
  }

  /**
   * Redis keeps the lock for another time than the first caller wants: it was asked for by one who has left since. It is
   * told, and then that caller begins.
   */
  #confirm(turn: Turn): void {
    const { alarms } = this.#context;
    const { first } = this.#callers;
    if (first === undefined) {
      this.#giveUp();
      return;
    }
    alarms.clear(this);
    this.#stage = 'confirming';
    this.#attempt += 1;
    const attempt = this.#attempt;
    const sentAtMs = alarms.clock.now();
    turn.hold.extend(first.ttlMs).then(
      () => {
        // If the lock was lost, `onLoss` has seen to it.
        if (attempt !== this.#attempt) return;
        this.#heard();
        if (this.#callers.first?.ttlMs !== first.ttlMs) {
          this.#confirm(turn);
          return;
        }
        this.#stage = 'holding';
        this.#begin(turn, this.#cameFrom);
      },
      (cause: unknown) => {
        if (attempt === this.#attempt) this.#unanswered(cause, sentAtMs);
      },
    );
  }

  #begin(turn: Turn, from: From): void {
    // If it is not held any more (the answer came after the deadline), the loss has made this line ask anew.
    if (!turn.hold.isHeld()) return;
    if (!this.#serve(turn, from)) this.#yieldTurn(turn).catch(() => undefined);
  }

  /** The lock, which is held, to the first waiter; unless no token is left that it could have. */
  #serve(turn: Turn, from: From): boolean {
    const waiter = this.#callers.first;
    const lease = waiter === undefined ? undefined : turn.serve(waiter);
    if (waiter === undefined || lease === undefined) return false;
    this.#context.alarms.clear(this);
    this.#callers.grant(waiter, lease, from);
    return true;
  }

  /** Others wait for it; or one of them had it before us, and is likely to have asked again since. */
  #isContended(turn: Turn): boolean {
    return turn.asked || this.#place !== undefined;
  }

  /** Nobody here has it, but it is kept for a while. */
  #lingers(): boolean {
    return this.#stage === 'holding' && this.#turn !== undefined && this.#turn.lease === undefined;
  }

  onAsked(): void {
    if (this.#turn === undefined) return;
    this.#turn.asked = true;
    if (this.#lingers()) this.#giveUp();
  }

  onLoss(loss: Loss): void {
    // Redis still keeps it, or was silent: what it was asked for in vain (a renewal) it may still do. Otherwise there is
    // nothing left.
    if (loss.why === 'deadline' || loss.why === 'max-hold') this.#giveUp();
    else {
      this.#retire();
      this.#goOn();
    }
  }

  // -------------------------------------------------------------------------------------------- end of a turn

  /** Other processes may be waiting: they have their turn now, and those who wait here have their next one after it. */
  #yieldTurn(turn: Turn): Promise<Released> {
    const { alarms } = this.#context;
    const first = this.#callers.first;
    if (first === undefined || this.#entry === undefined) return this.#handBack();
    const { ttlMs, tokenAbove } = first;
    const next = this.#context.register(this, ttlMs);
    const { firstToken, lastToken } = turn;
    const { id } = this.#entry;
    const request = { id, nextId: next.id, firstToken, lastToken, ttlMs, tokenAbove };
    alarms.clear(this);
    turn.hold.end();
    this.#turn = undefined;
    this.#yielding = { request, next, untilMs: alarms.clock.now() + ttlMs };
    this.#stage = 'yielding';
    return this.#sendYield();
  }

  async #sendYield(): Promise<Released> {
    const yielding = this.#yielding;
    if (yielding === undefined) return 'released';
    this.#attempt += 1;
    const attempt = this.#attempt;
    const sentAtMs = this.#context.alarms.clock.now();
    try {
      const reply = await this.#context.store.yield(this.name, yielding.request);
      if (attempt === this.#attempt) this.#yielded(reply, sentAtMs, yielding);
      return reply.is === 'gone' || reply.is === 'taken' ? reply.is : 'released';
    } catch (error) {
      if (attempt === this.#attempt) this.#unanswered(error, sentAtMs);
      throw error;
    }
  }

  #yielded(reply: Grant | Queued | NotHeld, sentAtMs: number, yielding: Yielding): void {
    const { request, next } = yielding;
    const { ttlMs } = request;
    const early = this.#early;
    this.#heard();
    this.#yielding = undefined;
    if (reply.is === 'granted') {
      this.#context.unregister(next);
      this.#longestMs = ttlMs;
      this.#take(reply, { sinceMs: sentAtMs, ttlMs, longestMs: ttlMs }, 'turn');
      return;
    }
    this.#retire();
    if (reply.is !== 'queued') {
      this.#context.unregister(next);
      this.#goOn();
      return;
    }
    this.#context.emit?.({ type: 'handed-over', lock: this.name });
    this.#entry = next;
    this.#longestMs = ttlMs;
    this.#early = early;
    this.#answers.notHolder(next.id, reply, sentAtMs);
    this.#queue(reply, reply.place ?? 0);
  }

  // -------------------------------------------------------------------------------------------- no answer

  #heard(): void {
    this.#answers.heard(this.#context.alarms.clock.now());
  }

  /** Unknown: it may have been done. It is asked again, by the same id, for as long as that makes sense. */
  #unanswered(cause: unknown, sentAtMs: number): void {
    const { alarms, settings } = this.#context;
    const now = alarms.clock.now();
    const { sinceMs, failures } = this.#answers.unheard(cause, sentAtMs);
    this.#unsure = true;
    this.#callers.dismissImpatient();
    if (cause instanceof RefusedError || now - sinceMs >= settings.unavailableAfterMs)
      this.#callers.dismissAll(cause);
    const overdue = this.#yielding !== undefined && now >= this.#yielding.untilMs;
    if (this.#callers.size === 0 || overdue) this.#giveUp();
    else if (this.#stage !== 'queued') alarms.set(this, now + retryDelayMs(failures - 1));
  }

  #paused(): boolean {
    return this.#context.alarms.isSet(this) && ['asking', 'confirming', 'yielding'].includes(this.#stage);
  }

  // -------------------------------------------------------------------------------------------- ends

  #giveUp(): void {
    this.#handBack().catch(() => undefined);
  }

  /** Ends all that it has in Redis; the lock goes to the next one in the queue, in the same step. */
  #handBack(): Promise<Released> {
    const entry = this.#entry;
    const yielding = this.#yielding;
    // A question under way may be granted still, and with it tokens that nobody here will have seen.
    const turn = this.#turn;
    const reserved = this.#unsure ? turn?.lastToken : turn?.unusedAfter;
    const lastToken = turn === undefined ? (yielding?.request.lastToken ?? 0) : reserved;
    const contended = turn !== undefined && this.#isContended(turn);
    // Sent first: there is time for the rest while it is on its way.
    const ended =
      entry === undefined
        ? Promise.resolve<Released>('released')
        : this.#giveBack(entry, lastToken, contended);
    this.#retire();
    if (yielding !== undefined) {
      this.#context.unregister(yielding.next);
      this.#giveBack(yielding.next, undefined, false).catch(() => undefined);
    }
    this.#goOn();
    return ended;
  }

  #giveBack({ id, number }: Entry, lastToken: number | undefined, contended: boolean): Promise<Released> {
    return this.#context.giveBack(this.name, number, { id, lastToken, contended });
  }

  /** Back to the beginning, with nothing in Redis. */
  #retire(): void {
    this.#context.alarms.clear(this);
    this.#context.unwatch(this);
    this.#turn?.hold.end();
    if (this.#entry !== undefined) this.#context.unregister(this.#entry);
    this.#turn = undefined;
    this.#yielding = undefined;
    this.#entry = undefined;
    this.#place = undefined;
    this.#longestMs = 0;
    this.#answers.forgetEntry();
    this.#early = undefined;
    this.#unsure = false;
    this.#attempt += 1;
    this.#stage = 'idle';
  }

  #goOn(): void {
    if (this.#callers.size > 0) {
      this.#ask();
      return;
    }
    // Whoever comes to this line later has a beginning of its own.
    this.#answers.forget();
    this.#context.forget(this);
  }
}
