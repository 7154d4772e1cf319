-- What the scripts of the queue lock have in common. Each script is sent as one text: the settings, token-memory.lua, this, the
-- script itself.
--
-- KEYS[1] the lock, a hash of one field: the id of the holder, and its token. As long as nobody waits, the field is the
--   bare id, and the holder releases the lock without a script: HDEL compares and deletes. A field with '!' after the id
--   is released by scripts only: others wait, or may.
-- KEYS[2] the queue: the ids of the waiters, by the time of their arrival in microseconds
-- KEYS[3] the clients that wait, by the time in milliseconds until when they count as alive
-- KEYS[4] the last token of this name that was given away, or reserved by the holder to give away itself
-- All keys of one name are in the same hash tag.
--
-- Settings, each of them of the client that sends the script: channelPrefix; staleMs, how long it may be silent before
-- it counts as dead; queueMemoryMs, tokenMemoryMs, how long the queue is remembered without use, and the last token after
-- its lease; countsReceivers, whether a server knows all who subscribe (not in a cluster: a node knows only its own).
--
-- An id is "<client>/<TTL in ms>:<number>", or "<client>/<TTL in ms>~<number>" if as the holder it wants to be told when
-- somebody asks. The TTL is how long it wants to have the lock when it becomes the holder.

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

local largestToken = 9007199254740991 -- 2^53 - 1: beyond it a double, here as in JavaScript, cannot count any more

local nowUs
local function readClock()
  if not nowUs then
    nowUs = clockUs()
  end
end

-- Written out in full: Lua would print 1.8e+15.
local function digits(number)
  return string.format('%.0f', number)
end

-- Up to which token a holder may give away tokens by itself in that time: as many as microseconds will have passed by
-- then, so that the tokens are never ahead of the clock. A few more are for the case that its first token is ahead of the
-- clock already.
local function reservation(token, ttlMs)
  return math.min(math.max(nowUs + ttlMs * 1000, token + 1000), largestToken)
end

-- ttlMs: what is left of its lease.
local function remember(token, ttlMs)
  redis.call('SET', KEYS[4], digits(token), 'PX', memoryMs(token, tokenMemoryMs + ttlMs, nowUs))
end

-- The token is minted here, in the same step: larger than the last one, and than the clock, so that it is larger also
-- when the memory of the last one is lost.
-- Returns the token and the last reserved one, the same without reserve.
local function take(id, ttlMs, tokenAbove, reserve)
  readClock()
  local token = math.max(nowUs, tokenAbove + 1)
  local reserved = reserve and reservation(token, ttlMs) or token
  local asked = tokenMemoryMs + ttlMs
  local last = redis.call('SET', KEYS[4], digits(reserved), 'PX', memoryMs(reserved, asked, nowUs), 'GET')
  if last and tonumber(last) >= token then
    -- The clock was set back, or the last one was ahead of it.
    token = last + 1
    if token > largestToken then
      error('no larger token is left for this lock')
    end
    reserved = reserve and reservation(token, ttlMs) or token
    remember(reserved, ttlMs)
  end
  setHolder(id, digits(token), ttlMs)
  return token, reserved
end

-- Client, TTL, kind and number of an id; nothing if it is not one of ours.
local function parse(id)
  return string.match(id, '^(.*)/(%d+)([:~])(%d+)$')
end

local function tell(client, number, what, more)
  redis.call('PUBLISH', channelPrefix .. client, what .. ' ' .. number .. ' ' .. (more or '') .. KEYS[1])
end

-- Whether it would hear of a grant, and take it. Asked before it is made the holder, and before anything is sent: what
-- has been sent may be heard, whatever number of receivers PUBLISH tells. (To a replica, for instance, it is passed on.)
local function isAlive(client)
  local aliveUntilMs = redis.call('ZSCORE', KEYS[3], client)
  if not aliveUntilMs or aliveUntilMs * 1000 < nowUs then
    return false
  end
  return not countsReceivers or redis.call('PUBSUB', 'NUMSUB', channelPrefix .. client)[2] > 0
end

-- Nobody else is served while a script runs: so many of the dead take it some hundredths of a second.
local mostPassedOver = 5000

-- The first waiter who is alive, taken from the queue, and so are all before it.
-- id: the first waiter of all, taken from the queue already
local function nextAlive(id, here)
  local alive = {}
  local passedOver = 0
  while id do
    local client, ttlMs, _, number = parse(id)
    if client then
      if id == here or client == here then
        return id, ttlMs
      end
      if alive[client] == nil then
        alive[client] = isAlive(client)
      end
      if alive[client] then
        return id, ttlMs, client, number
      end
    end
    passedOver = passedOver + 1
    if passedOver == mostPassedOver then
      return nil
    end
    id = redis.call('ZPOPMIN', KEYS[2])[1]
  end
end

-- The lock is free, or its holder gives it up: makes the first waiter who is alive its holder for as long as that one
-- wants it, and tells it all that it needs to begin. A client that is dead or cut off is passed over; it comes back with
-- its old place. A token is minted for one waiter only, the holder.
-- last: the last token that was given away, where the memory of it may be ahead of that; nil or false: as remembered.
-- here: the client, or the id, that reads the reply of this script and needs no telling.
-- id: the first waiter, if it was taken from the queue already.
-- Message: granted <number> <token> <last reserved token> <time in microseconds> <TTL in ms> <waiters> <KEYS[1]>
-- Returns "<id> <token>" of the new holder; nil: the lock is free now. Second: whether others may still be waiting for
-- it, behind more of the dead than can be passed over at once. The next one to look goes on from there.
local function handOver(last, here, id)
  readClock()
  local ttlMs, client, number
  id, ttlMs, client, number = nextAlive(id or redis.call('ZPOPMIN', KEYS[2])[1], here)
  if not id then
    if last then
      remember(tonumber(last), 0)
    end
    redis.call('DEL', KEYS[1])
    if redis.call('EXISTS', KEYS[2]) == 1 then
      return nil, true
    end
    redis.call('UNLINK', KEYS[3])
    return nil
  end
  local token = math.max(nowUs, (last or redis.call('GET', KEYS[4]) or 0) + 1)
  local written = digits(token)
  local reserved = reservation(token, ttlMs)
  setHolder(id, written, ttlMs)
  remember(reserved, ttlMs)
  if client then
    local now = token == nowUs and written or digits(nowUs)
    local waiters = redis.call('ZCARD', KEYS[2])
    tell(client, number, 'granted', written .. ' ' .. digits(reserved) .. ' ' .. now .. ' ' .. ttlMs .. ' ' .. waiters .. ' ')
  end
  return id .. ' ' .. written
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

-- A waiter who was in the queue before (its entry lost, its grant missed) brings the place that it had.
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
