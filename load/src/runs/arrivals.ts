import type { LabSettings } from './run.ts';

/** How requests come: by the answers of their clients, or by themselves. */
export function arrivalsInWords({ arrivals }: Pick<LabSettings, 'arrivals'>): string {
  if (arrivals === undefined)
    return 'a closed loop: each client sends its next request when it has its answer';
  const { perS, pattern } = arrivals;
  return `an open loop: ${perS.toLocaleString('en-US')} requests a second, answered or not (${pattern})`;
}
