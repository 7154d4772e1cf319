import { BREAKS_NO_LOCK, LEFT_AFTER, type Drill } from '../drill.ts';

/** Drills that strike the three servers of the quorum lock: it needs two of them. */

const QUORUM = ['quorum-1', 'quorum-2', 'quorum-3'];

function quorumLoses(
  lost: number,
  { during, ...about }: Pick<Drill, 'name' | 'what'> & { during: number },
): Drill {
  return {
    ...about,
    breaks: BREAKS_NO_LOCK,
    where: 'quorum',
    needsQuorum: true,
    lastsMs: [1_000, 2_000],
    floors: { during, after: LEFT_AFTER },
    async strike({ cluster, random }) {
      const first = Math.floor(random() * QUORUM.length);
      for (let index = 0; index < lost; index += 1) {
        await cluster.kill(QUORUM[(first + index) % QUORUM.length] ?? '');
      }
    },
    async heal({ cluster }) {
      for (const name of QUORUM) await cluster.start(name);
    },
  };
}

export const quorumLosesOne = quorumLoses(1, {
  name: 'quorum-loses-one',
  what: 'one of the three servers of the quorum lock is killed: it goes on',
  during: 0.1,
});

export const quorumLosesTwo = quorumLoses(2, {
  name: 'quorum-loses-two',
  what: 'two of the three servers of the quorum lock are killed: it sells nothing until one of them is back',
  during: 0,
});
