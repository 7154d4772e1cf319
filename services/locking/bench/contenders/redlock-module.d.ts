// The package's `exports` hide its own declarations from TypeScript; this is the part of them that the bench uses.
declare module 'redlock' {
  export default class Redlock {
    constructor(
      clients: Iterable<unknown>,
      settings?: { retryCount?: number; retryDelay?: number; retryJitter?: number },
    );
    readonly clients: Set<unknown>;
    using<T>(resources: string[], durationMs: number, routine: () => Promise<T>): Promise<T>;
  }
}
