/** How a property is played: PROPERTY_RUNS says how often, and FC_SEED (with FC_PATH) plays a failing one again. */
export interface PropertyParameters {
  numRuns: number;
  seed?: number;
  path?: string;
}

export function propertyParameters(defaultRuns: number): PropertyParameters {
  const { PROPERTY_RUNS: runs, FC_SEED: seed, FC_PATH: path } = process.env;
  return {
    numRuns: runs === undefined ? defaultRuns : Number(runs),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
  };
}
