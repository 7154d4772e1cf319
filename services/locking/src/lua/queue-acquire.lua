-- Takes the lock if it is free and nobody waits, otherwise takes a place in the queue. Sent again with the same id it
-- answers the same: also to a holder who has just been told, whose answer to that this is.
-- ARGV[1] id  ARGV[2] TTL in ms  ARGV[3] the token must be larger than this  ARGV[4] '1': take a place in the queue
-- ARGV[5] the place that it had before, or ''  ARGV[6] '1': reserve tokens to give away
-- Reply: {1, token, last reserved token, time in us, waiters}
--     or {2, id of the holder, what is left of its TTL in ms, own place or -1, waiters before it}
local id, ttlMs, tokenAbove, reserves = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[6] == '1'
local held, token = holder()

if held == id and token then
  readClock()
  redis.call('PEXPIRE', KEYS[1], ttlMs)
  local reserved = reserves and reservation(token, ttlMs) or token
  remember(reserved)
  return {1, token, reserved, nowUs, redis.call('ZCARD', KEYS[2])}
end
if held == id or (not held and redis.call('EXISTS', KEYS[2]) == 0) then
  return take(id, ttlMs, tokenAbove, reserves)
end

local place = ARGV[4] == '1' and enqueue(id, ARGV[5]) or -1
if not held then
  -- The holder died, and others wait.
  held = handOver(id)
  if held == id or not held then
    return take(id, ttlMs, tokenAbove, reserves)
  end
else
  local client, kind, number = parse(held)
  if kind == '~' then
    tell(client, number, 'asked ')
  end
end
return {2, held, redis.call('PTTL', KEYS[1]), place, place ~= -1 and redis.call('ZRANK', KEYS[2], id) or -1}
