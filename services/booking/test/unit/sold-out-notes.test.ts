import { expect, test } from 'vitest';

import { createSoldOutNotes } from '#src/booking/batching/sold-out-notes.ts';

function notesAt(start = 1_000) {
  let nowMs = start;
  const notes = createSoldOutNotes({ maxAgeMs: 250, now: () => nowMs });
  return { notes, setNow: (ms: number) => void (nowMs = ms) };
}

test('refuses what does not fit into the stock that was found, and nothing else', () => {
  const { notes } = notesAt();
  notes.note(1, { available: 2, epoch: 1 }, 1_000);
  expect(notes.refuses(1, 3)).toBe(true);
  expect(notes.refuses(1, 2)).toBe(false);
  expect(notes.refuses(2, 1)).toBe(false);
});

test('its age counts from the start of the read, not from its end', () => {
  const { notes, setNow } = notesAt(1_200);
  notes.note(1, { available: 0, epoch: 1 }, 1_000);
  setNow(1_249);
  expect(notes.refuses(1, 1)).toBe(true);
  setNow(1_250);
  expect(notes.refuses(1, 1)).toBe(false);
});

test('a change of the stock clears it at once', () => {
  const { notes } = notesAt();
  notes.note(1, { available: 0, epoch: 1 }, 1_000);
  notes.clear(1);
  expect(notes.refuses(1, 1)).toBe(false);
});

test('a read that began before the stock changed cannot bring the old stock back', () => {
  const { notes, setNow } = notesAt();
  setNow(1_100);
  notes.clear(1);
  setNow(1_150);
  notes.note(1, { available: 0, epoch: 1 }, 1_050);
  expect(notes.refuses(1, 1)).toBe(false);
  notes.note(1, { available: 0, epoch: 2 }, 1_120);
  expect(notes.refuses(1, 1)).toBe(true);
});

test('a late read of an older epoch does not replace what is known of the newer one', () => {
  const { notes } = notesAt();
  notes.note(1, { available: 5, epoch: 2 }, 1_000);
  notes.note(1, { available: 0, epoch: 1 }, 1_000);
  expect(notes.refuses(1, 1)).toBe(false);
});
