-- What the queue's scripts have in common. Each script is sent as one text: a line that sets what follows here as
-- settings, then the script, in which a line "-- include <file>" stands for that file. (What every call executes comes
-- first in a script, what only some need comes after it: defining a function costs time too.)
--
-- KEYS[1] the lock, a hash of one field: the id of the holder, and its token. As long as nobody waits, the field is the
--   bare id, and the holder ends the lock without a script: HDEL compares and deletes. A field with '!' after the id is
--   ended by scripts only: others wait, or may.
-- KEYS[2] the queue: the ids of the waiters, by the time of their arrival in microseconds
-- KEYS[3] the clients that wait, by the time in milliseconds until when they count as alive
-- KEYS[4] the last token of this name that was given away, or reserved by the holder to give away itself
--
-- Settings, each of them of the client that sends the script: channelPrefix; staleMs, how long it may be silent before
-- it counts as dead; queueMemoryMs, tokenMemoryMs, how long the queue is remembered without use, and the last token after
-- its lease; countsReceivers, whether a server knows all who subscribe (not in a cluster: a node knows only its own).
--
-- An id is "<client>/<TTL in ms>:<number>", or "<client>/<TTL in ms>~<number>" if as a holder it wants to be told when
-- somebody asks. The TTL is how long it wants to have the lock when its turn comes.
-- All keys of one name are in the same hash tag.

local function remember(token, ttlMs)
  redis.call('SET', KEYS[4], digits(token), 'PX', tokenMemoryMs + ttlMs)
end

-- The token, if that id is the holder.
local function tokenOf(id, held)
  if held and string.sub(held, 1, #id + 1) == id .. ' ' then
    return tonumber(string.sub(held, #id + 2))
  end
  return nil
end

-- Takes the lock, and tells all about it.
local function grant(id, ttlMs, tokenAbove, reserve)
  local token, reserved = take(id, ttlMs, tokenAbove, reserve)
  return {1, token, reserved, nowUs, redis.call('ZCARD', KEYS[2])}
end

-- The answer to a holder who asks: it was handed the lock, or the first answer was lost. It takes nothing away, neither
-- time nor tokens: a question that was believed to be lost may be executed long after the holder has begun.
local function grantAgain(id, token, ttlMs, tokenAbove, reserve)
  if token <= tonumber(tokenAbove) then
    return grant(id, ttlMs, tokenAbove, reserve)
  end
  readClock()
  local leftMs = redis.call('PTTL', KEYS[1])
  if leftMs < tonumber(ttlMs) then
    redis.call('PEXPIRE', KEYS[1], ttlMs)
  end
  local reserved = math.max(redis.call('GET', KEYS[4]) or 0, reserve and reservation(token, ttlMs) or token)
  remember(reserved, math.max(leftMs, ttlMs))
  return {1, token, reserved, nowUs, redis.call('ZCARD', KEYS[2])}
end

-- Tells a holder that another client asks for the lock: one who wants to know, and one who would end it by itself.
local function tellHolder(held, asking, alone)
  local id, token = string.match(held, '^(.*) (%d+)$')
  local client, _, kind, number = parse(id or held)
  if alone then
    -- In this order: a hash without a field is gone, and its expiry with it.
    redis.call('HSET', KEYS[1], id .. '!', token)
    redis.call('HDEL', KEYS[1], id)
  end
  if client and (alone or (kind == '~' and client ~= asking)) then
    tell(client, number, 'asked')
  end
end

-- A sign of life. Others may be patient for longer, with whoever waits for them.
local function keepWaiting(client)
  -- If this is no token, the lock cannot be handed over: whoever waits is told so, not that somebody holds it.
  redis.call('GET', KEYS[4])
  redis.call('ZADD', KEYS[3], math.floor(nowUs / 1000) + staleMs, client)
  for key = 2, 3 do
    if redis.call('PTTL', KEYS[key]) < tonumber(queueMemoryMs) then
      redis.call('PEXPIRE', KEYS[key], queueMemoryMs)
    end
  end
end

-- A waiter who was in the queue before (its entry lost, its turn missed) brings the place that it had.
local function enqueue(id, place)
  readClock()
  local arrival = tonumber(place)
  if arrival == 0 then
    local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
    arrival = math.max(nowUs, (last[2] or 0) + 1)
  end
  if redis.call('ZADD', KEYS[2], 'NX', digits(arrival), id) == 0 then
    arrival = tonumber(redis.call('ZSCORE', KEYS[2], id))
  end
  keepWaiting((parse(id)))
  return arrival
end
