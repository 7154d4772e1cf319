/** Rejects after `timeoutMs` at the latest; the command may still run later. */
export async function withTimeout<T>(command: Promise<T>, timeoutMs: number): Promise<T> {
  const timeout = startTimeout(timeoutMs);
  try {
    return await Promise.race([command, timeout.promise]);
  } finally {
    timeout.clear();
  }
}

/** Its promise rejects after that time, unless it is cleared. */
export function startTimeout(ms: number) {
  const { promise, reject } = Promise.withResolvers<never>();
  let passed = false;
  const timer = setTimeout(() => {
    passed = true;
    reject(new Error(`no reply within ${ms} ms`));
  }, ms);
  return { promise, passed: () => passed, clear: () => clearTimeout(timer) };
}
