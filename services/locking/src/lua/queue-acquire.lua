-- Takes the lock if it is free and nobody waits, otherwise takes a place in the queue. Sent again with the same id it
-- answers the same: also to a holder who has just been told, whose answer to that this is.
-- ARGV[1] id  ARGV[2] TTL in ms  ARGV[3] the token must be larger than this
-- ARGV[4] '': take no place in the queue; '0': take one; otherwise the place that it had before
-- ARGV[5] '1': reserve tokens to give away
-- Reply: the token, the time in microseconds, if the lock was free, nobody waits, and no tokens are reserved
--     or {1, token, last reserved token, time in microseconds, waiters}
--     or {2, id of the holder, what is left of its TTL in ms, own place or -1, waiters before it}
-- include queue-take.lua
local id, ttlMs, tokenAbove, reserve = ARGV[1], ARGV[2], ARGV[3], ARGV[5] == '1'
if redis.call('EXISTS', KEYS[1], KEYS[2]) == 0 then
  local token, reserved = take(id, ttlMs, tokenAbove, reserve)
  if token == nowUs and not reserve then
    return token
  end
  return token and {1, token, reserved, nowUs, 0} or exhausted()
end

-- include queue-shared.lua
local held, token = holder()
if held == id then
  return token and grantAgain(token, ttlMs, reserve) or grant(id, ttlMs, tokenAbove, reserve)
end

local place = ARGV[4] ~= '' and enqueue(id, ARGV[4]) or -1
if not held then
  -- The holder died, and others wait.
  held = handOver(id)
  if held == id or not held then
    return grant(id, ttlMs, tokenAbove, reserve)
  end
else
  local client, kind, number = parse(held)
  if kind == '~' then
    tell(client, number, 'asked ')
  end
end
return {2, held, redis.call('PTTL', KEYS[1]), place, place ~= -1 and redis.call('ZRANK', KEYS[2], id) or -1}
