/** What can stand in one list at a time. The fields belong to the list. */
export interface Linked<T> {
  next: T | undefined;
  previous: T | undefined;
}

/** First in, first out; anything may leave from the middle. All in constant time, without an object per entry. */
export class LinkedList<T extends Linked<T>> {
  size = 0;
  first: T | undefined;
  #last: T | undefined;

  push(entry: T): void {
    entry.previous = this.#last;
    if (this.#last === undefined) this.first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    this.size += 1;
  }

  remove(entry: T): void {
    const { previous, next } = entry;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    entry.previous = undefined;
    entry.next = undefined;
    this.size -= 1;
  }
}
