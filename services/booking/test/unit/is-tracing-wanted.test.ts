import { expect, test } from 'vitest';

import { isTracingWanted } from '#src/tracing/is-tracing-wanted.ts';

const OTEL_EXPORTER_OTLP_ENDPOINT = 'http://collector:4318';

test.each<[boolean, NodeJS.ProcessEnv]>([
  [false, {}],
  [false, { OTEL_SERVICE_NAME: 'tickets' }],
  [false, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
  [false, { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
  [false, { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: 'true' }],
  [true, { OTEL_EXPORTER_OTLP_ENDPOINT }],
  [true, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: OTEL_EXPORTER_OTLP_ENDPOINT }],
  [true, { OTEL_TRACES_EXPORTER: 'otlp' }],
])('%s with %j', (isWanted, env) => {
  expect(isTracingWanted(env)).toBe(isWanted);
});
