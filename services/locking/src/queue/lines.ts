import type { Line } from './line.ts';

/**
 * The lines of one lock service, by the names that their callers want and by the numbers that messages bring.
 *
 * A shared line is found by its name, and so are its numbers. Nothing is entered or removed for each lock then: a `Map`
 * whose keys come and go is copied every few of them, and each dead copy keeps the next one alive until the garbage
 * collector has looked at everything.
 */
export class Lines {
  readonly #shared = new Map<string, Line>();
  readonly #unshared = new Set<Line>();
  readonly #unsharedByNumber = new Map<number, Line>();
  /** The shared line that was forgotten last, as far as we know. It is kept: often its name is the next one wanted. */
  #spare: Line | undefined;

  /** The one that all callers of the name share. */
  shared(name: string): Line | undefined {
    return this.#shared.get(name);
  }

  add(line: Line): void {
    if (line.isShared) this.#shared.set(line.name, line);
    else this.#unshared.add(line);
  }

  /** Messages may come for this number. */
  expect(line: Line, number: number): void {
    if (!line.isShared) this.#unsharedByNumber.set(number, line);
  }

  unexpect(number: number): void {
    if (this.#unsharedByNumber.size > 0) this.#unsharedByNumber.delete(number);
  }

  /** The line whose entry has that number. */
  find(name: string, number: number): Line | undefined {
    const shared = this.#shared.get(name);
    return shared?.hasEntry(number) === true ? shared : this.#unsharedByNumber.get(number);
  }

  /** Nobody waits in the line, and it has nothing in Redis. */
  forget(line: Line): void {
    if (!line.isShared) {
      this.#unshared.delete(line);
      return;
    }
    const spare = this.#spare;
    if (spare !== undefined && spare !== line && spare.isIdle && this.#shared.get(spare.name) === spare) {
      this.#shared.delete(spare.name);
    }
    this.#spare = line;
  }

  *[Symbol.iterator](): Iterator<Line> {
    yield* this.#shared.values();
    yield* this.#unshared;
  }
}
