-- Takes the lock if it is free and nobody waits, otherwise takes a place in the queue. Sent again with the same id it
-- answers the same; so it does to a waiter who was made the holder and did not hear of it.
-- ARGV[1] id  ARGV[2] TTL in ms, and unless it is '0', '0' and '' that follows:
-- ARGV[3] the token must be larger than this
-- ARGV[4] '': take no place in the queue; '0': take one; otherwise the place that it had before
-- ARGV[5] '1': reserve tokens to give away
-- Reply: the token, if the lock was free, nobody waits, no tokens are reserved, and it is the time in microseconds
--     or {1, token, last reserved token, time in microseconds, waiters}
--     or {2, "<id of the holder> <its token>", what is left of its TTL in ms, own place or -1, waiters before it}
--         where '' stands for the holder: see queue-poll.lua
local free = redis.call('EXISTS', KEYS[1], KEYS[2]) == 0
if free and not ARGV[3] then
  -- Nearly always it is this case, so it is short: a lock that nobody else wants should cost no more than a simple lock.
  local time = redis.call('TIME')
  local written = time[1] .. string.sub('00000' .. time[2], -6)
  local token = tonumber(written)
  local last = redis.call('SET', KEYS[4], written, 'PX', tokenMemoryMs + ARGV[2], 'GET')
  if not last or tonumber(last) < token then
    redis.call('HSET', KEYS[1], ARGV[1], written)
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return token
  end
  redis.call('SET', KEYS[4], last, 'PX', tokenMemoryMs + ARGV[2])
end

local id, ttlMs, tokenAbove, reserve = ARGV[1], ARGV[2], ARGV[3] or '0', ARGV[5] == '1'
if free then
  local token, reserved = take(id, ttlMs, tokenAbove, reserve)
  return {1, token, reserved, nowUs, 0}
end

local held, alone = readHolder()
local token = tokenOf(id, held)
if token then
  return grantAgain(id, token, ttlMs, tokenAbove, reserve)
end

local place = ARGV[4] ~= '' and enqueue(id, ARGV[4] or '0') or -1
if held then
  -- A caller that only tries does not end the linger of a holder.
  if place ~= -1 then
    tellHolder(held, parse(id), alone)
  end
else
  -- The holder died, and others wait.
  local behind
  held, behind = handOver(nil, id)
  token = tokenOf(id, held)
  if token then
    return grantAgain(id, token, ttlMs, tokenAbove, reserve)
  elseif not held and not behind then
    return grant(id, ttlMs, tokenAbove, reserve)
  end
end
return {2, held or '', redis.call('PTTL', KEYS[1]), place, place ~= -1 and redis.call('ZRANK', KEYS[2], id) or -1}
