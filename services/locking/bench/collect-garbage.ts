/** So that what is weighed is what is kept. Needs `--expose-gc`, which workers are started with. */
export function collectGarbage(): void {
  if (!globalThis.gc) throw new Error('this process was not started with --expose-gc');
  globalThis.gc();
}
