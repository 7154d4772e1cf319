-- First round: takes the lock on this server if it is free here, and tells what this server knows about tokens.
-- KEYS[1] the lock   KEYS[2] the last token of this name, a space, and the id that minted it
-- ARGV[1] unique id  ARGV[2] TTL in ms  ARGV[3] memory of the token in ms
-- Reply: {1, largest token that is refused here, clock of this server in us}, or {0, id of the holder}
local now = redis.call('TIME')
local clockUs = tonumber(now[1]) * 1000000 + tonumber(now[2])
local last = tonumber(string.match(redis.call('GET', KEYS[2]) or '0', '^%d+'))
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  -- From now on this server refuses tokens below its clock. It may have forgotten a holder who came while this question was
  -- on its way; the token of that one is below the clock.
  if last < clockUs then
    last = clockUs
    redis.call('SET', KEYS[2], string.format('%.0f ', last), 'PX', ARGV[3])
  end
else
  local holder = redis.call('GET', KEYS[1])
  if holder ~= ARGV[1] then
    return {0, holder}
  end
  -- Sent again after a lost reply: it is ours.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return {1, last, clockUs}
