-- Compare and extend: only the holder can, and a lock that is gone stays gone.
-- KEYS[1] the lock   KEYS[2] the last token of this name
-- ARGV[1] unique id  ARGV[2] new TTL in ms  ARGV[3] memory of the token in ms
-- Reply: 1 extended; 0 nobody holds it; otherwise the id of another holder
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  -- The token is remembered from the end of the longest lease on, not from its beginning.
  -- One that is ahead of the clock: at least until the clock has passed it, and a second more.
  local token = tonumber(string.match(redis.call('GET', KEYS[2]) or '0', '^%d+'))
  local time = redis.call('TIME')
  local aheadMs = math.ceil((token - (time[1] * 1000000 + time[2])) / 1000)
  redis.call('PEXPIRE', KEYS[2], aheadMs > 0 and math.max(ARGV[3], aheadMs + 1000) or ARGV[3])
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return holder or 0
