import { count } from '@lastseat/lab-frame/words.ts';

import type { Drill } from '../../drills/drill.ts';
import { killHolder } from '../../drills/drills/kill-holder.ts';
import { pauseHolder } from '../../drills/drills/pause-holder.ts';
import { redisFlush } from '../../drills/drills/redis.ts';
import type { Struck } from '../../drills/judge-strike.ts';
import { playDrill } from '../../drills/play-drill.ts';
import type { CheckVerdict } from '../../runs/run.ts';
import { SHOWN, type Attack } from '../attack.ts';

/** The drills that strike a booking between its read and its write, as `make drill` plays them. */
export const FAULTS: readonly Attack[] = [pauseHolder, redisFlush, killHolder].map(attackOf);

const CLIENTS = 8;
// An event with one ticket sees a second sale, one with two a lost one; and each replica is to hold some of them.
const TICKETS = [1, 2, 1, 2, 1, 2];

function attackOf(drill: Drill): Attack {
  const { name, what, breaks } = drill;
  return {
    name,
    what,
    breaks,
    expectedMs: 15_000,
    async run(arena, strategy) {
      const [struck] = await playDrill(arena, drill, {
        strategies: [strategy.name],
        clients: CLIENTS,
        held: TICKETS,
        seed: 1,
        random: Math.random,
      });
      if (struck === undefined) return { seen: '', operations: [], checks: [] };
      return {
        seen: seenOf(struck),
        operations: struck.operations,
        checks: [wasStruck(struck), ...struck.checks, sellsAgain(struck)],
      };
    },
  };
}

function seenOf({ held, told, replica }: Struck): string {
  const answers = Object.entries(Object.groupBy(told, (code) => code)).map(
    ([code, same]) => `${same?.length ?? 0} ${code}`,
  );
  const where = replica === null ? '' : `on ${replica} `;
  return `${count(held.struck, 'booking')} met ${where}between read and write; who wanted the same tickets: ${answers.join(', ')}`;
}

function wasStruck({ held }: Struck): CheckVerdict {
  if (held.struck > 0) return { check: SHOWN, verdict: 'passed', detail: null };
  const detail =
    'no booking was between its read and its write when the fault came: does it call holdRaceWindow?';
  return { check: SHOWN, verdict: 'not shown', detail };
}

/** What a fault has left behind must not keep everybody out for ever. */
function sellsAgain({ throughput }: Struck): CheckVerdict {
  const check = 'sells-again';
  if (throughput.firstSaleMs !== null) return { check, verdict: 'passed', detail: null };
  return { check, verdict: 'failed', detail: 'after the fault nobody could buy any more' };
}
