import type { Loss } from '../lease-deadline.ts';
import type { HeldLease, ReleaseOutcome } from '../lease.ts';
import { ask } from './asking.ts';
import { Callers } from './callers.ts';
import type { Waiter } from './callers.ts';
import { confirm, release, resume, sendYield, takeAtOnce } from './holding.ts';
import { giveUp, heard, isPaused, proceed, releaseAll, retire, tenureOf, unanswered } from './moves.ts';
import { idle, type NameContext, type NameMachine, type NameState } from './name-state.ts';
import { ServerView } from './server-view.ts';
import type { HandedOver, Seen } from './store.ts';

/**
 * The callers of one process that want one name. Here is what happens to it, from outside: a caller comes, leaves or
 * releases, Redis tells something, a timer fires. `name-state.ts` draws the states in between.
 */
export class NameQueue implements NameMachine {
  // The timer: the next try after a silence (`isPaused`), or the end of lingering.
  atMs = 0;
  slot = -1;

  readonly name: string;
  readonly isShared: boolean;
  readonly context: NameContext;
  readonly steals: boolean;
  readonly view = new ServerView();
  readonly callers: Callers;
  state: NameState = idle;

  constructor(
    name: string,
    context: NameContext,
    { isShared, steals }: { isShared: boolean; steals: boolean },
  ) {
    this.name = name;
    this.isShared = isShared;
    this.context = context;
    this.steals = steals;
    this.callers = new Callers(name, context, this.view, () => this.#heldAs());
  }

  /** The id under which this process holds the lock, if it does. */
  #heldAs(): string | undefined {
    return tenureOf(this.state) === undefined ? undefined : this.entryId;
  }

  get entryId(): string | undefined {
    return this.state.is === 'idle' ? undefined : this.state.entry.id;
  }

  hasEntry(number: number): boolean {
    const { state } = this;
    if (state.is === 'idle') return false;
    return state.entry.number === number || (state.is === 'yielding' && state.next.number === number);
  }

  get isIdle(): boolean {
    return this.state.is === 'idle' && this.callers.size === 0;
  }

  get size(): number {
    return this.callers.size + (this.#isHeldByCaller() ? 1 : 0);
  }

  #isHeldByCaller(): boolean {
    return tenureOf(this.state)?.lease !== undefined;
  }

  // -------------------------------------------------------------------------------------------- callers

  admit(waiter: Waiter): void {
    // Who only tries is told that it is not free where somebody is before it.
    if (!waiter.patient && this.size > 0) {
      this.callers.refuse(waiter, 'timeout');
      return;
    }
    this.callers.push(waiter);
    waiter.enter(this);
    if (this.state.is === 'idle') this.ask();
    else if (this.state.is === 'lingering') resume(this, this.state);
  }

  leave(waiter: Waiter, why: 'timeout' | 'aborted'): void {
    const { callers, state, view } = this;
    const unheard = state.is === 'asking' && view.heardMs < waiter.sinceMs;
    const noReply = unheard ? new Error(`no reply within ${waiter.waitMs} ms`) : undefined;
    callers.dismiss(waiter, why, view.silence?.cause ?? noReply);
    if (callers.size > 0) return;
    // A question under way is left alone: its reply finds nobody here, and what it grants is released then.
    if (state.is === 'queued' || isPaused(this)) giveUp(this);
  }

  release(lease: HeldLease): Promise<ReleaseOutcome> | ReleaseOutcome {
    return release(this, lease);
  }

  async close(cause: Error): Promise<void> {
    this.callers.dismissAll(cause);
    tenureOf(this.state)?.lease?.lose({ why: 'closed', cause });
    await releaseAll(this).catch(() => undefined);
  }

  // -------------------------------------------------------------------------------------------- what Redis tells

  /**
   * "You have been made the holder." Told with a grant (by a message) that is credible, it is enough to begin at once.
   * Otherwise (by a poll, or a message that is late) it is a hint, which the next question settles.
   */
  granted(number: number, grant: HandedOver | undefined): void {
    const { state } = this;
    if (state.is === 'asking') {
      if (number === state.entry.number) state.early = grant;
    } else if (state.is === 'yielding') {
      if (number === state.next.number) state.early = grant;
    } else if (state.is === 'queued' && number === state.entry.number) {
      if (grant === undefined || !takeAtOnce(this, state.entry, grant)) this.ask();
    }
  }

  asked(number: number): void {
    if (this.state.is !== 'idle' && this.state.entry.number === number) this.onAsked();
  }

  stolen(number: number): void {
    const { state } = this;
    if ('tenure' in state && state.entry.number === number) state.tenure.deadline.lose({ why: 'taken' });
  }

  seen(reply: Seen, sentAtMs: number): void {
    heard(this);
    this.view.notHolder(this.entryId, reply, sentAtMs);
  }

  /** Its grant was missed, or the data was lost. */
  vanished(): void {
    if (this.state.is === 'queued') this.ask();
  }

  unseen(cause: unknown, sentAtMs: number): void {
    if (this.state.is === 'queued') unanswered(this, cause, sentAtMs);
  }

  recheck(): void {
    if (isPaused(this)) this.fire();
  }

  // -------------------------------------------------------------------------------------------- time and tenure

  ask(): void {
    ask(this);
  }

  fire(): void {
    const { state } = this;
    this.context.timers.disarm(this);
    if (state.is === 'asking') this.ask();
    else if (state.is === 'yielding') sendYield(this, state).catch(() => undefined);
    else if (state.is === 'confirming') confirm(this, state);
    else if (state.is === 'lingering') giveUp(this);
  }

  onAsked(): void {
    const { state } = this;
    if (!('tenure' in state)) return;
    state.tenure.asked = true;
    if (state.is === 'lingering') giveUp(this);
  }

  onLoss(loss: Loss): void {
    // Redis may still keep the lock, or may still execute a renewal that it has not answered. After any other loss nothing
    // is left in Redis.
    if (loss.why === 'deadline' || loss.why === 'max-hold') {
      giveUp(this);
    } else {
      retire(this);
      proceed(this);
    }
  }
}
