import type { IncomingMessage } from 'node:http';

import type { RequestTrace } from '#src/booking/request-trace.ts';
import type { OnAnswer } from '#src/http/answer.ts';

/** What makes traces, for those places that a request passes. None of them knows of OpenTelemetry. */
export interface Tracing extends AsyncDisposable {
  /** Answers a request inside a span, below the one that the proxy has named in `traceparent`. */
  aroundRequest: <T>(
    incoming: Pick<IncomingMessage, 'method' | 'headers'>,
    answer: () => Promise<T>,
  ) => Promise<T>;
  /** Names the span of the request that is being answered. */
  onAnswer: OnAnswer;
  /** Of the request that is being answered. */
  currentTrace: () => RequestTrace | undefined;
  aroundQuery: <T>(text: string, run: () => Promise<T>) => Promise<T>;
  aroundLock: <T>(name: string, acquire: () => Promise<T>) => Promise<T>;
}
