/**
 * What this replica remembers of events that were just found sold out, so that a crowd of refusals costs no database
 * work. A note can only refuse, never sell, so it cannot oversell; and it dies `maxAgeMs` after the *start* of the
 * read that it rests on, so that freed stock (a reset or a new capacity made through another replica) is refused for
 * at most that long. Changes made through this replica clear it at once.
 */

/** A refusal may be this old. Four reads a second per event and replica cost nothing; a buyer can wait a quarter of one. */
const MAX_AGE_MS = 250;

/** Notes beyond this number are not kept: an event without one is merely slower to refuse. */
const MAX_NOTES = 10_000;

interface Note {
  readonly available: number;
  readonly epoch: number;
  readonly expiresAtMs: number;
}

export interface SoldOutNotes {
  /** Whether a fresh note says that fewer than `quantity` tickets are left. */
  refuses(eventId: number, quantity: number): boolean;
  /** Notes what a read begun at `readStartedAtMs` (monotonic) found. An older epoch never replaces a newer one's note. */
  note(eventId: number, found: { available: number; epoch: number }, readStartedAtMs: number): void;
  /** Forgets the event, because its stock may have grown. */
  clear(eventId: number): void;
}

export function createSoldOutNotes(options: { maxAgeMs?: number; now?: () => number } = {}): SoldOutNotes {
  const { maxAgeMs = MAX_AGE_MS, now = () => performance.now() } = options;
  const notes = new Map<number, Note>();
  /** When an event was last cleared: a read begun before that may have seen the stock of before. */
  const clearedAtMs = new Map<number, number>();

  function forgetExpired(): void {
    for (const [eventId, note] of notes) if (note.expiresAtMs <= now()) notes.delete(eventId);
    for (const [eventId, at] of clearedAtMs) if (at + maxAgeMs <= now()) clearedAtMs.delete(eventId);
  }

  return {
    refuses(eventId, quantity) {
      const note = notes.get(eventId);
      if (note === undefined) return false;
      if (note.expiresAtMs > now()) return quantity > note.available;
      notes.delete(eventId);
      return false;
    },
    note(eventId, { available, epoch }, readStartedAtMs) {
      if (readStartedAtMs < (clearedAtMs.get(eventId) ?? -Infinity)) return;
      if (epoch < (notes.get(eventId)?.epoch ?? 0)) return;
      if (notes.size >= MAX_NOTES) forgetExpired();
      if (notes.size >= MAX_NOTES) return;
      notes.set(eventId, { available, epoch, expiresAtMs: readStartedAtMs + maxAgeMs });
    },
    clear(eventId) {
      notes.delete(eventId);
      if (clearedAtMs.size >= MAX_NOTES) forgetExpired();
      clearedAtMs.set(eventId, now());
    },
  };
}
