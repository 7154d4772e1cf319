import { Redis } from 'ioredis';

import type { Attack } from '../attack.ts';
import { holderAttack } from './holder.ts';

/** Its lease ends, and it does not know. */
const pauseHolder = holderAttack({
  name: 'pause-holder',
  what: 'holders are paused past their leases (SIGSTOP), others buy, and the holders go on',
  breaks: ['none', 'while-lease-held'],
  expectedMs: 8_000,
  tickets: [1, 2],
  async strike({ replicas }, holders) {
    for (const name of instancesOf(holders)) await replicas.pause(name);
  },
  async heal({ replicas }, holders) {
    for (const name of instancesOf(holders)) await replicas.resume(name);
  },
  seen: (replicas, others) => `${replicas} paused; meanwhile ${others}`,
});

const redisFlush = holderAttack({
  name: 'redis-flush',
  what: 'Redis loses everything while holders hold',
  breaks: ['none', 'while-lease-held'],
  expectedMs: 7_000,
  tickets: [1, 2],
  async strike({ stack }) {
    const redis = new Redis(stack.redisUrl, { commandTimeout: 2_000 });
    try {
      await redis.flushall();
    } finally {
      redis.disconnect();
    }
  },
  heal: async () => {},
  seen: (_replicas, others) => `everything in Redis deleted; then ${others}`,
});

/** Nobody gives back what it held. */
const killHolder = holderAttack({
  name: 'kill-holder',
  what: 'a holder is killed (SIGKILL): the others must go on selling, and nothing may be half done',
  breaks: ['none'],
  expectedMs: 9_000,
  tickets: [1],
  // Nobody answers whom it had: whether it was booked is looked up.
  exempt: ['ended_unknown'],
  async strike({ replicas }, holders) {
    for (const name of instancesOf(holders)) await replicas.kill(name);
  },
  heal: ({ replicas }) => replicas.startAll(),
  seen: (replicas, others) => `${replicas} killed; then ${others}`,
});

function instancesOf(holders: readonly { instanceId: string }[]): string[] {
  return [...new Set(holders.map(({ instanceId }) => instanceId))];
}

export const FAULTS: readonly Attack[] = [pauseHolder, redisFlush, killHolder];
