import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';

/**
 * OTEL_TRACES_SAMPLER and its argument. nginx asks for every trace that it begins, so whoever wants a part of them names
 * a sampler that does not go by its parent: `traceidratio` with OTEL_TRACES_SAMPLER_ARG=0.1.
 */
export function samplerOf(env: NodeJS.ProcessEnv): Sampler {
  const [, parentBased, name] =
    /^(parentbased_)?(\w+)$/.exec(env['OTEL_TRACES_SAMPLER'] || 'parentbased_always_on') ?? [];
  const argument = Number(env['OTEL_TRACES_SAMPLER_ARG'] || 1);
  const own =
    name === 'always_off'
      ? new AlwaysOffSampler()
      : name === 'traceidratio'
        ? new TraceIdRatioBasedSampler(argument)
        : new AlwaysOnSampler();
  return parentBased === undefined ? own : new ParentBasedSampler({ root: own });
}
