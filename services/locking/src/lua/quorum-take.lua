-- First round: takes the lock on this server if it is free here, and tells what this server knows about tokens.
-- KEYS[1] the lock   KEYS[2] the last token of this name, a space, and the id that minted it
-- ARGV[1] unique id  ARGV[2] TTL in ms
-- Reply: {1, last token or 0, clock of this server in us}, or {0, id of the holder}
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local holder = redis.call('GET', KEYS[1])
  if holder ~= ARGV[1] then
    return {0, holder}
  end
  -- Sent again after a lost reply: it is ours.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
local last = string.match(redis.call('GET', KEYS[2]) or '0', '^%d+')
local now = redis.call('TIME')
return {1, tonumber(last), tonumber(now[1]) * 1000000 + tonumber(now[2])}
