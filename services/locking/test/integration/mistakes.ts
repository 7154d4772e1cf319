import type { Mistake } from '@lastseat/infra/seeded-mistakes';

/**
 * Which tests notice: of the queue lock `model` and `scenarios` play the client, `scripts` the Lua; the others are one
 * file each.
 */
export type Noticer =
  | 'model'
  | 'scenarios'
  | 'scripts'
  | 'simple scripts'
  | 'quorum scripts'
  | 'quorum tokens'
  | 'lease'
  | 'with-lock';

/** Mistakes that somebody could make in this library, or has made in others. */
export const mistakes: readonly Mistake<Noticer>[] = [
  {
    name: 'a release that does not compare gives back the lock of another',
    file: 'lua/queue-release.lua',
    right: "if not held or string.sub(held, 1, #id + 1) ~= id .. ' ' then",
    wrong: 'if not held then',
    noticedBy: 'scripts',
  },
  {
    name: 'a release before the body has ended: unlocked before the commit',
    file: 'with-lock.ts',
    right: '    result = await fn(lease);\n',
    wrong: '    const running = fn(lease);\n    await lease.release();\n    result = await running;\n',
    noticedBy: 'with-lock',
  },
  {
    name: 'a renewal that creates a lost lock anew',
    file: 'lua/queue-extend.lua',
    right: "if not token then\n  return {held and -1 or 0}\nend\nredis.call('PEXPIRE', KEYS[1], ARGV[2])",
    wrong:
      "if held and not token then\n  return {-1}\nend\ntoken = token or 1\nredis.call('SET', KEYS[1], ARGV[1] .. ' ' .. digits(token), 'PX', ARGV[2])",
    noticedBy: 'scripts',
  },
  {
    name: 'a renewal that does not compare keeps the lock of another',
    file: 'lua/queue-extend.lua',
    right: 'local token = tokenOf(ARGV[1], held)',
    wrong: 'local token = held and 1',
    noticedBy: 'scripts',
  },
  {
    name: 'a token minted by the client, after the grant',
    file: 'queue/redis-store.ts',
    right: "  return { is: 'granted', token, reserved, clockUs, waiting };",
    wrong:
      "  return { is: 'granted', token: Math.min(token, Date.now() * 1_000), reserved, clockUs, waiting };",
    noticedBy: 'scripts',
  },
  {
    name: 'a token that ignores the last one: the clock was set back',
    file: 'lua/queue-take.lua',
    right: 'if last and tonumber(last) >= token then',
    wrong: 'if false then',
    noticedBy: 'scripts',
  },
  {
    name: 'a token that ignores the last one, in the common case',
    file: 'lua/queue-acquire.lua',
    right: 'if not last or tonumber(last) < token then',
    wrong: 'if true then',
    noticedBy: 'scripts',
  },
  {
    name: 'a free lock that is taken before those who wait',
    file: 'lua/queue-acquire.lua',
    right: "local free = redis.call('EXISTS', KEYS[1], KEYS[2]) == 0",
    wrong: "local free = redis.call('EXISTS', KEYS[1]) == 0",
    noticedBy: 'scripts',
  },
  {
    name: 'a token not above the one that the resource has seen',
    file: 'lua/queue-take.lua',
    right: 'math.max(nowUs, tokenAbove + 1)',
    wrong: 'nowUs',
    noticedBy: 'scripts',
  },
  {
    name: 'reserved tokens that nobody has seen are remembered after the release',
    file: 'lua/queue-release.lua',
    right: "if last ~= '' then",
    wrong: 'if false then',
    noticedBy: 'scripts',
  },
  {
    name: 'an acquire sent again gets another grant than the first time',
    file: 'lua/queue-acquire.lua',
    right: 'if token then\n  return grantAgain(id, token, ttlMs, tokenAbove, reserve)\nend\n\nlocal place',
    wrong: 'if token then\n  return grant(id, ttlMs, tokenAbove, reserve)\nend\n\nlocal place',
    noticedBy: 'scripts',
  },
  {
    name: 'a waiter that is dead is made the holder',
    file: 'lua/queue-hand-over.lua',
    right: 'if reads or (sign and sign * 1000 >= nowUs - staleMs * 1000) then',
    wrong: 'if true then',
    noticedBy: 'scripts',
  },
  {
    name: 'a new holder that gives no sign of life keeps the lock',
    file: 'lua/queue-hand-over.lua',
    right: "redis.call('SET', KEYS[1], held, 'PX', claimMs)",
    wrong: "redis.call('SET', KEYS[1], held, 'PX', queueMemoryMs)",
    noticedBy: 'scripts',
  },
  {
    name: 'a new holder is not told',
    file: 'lua/queue-hand-over.lua',
    right: "heard = tell(client, number, 'granted', more) > 0 or not countsReceivers",
    wrong: 'heard = true',
    noticedBy: 'scripts',
  },
  {
    name: 'whoever looks does not go on from a dead holder',
    file: 'lua/queue-poll.lua',
    right: "local held = redis.call('GET', KEYS[1]) or handOver(nil, client)",
    wrong: "local held = redis.call('GET', KEYS[1]) or 'nobody:0 0'",
    noticedBy: 'scripts',
  },
  {
    name: 'a deadline counted from the reply, not from before the request',
    file: 'queue/line.ts',
    right: 'this.#answered(reply, { sinceMs: sentAtMs, ttlMs: request.ttlMs })',
    wrong: 'this.#answered(reply, { sinceMs: alarms.clock.now(), ttlMs: request.ttlMs })',
    noticedBy: 'scenarios',
  },
  {
    name: 'a lease as long as its caller wishes, not as Redis was asked for',
    file: 'queue/line.ts',
    right: 'const turn = new Turn(',
    wrong: 'if (first !== undefined) kept = { ...kept, ttlMs: first.ttlMs };\n    const turn = new Turn(',
    noticedBy: 'scenarios',
  },
  {
    name: 'a grant that is past its deadline is passed on',
    file: 'queue/line.ts',
    right: '    if (!turn.hold.isHeld()) return;\n',
    wrong: '',
    noticedBy: 'scenarios',
  },
  {
    name: 'a message from a turn that was missed is believed',
    file: 'queue/answers.ts',
    right: 'token > refusal.holderToken && ',
    wrong: '',
    noticedBy: 'scenarios',
  },
  {
    name: 'a lock that was handed over is believed to be kept from the moment at which the message came',
    file: 'queue/line.ts',
    right: 'sinceMs: this.#answers.keptSinceMs',
    wrong: 'sinceMs: this.#context.alarms.clock.now()',
    noticedBy: 'scenarios',
  },
  {
    name: 'a new holder that gives no sign of life, and believes that it keeps the lock',
    file: 'queue/line.ts',
    right: 'if (kept.ttlMs !== terms.ttlMs) setImmediate(',
    wrong: 'if (kept.ttlMs === -1) setImmediate(',
    noticedBy: 'scenarios',
  },
  {
    name: 'the end of a turn that comes late ends the turn after that',
    file: 'lua/queue-yield.lua',
    right: 'if token and token ~= tonumber(ARGV[6]) then',
    wrong: 'if false then',
    noticedBy: 'scripts',
  },
  {
    name: 'a question that comes late takes time from the holder',
    file: 'lua/queue-shared.lua',
    right: "if redis.call('PTTL', KEYS[1]) < tonumber(ttlMs) then",
    wrong: 'if true then',
    noticedBy: 'scripts',
  },
  {
    name: 'callers who follow one another pass on a lease that is lost',
    file: 'lease.ts',
    right: "    if (!this.#isHeld()) return Promise.reject(this.#lost ?? this.#loss({ why: 'gone' }));\n",
    wrong: '',
    noticedBy: 'scenarios',
  },
  {
    name: 'callers who follow one another share a token',
    file: 'queue/turn-tokens.ts',
    right: 'Math.max(this.last + 1, this.#clockAt(nowMs))',
    wrong: 'this.last',
    noticedBy: 'model',
  },
  {
    name: 'a grant that came after the cancellation is kept',
    file: 'queue/line.ts',
    right: "this.#context.emit?.({ type: 'stale-grant', lock: this.name });\n      this.#giveUp();",
    wrong: "this.#context.emit?.({ type: 'stale-grant', lock: this.name });",
    noticedBy: 'scenarios',
  },
  {
    name: 'whoever asks after an outage is told of it before its own time',
    file: 'queue/line.ts',
    right: '    this.#answers.forget();\n',
    wrong: '',
    noticedBy: 'scenarios',
  },
  {
    name: 'a turn without an end while others wait',
    file: 'queue/turn.ts',
    right: 'return this.#left <= 0 ||',
    wrong: 'return',
    noticedBy: 'scenarios',
  },
  {
    name: 'no look at what was missed after messages reach us again',
    file: 'queue/locks.ts',
    right: 'listening: recheck,',
    wrong: 'listening: () => undefined,',
    noticedBy: 'scenarios',
  },
  {
    name: 'a look that finds oneself the holder is ignored: messages are more than a hint',
    file: 'queue/locks.ts',
    right: 'if (holder.startsWith(idStart))',
    wrong: 'if (holder === idStart)',
    noticedBy: 'scenarios',
  },
  {
    name: 'a deadline that only a timer notices',
    file: 'hold.ts',
    right: 'if (this.#alarms.clock.now() < this.deadlineMs) return true;',
    wrong: 'if (this.#alarms.clock.now() < this.deadlineMs || this.slot !== -1) return true;',
    noticedBy: 'lease',
  },
  {
    name: 'a renewal that takes silence for a yes',
    file: 'hold.ts',
    right: 'this.#keptUntilMs = Math.min(this.#keptUntilMs, keptUntilMs);',
    wrong: 'this.#keptUntilMs = keptUntilMs;',
    noticedBy: 'lease',
  },
  {
    name: 'simple lock: a release that does not compare gives back the lock of another',
    file: 'lua/release.lua',
    right: 'if holder == ARGV[1] then',
    wrong: 'if holder then',
    noticedBy: 'simple scripts',
  },
  {
    name: 'simple lock: a renewal that creates a lost lock anew',
    file: 'lua/extend.lua',
    right: 'if holder == ARGV[1] then',
    wrong:
      "if not holder then\n  redis.call('SET', KEYS[1], ARGV[1])\nend\nif not holder or holder == ARGV[1] then",
    noticedBy: 'simple scripts',
  },
  {
    name: 'simple lock: a renewal that does not compare keeps the lock of another',
    file: 'lua/extend.lua',
    right: 'if holder == ARGV[1] then',
    wrong: 'if holder then',
    noticedBy: 'simple scripts',
  },
  {
    name: 'simple lock: a token that ignores the last one: the clock was set back',
    file: 'lua/simple-acquire.lua',
    right: "  tonumber(redis.call('GET', KEYS[2]) or 0) + 1,\n",
    wrong: '',
    noticedBy: 'simple scripts',
  },
  {
    name: 'simple lock: a token not above the one that the resource has seen',
    file: 'lua/simple-acquire.lua',
    right: 'tonumber(ARGV[3]) + 1)',
    wrong: '0)',
    noticedBy: 'simple scripts',
  },
  {
    name: 'simple lock: an acquire sent again gets another grant than the first time',
    file: 'lua/simple-acquire.lua',
    right: 'if minted and',
    wrong: 'if false and',
    noticedBy: 'simple scripts',
  },
  {
    name: 'simple lock: a token that is remembered for ever',
    file: 'lua/simple-acquire.lua',
    right: ", 'PX', ARGV[4])",
    wrong: ')',
    noticedBy: 'simple scripts',
  },
  {
    name: 'quorum lock: a second round that does not refuse an older token',
    file: 'lua/quorum-mint.lua',
    right: 'if tonumber(last) >= tonumber(ARGV[2]) and not again then',
    wrong: 'if false then',
    noticedBy: 'quorum scripts',
  },
  {
    name: 'quorum lock: a second round that refuses no token a second time, whoever asks',
    file: 'lua/quorum-mint.lua',
    right: ' and minter == ARGV[1]',
    wrong: '',
    noticedBy: 'quorum scripts',
  },
  {
    name: 'quorum lock: a second round on a server where the lock was lost since the first',
    file: 'lua/quorum-mint.lua',
    right: "if redis.call('GET', KEYS[1]) ~= ARGV[1] then",
    wrong: 'if false then',
    noticedBy: 'quorum scripts',
  },
  {
    name: 'quorum lock: no floor at taking: a holder whom the server has forgotten had a larger token',
    file: 'lua/quorum-take.lua',
    right: 'if last < clockUs then',
    wrong: 'if false then',
    noticedBy: 'quorum scripts',
  },
  {
    name: 'quorum lock: half of the servers pass for a majority',
    file: 'quorum/vote.ts',
    right: 'Math.floor(servers / 2) + 1',
    wrong: 'Math.floor(servers / 2)',
    noticedBy: 'quorum tokens',
  },
  {
    name: 'quorum lock: one server that has written the token is enough',
    file: 'quorum/grant.ts',
    right: 'if (round2.carried) return',
    wrong: "if (round2.replies.includes('written')) return",
    noticedBy: 'quorum tokens',
  },
  {
    name: 'quorum lock: no second round',
    file: 'quorum/grant.ts',
    right: 'for (let tried = 1; ; tried += 1) {',
    wrong: 'if (candidate > 0) return { token: candidate };\n      for (let tried = 1; ; tried += 1) {',
    noticedBy: 'quorum tokens',
  },
];
