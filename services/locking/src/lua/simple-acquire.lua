-- Takes a free lock and mints the fencing token of its new holder.
-- KEYS[1] the lock   KEYS[2] the last token of this name
-- ARGV[1] unique id  ARGV[2] TTL in ms  ARGV[3] the token must be larger than this  ARGV[4] memory of the token in ms
-- ARGV[5] 'steal' to take it from whoever holds it, otherwise ''
-- Reply: {1, token}, or {0, id of the holder}
if ARGV[5] == 'steal' then
  redis.call('DEL', KEYS[1])
end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local holder = redis.call('GET', KEYS[1])
  if holder ~= ARGV[1] then
    return {0, holder}
  end
  -- Sent again after a lost reply: it is ours, with the token that was minted then.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  local minted = redis.call('GET', KEYS[2])
  if minted and tonumber(minted) > tonumber(ARGV[3]) then
    return {1, tonumber(minted)}
  end
end

-- Larger than the last one, and than the clock: when the memory of the last one is gone, time has passed since.
local nowUs = clockUs()
local token = math.max(
  nowUs,
  tonumber(redis.call('GET', KEYS[2]) or 0) + 1,
  tonumber(ARGV[3]) + 1)
-- Printed with %.0f: Lua would write so large a number as 1.8e+15.
redis.call('SET', KEYS[2], string.format('%.0f', token), 'PX', memoryMs(token, ARGV[4], nowUs))
return {1, token}
