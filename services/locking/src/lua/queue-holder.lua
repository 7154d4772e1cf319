-- Who holds the lock. See queue-shared.lua for keys and ids.

-- "<id> <token>", or what somebody else has written there; nil if nobody holds it.
-- Second: whether nobody waits, as far as the holder knows, so that it would end the lock by itself.
local function readHolder()
  local field = redis.pcall('HGETALL', KEYS[1])
  if field.err then
    return redis.call('GET', KEYS[1])
  end
  local id, token = field[1], field[2]
  if not id then
    return nil
  elseif string.sub(id, -1) == '!' then
    return string.sub(id, 1, -2) .. ' ' .. token
  end
  return id .. ' ' .. token, true
end

-- Somebody waits from now on, or may.
local function setHolder(id, token, ttlMs)
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], id .. '!', token)
  redis.call('PEXPIRE', KEYS[1], ttlMs)
end
