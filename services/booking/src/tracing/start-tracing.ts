import {
  type Attributes,
  type Context,
  context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';

import type { RequestTrace } from '#src/booking/request-trace.ts';

import { samplerOf } from './sampler.ts';
import { statementName } from './statement-name.ts';
import { traceRedis } from './trace-redis.ts';
import type { Tracing } from './tracing.ts';

/**
 * Spans made by hand at the few places that every request passes. Instrumentations that change `pg` from outside would
 * give the statement of a batch to whichever of its requests happened to send it; here it belongs to the first of them
 * and all others have a link to it.
 *
 * No span has a value of a statement, an argument of a command or a header: only texts with placeholders and names of ours.
 */
export function startTracing(
  env: NodeJS.ProcessEnv,
  { instanceId, log }: { instanceId: string; log: Logger },
): Tracing {
  warnOfOthers(env, log);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  setGlobalErrorHandler(atMostEach(ERROR_LINE_PAUSE_MS, (err) => log.warn({ err }, 'traces are lost')));
  const propagator = new W3CTraceContextPropagator();
  const provider = new TracerProvider({
    sampler: samplerOf(env),
    resource: defaultResource()
      .merge(
        resourceFromAttributes({ 'service.name': 'lastseat-booking', 'service.instance.id': instanceId }),
      )
      .merge(detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] })),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter(),
        scheduledDelayMillis: numberOf(env['OTEL_BSP_SCHEDULE_DELAY'], 5_000),
        maxExportBatchSize: numberOf(env['OTEL_BSP_MAX_EXPORT_BATCH_SIZE'], 512),
        // Above the default: a replica makes some thousand spans a second.
        maxQueueSize: numberOf(env['OTEL_BSP_MAX_QUEUE_SIZE'], 16_384),
      }),
    ],
  });
  const tracer = provider.getTracer('lastseat');

  /** Inside a span below the active one; where there is none, such as in a round of the sweeper, without one. */
  async function within<T>(
    name: string,
    attributes: Attributes,
    kind: SpanKind,
    run: () => Promise<T>,
  ): Promise<T> {
    const parent = context.active();
    if (trace.getSpan(parent) === undefined) return run();
    return runIn(tracer.startSpan(name, { kind, attributes }, parent), parent, run);
  }

  function traceOf(parent: Context, span: Span): TracedRequest {
    return {
      span,
      share(name, others, step) {
        const attributes = { 'lastseat.requests': others.length + 1 };
        const shared = tracer.startSpan(name, { attributes }, parent);
        const link = { context: shared.spanContext() };
        // In this direction only: a batch may have some hundred requests, and each link is sent.
        for (const other of others) (other as TracedRequest).span.addLink(link);
        return runIn(shared, parent, step);
      },
    };
  }

  const stopRedis = traceRedis(tracer);
  return {
    async aroundRequest({ method = '', headers }, answer) {
      const parent = propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER }, parent);
      // One that is not kept has no parts either, and costs no more than it takes to find that out.
      if (!span.isRecording()) return answer();
      span.setAttribute('http.request.method', method);
      return runIn(span, parent, answer);
    },
    onAnswer({ route, strategy, outcome }) {
      const span = trace.getActiveSpan();
      if (span === undefined) return;
      if (route !== undefined)
        span.updateName(`${route.method} ${route.route}`).setAttribute('http.route', route.route);
      if (strategy !== undefined) span.setAttribute('lastseat.strategy', strategy);
      span.setAttribute('lastseat.outcome', outcome);
      if (outcome === 'internal') span.setStatus({ code: SpanStatusCode.ERROR });
    },
    currentTrace() {
      const active = context.active();
      const span = trace.getSpan(active);
      return span && traceOf(active, span);
    },
    aroundQuery: (text, run) =>
      within(
        statementName(text),
        { 'db.system.name': 'postgresql', 'db.query.text': text },
        SpanKind.CLIENT,
        run,
      ),
    aroundLock: (name, acquire) => within(`wait for ${name}`, {}, SpanKind.INTERNAL, acquire),
    async [Symbol.asyncDispose]() {
      stopRedis();
      await provider.shutdown();
    },
  };
}

interface TracedRequest extends RequestTrace {
  span: Span;
}

/** A collector that is away would fill the log otherwise. */
const ERROR_LINE_PAUSE_MS = 60_000;

async function runIn<T>(span: Span, parent: Context, run: () => Promise<T>): Promise<T> {
  try {
    return await context.with(trace.setSpan(parent, span), run);
  } catch (error) {
    // Not its message: it may have values in it.
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'error' });
    throw error;
  } finally {
    span.end();
  }
}

function warnOfOthers(env: NodeJS.ProcessEnv, log: Logger): void {
  const exporter = env['OTEL_TRACES_EXPORTER'] || 'otlp';
  const protocol =
    env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'] || 'http/json';
  if (exporter !== 'otlp' || protocol === 'grpc') {
    log.warn({ exporter, protocol }, 'traces are sent by OTLP over HTTP, as JSON, and in no other way');
  }
}

function numberOf(text: string | undefined, otherwise: number): number {
  return /^\d+$/.test(text ?? '') ? Number(text) : otherwise;
}

function atMostEach(pauseMs: number, tell: (error: unknown) => void): (error: unknown) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (performance.now() - lastMs < pauseMs) return;
    lastMs = performance.now();
    tell(error);
  };
}
