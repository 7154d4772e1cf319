/** Which tests notice: `model` and `scenarios` play the client, `scripts` the Lua, the others are one file each. */
export type Noticer = 'model' | 'scenarios' | 'scripts' | 'lease' | 'with-lock';

export interface Mistake {
  readonly name: string;
  /** In `src`. */
  readonly file: string;
  /** Must be there exactly once. */
  readonly right: string;
  readonly wrong: string;
  readonly noticedBy: Noticer;
}

/** Mistakes that somebody could make in this library, or has made in others. */
export const mistakes: readonly Mistake[] = [
  {
    name: 'a release that does not compare gives back the lock of another',
    file: 'lua/queue-release.lua',
    right: "if not held or (held ~= id and string.sub(held, 1, #id + 1) ~= id .. ' ') then",
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
    right:
      "if held ~= ARGV[1] or not token then\n  return {held and -1 or 0}\nend\nredis.call('PEXPIRE', KEYS[1], ARGV[2])",
    wrong:
      "if held and (held ~= ARGV[1] or not token) then\n  return {-1}\nend\ntoken = token or 1\nredis.call('SET', KEYS[1], ARGV[1] .. ' ' .. digits(token), 'PX', ARGV[2])",
    noticedBy: 'scripts',
  },
  {
    name: 'a renewal that does not compare keeps the lock of another',
    file: 'lua/queue-extend.lua',
    right: 'if held ~= ARGV[1] or not token then',
    wrong: 'if not held then',
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
    right: 'return token and grantAgain(token, ttlMs, reserve) or grant(id, ttlMs, tokenAbove, reserve)',
    wrong: 'return grant(id, ttlMs, tokenAbove, reserve)',
    noticedBy: 'scripts',
  },
  {
    name: 'a waiter that is dead is made the holder',
    file: 'lua/queue-shared.lua',
    right: 'if sign and sign * 1000 >= nowUs - staleMs * 1000 then',
    wrong: 'if true then',
    noticedBy: 'scripts',
  },
  {
    name: 'a new holder that never answers keeps the lock: its claim need not be confirmed',
    file: 'lua/queue-shared.lua',
    right: "redis.call('SET', KEYS[1], id, 'PX', claimMs)\n      if tell",
    wrong: "redis.call('SET', KEYS[1], id, 'PX', queueMemoryMs)\n      if tell",
    noticedBy: 'scripts',
  },
  {
    name: 'a new holder is not told',
    file: 'lua/queue-shared.lua',
    right: "if tell(client, number, 'granted ') > 0 or not countsReceivers then",
    wrong: 'if true then',
    noticedBy: 'scripts',
  },
  {
    name: 'whoever looks does not go on from a dead holder',
    file: 'lua/queue-poll.lua',
    right: 'local held = holder() or handOver(client)',
    wrong: "local held = holder() or 'nobody:0'",
    noticedBy: 'scripts',
  },
  {
    name: 'a deadline counted from the reply, not from before the request',
    file: 'queue/line.ts',
    right: 'this.#answered(reply, sentAtMs, request.ttlMs)',
    wrong: 'this.#answered(reply, alarms.clock.now(), request.ttlMs)',
    noticedBy: 'scenarios',
  },
  {
    name: 'a lease as long as its caller wishes, not as Redis was asked for',
    file: 'queue/line.ts',
    right: 'const terms = { ttlMs: askedTtlMs,',
    wrong: 'const terms = { ttlMs: first?.ttlMs ?? askedTtlMs,',
    noticedBy: 'scenarios',
  },
  {
    name: 'an answer to an earlier question is believed',
    file: 'queue/line.ts',
    right: 'if (attempt === this.#attempt) this.#answered(',
    wrong: 'this.#answered(',
    noticedBy: 'model',
  },
  {
    name: 'a grant that is past its deadline is passed on',
    file: 'queue/line.ts',
    right: '    if (!turn.hold.isHeld()) return;\n',
    wrong: '',
    noticedBy: 'scenarios',
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
    right: 'Math.max(this.last + 1, clockUs)',
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
];
