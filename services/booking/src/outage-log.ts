import type { Logger } from 'pino';

/** What is heard of a server, and how its log has it: one line when it is lost and one when it is back. */
export interface OutageLog {
  lost(err: Error): void;
  back(): void;
}

/** However many connections, tries and requests say the same, a state is told once. */
export function createOutageLog(log: Pick<Logger, 'info' | 'warn'>, server: string): OutageLog {
  let isLost = false;
  return {
    lost(err) {
      if (!isLost) log.warn({ err }, `${server} is out of reach`);
      isLost = true;
    },
    back() {
      if (isLost) log.info(`${server} is back`);
      isLost = false;
    },
  };
}
