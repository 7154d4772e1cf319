-- Stands before each of the queue's scripts, after a line that sets: channelPrefix, claimMs (how long a new holder may
-- take to answer), staleMs (a client that has given no sign of life for so long counts as dead), queueMemoryMs,
-- tokenMemoryMs (how long queue and last token are remembered without use), countsReceivers (see handOver).
--
-- KEYS[1] the lock: "<id>" of a holder who was told and has not answered yet, "<id> <token>" of one who has
-- KEYS[2] the queue: the ids of the waiters, by the time of their arrival in microseconds
-- KEYS[3] the clients that wait, by their last sign of life in milliseconds
-- KEYS[4] the last token of this name that was given away, or reserved by the holder to give away itself
--
-- An id is "<client>:<number>", or "<client>~<number>" if as a holder it wants to be told when somebody asks.
-- All scripts of one name have the same keys in the same hash tag.

local largestToken = 9007199254740991 -- 2^53 - 1: beyond it a double, here as in JavaScript, cannot count any more

local nowUs, nowMs
local function readClock()
  local time = redis.call('TIME')
  nowUs = tonumber(time[1]) * 1000000 + tonumber(time[2])
  nowMs = math.floor(nowUs / 1000)
end

-- Written out in full: Lua would print 1.8e+15.
local function digits(number)
  return string.format('%.0f', number)
end

local function holder()
  local held = redis.call('GET', KEYS[1])
  if not held then
    return nil
  end
  local id, token = string.match(held, '^(.*) (%d+)$')
  return id or held, tonumber(token)
end

local function parse(id)
  return string.match(id, '^(.*)([:~])(%w+)$')
end

local function tell(client, number, what)
  return redis.call('PUBLISH', channelPrefix .. client, what .. number .. ' ' .. KEYS[1])
end

local function remember(token)
  redis.call('SET', KEYS[4], digits(token), 'PX', tokenMemoryMs)
end

-- Up to which token the holder may give away by itself for the time of its lease: as many as the clock will have
-- passed by then, so that it can give one each microsecond and the tokens still do not outrun the clock. A few more
-- are for the case that its first token is ahead of the clock already.
local function reservation(token, ttlMs)
  return math.min(math.max(nowUs + ttlMs * 1000, token + 1000), largestToken)
end

-- Makes the caller the holder. Its token is minted here, in the same step: larger than the last one, and than the
-- clock, so that it is larger also when the memory of the last one is lost.
local function take(id, ttlMs, tokenAbove, reserves)
  readClock()
  local last = tonumber(redis.call('GET', KEYS[4]) or 0)
  local token = math.max(nowUs, last + 1, tokenAbove + 1)
  if token > largestToken then
    return redis.error_reply('ERR no token larger than ' .. digits(last) .. ' is left for this lock')
  end
  local reserved = reserves and reservation(token, ttlMs) or token
  remember(reserved)
  redis.call('SET', KEYS[1], id .. ' ' .. digits(token), 'PX', ttlMs)
  return {1, token, reserved, nowUs, redis.call('ZCARD', KEYS[2])}
end

-- A waiter who was in the queue before (its entry lost, its turn missed) brings the place that it had.
local function enqueue(id, place)
  readClock()
  local arrival = tonumber(place)
  if not arrival then
    local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
    arrival = math.max(nowUs, tonumber(last[2] or 0) + 1)
  end
  if redis.call('ZADD', KEYS[2], 'NX', digits(arrival), id) == 0 then
    arrival = tonumber(redis.call('ZSCORE', KEYS[2], id))
  end
  redis.call('ZADD', KEYS[3], nowMs, (parse(id)))
  redis.call('PEXPIRE', KEYS[2], queueMemoryMs)
  redis.call('PEXPIRE', KEYS[3], queueMemoryMs)
  return arrival
end

-- The lock is free: makes the first waiter who is alive its holder, and tells it; or leaves the lock free if there is
-- none. It has claimMs to answer; if it does not, the lock expires and the next one to look goes on from there.
-- A client whose channel nobody listens to is dead or cut off: it is passed over at once where the number of
-- receivers can be relied on (not in a cluster, whose nodes count only their own). It comes back with its old place.
-- here: the client, or the id, that reads the reply of this script and needs no telling.
local function handOver(here)
  readClock()
  local deaf = {}
  while true do
    local id = redis.call('ZPOPMIN', KEYS[2])[1]
    if not id then
      redis.call('DEL', KEYS[1], KEYS[3])
      return nil
    end
    local client, _, number = parse(id)
    if id == here or client == here then
      redis.call('SET', KEYS[1], id, 'PX', claimMs)
      return id
    end
    local sign = not deaf[client] and redis.call('ZSCORE', KEYS[3], client)
    if sign and tonumber(sign) >= nowMs - staleMs then
      redis.call('SET', KEYS[1], id, 'PX', claimMs)
      if tell(client, number, 'granted ') > 0 or not countsReceivers then
        return id
      end
      deaf[client] = true
    end
  end
end
