-- Compare and extend: only the holder can, and a lock that is gone stays gone.
-- KEYS[1] the lock   KEYS[2] the last token of this name
-- ARGV[1] unique id  ARGV[2] new TTL in ms  ARGV[3] memory of the token in ms
-- Reply: 1 extended; 0 nobody holds it; otherwise the id of another holder
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  -- The token is remembered from the end of the longest lease on, not from its beginning.
  local token = tonumber(string.match(redis.call('GET', KEYS[2]) or '0', '^%d+'))
  redis.call('PEXPIRE', KEYS[2], memoryMs(token, ARGV[3], clockUs()))
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return holder or 0
