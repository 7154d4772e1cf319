/** The next time only when the last one is done: what hangs is not asked twice. A failure is not the poller's to tell. */
export function every(ms: number, work: () => Promise<unknown>): Disposable {
  let timer: NodeJS.Timeout;
  let isStopped = false;
  const plan = (): void => {
    if (isStopped) return;
    timer = setTimeout(
      () =>
        void work()
          .catch(() => {})
          .finally(plan),
      ms,
    );
    timer.unref();
  };
  plan();
  return {
    [Symbol.dispose]() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
