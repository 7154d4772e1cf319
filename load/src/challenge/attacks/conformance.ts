import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { count } from '@lastseat/lab-frame/words.ts';

import type { Arena } from '../../faults/arena.ts';
import type { CheckVerdict } from '../../runs/run.ts';
import type { Attack } from '../attack.ts';

const MAIN = fileURLToPath(new URL('../../../../services/booking/test/conformance/main.ts', import.meta.url));

// Two seconds, and twenty more for a case that hangs, after which it ends.
const TIMEOUT_MS = 45_000;

/** The cases that the service's own strategies are tested with, in a process that holds two replicas' worth of it. */
export const conformance: Attack = {
  name: 'conformance',
  what: "what every strategy owes: the cases of the service's own tests",
  breaks: [],
  expectedMs: 5_000,
  async run(arena, { name, path }) {
    const results = (await ask(arena, path)).filter(({ strategy }) => strategy === name);
    const checks = results.map(({ title, detail }): CheckVerdict => ({
      check: title,
      verdict: detail === null ? 'passed' : 'failed',
      detail,
    }));
    const ended: CheckVerdict =
      results.length > 0
        ? { check: 'the cases were run', verdict: 'passed', detail: null }
        : {
            check: 'the cases were run',
            verdict: 'failed',
            detail: 'the program that runs them has said nothing',
          };
    return { seen: count(results.length, 'case'), checks: [...checks, ended], operations: [] };
  },
};

interface CaseResult {
  strategy: string;
  title: string;
  detail: string | null;
}

async function ask({ stack, signal }: Arena, path: string): Promise<CaseResult[]> {
  const env = { ...process.env, DATABASE_URL: stack.postgresUrl, REDIS_URL: stack.redisUrl };
  const child = spawn(process.execPath, [MAIN, path], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    signal,
  });
  child.on('error', () => {}); // no line will come
  const results: CaseResult[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    // A file may print what it likes.
    if (line.startsWith('{"strategy":')) results.push(JSON.parse(line) as CaseResult);
  }
  return results;
}
