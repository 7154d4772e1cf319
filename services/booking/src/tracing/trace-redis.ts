import { tracingChannel } from 'node:diagnostics_channel';

import { type Span, SpanKind, trace, type Tracer } from '@opentelemetry/api';

interface CommandTold {
  command: string;
  error?: unknown;
}

/**
 * A span for each command to Redis that a request waits for. ioredis tells of them on a channel of Node's diagnostics, so
 * nothing of it has to be changed. @returns what ends it
 */
export function traceRedis(tracer: Tracer): () => void {
  const spans = new WeakMap<object, Span>();
  const commands = tracingChannel<CommandTold, CommandTold>('ioredis:command');
  const listeners = {
    start(told: CommandTold) {
      if (trace.getActiveSpan() === undefined) return;
      const attributes = { 'db.system.name': 'redis' };
      spans.set(told, tracer.startSpan(told.command.toUpperCase(), { kind: SpanKind.CLIENT, attributes }));
    },
    asyncEnd: (told: CommandTold) => spans.get(told)?.end(),
  };
  commands.subscribe(listeners);
  return () => {
    commands.unsubscribe(listeners);
  };
}
