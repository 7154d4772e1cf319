-- What the queue's scripts have in common. Each script is sent as one text: a line that sets what follows here as
-- settings, then the script, in which a line "-- include <file>" stands for that file. (What every call executes comes
-- first in a script, what only some need comes after it: defining a function costs time too.)
--
-- KEYS[1] the lock: "<id>" of a holder who was told and has not answered yet, "<id> <token>" of one who has
-- KEYS[2] the queue: the ids of the waiters, by the time of their arrival in microseconds
-- KEYS[3] the clients that wait, by their last sign of life in milliseconds
-- KEYS[4] the last token of this name that was given away, or reserved by the holder to give away itself
--
-- Settings: channelPrefix; claimMs, how long a new holder may take to answer; staleMs, how long a client may be silent
-- before it counts as dead; queueMemoryMs, tokenMemoryMs, how long queue and last token are remembered without use;
-- countsReceivers, whether PUBLISH tells the number of all receivers (not in a cluster: a node counts only its own).
--
-- An id is "<client>:<number>", or "<client>~<number>" if as a holder it wants to be told when somebody asks.
-- All keys of one name are in the same hash tag.

local function remember(token)
  redis.call('SET', KEYS[4], digits(token), 'PX', tokenMemoryMs)
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

-- Takes the lock, and tells all about it.
local function grant(id, ttlMs, tokenAbove, reserve)
  local token, reserved = take(id, ttlMs, tokenAbove, reserve)
  if not token then
    return exhausted()
  end
  return {1, token, reserved, nowUs, redis.call('ZCARD', KEYS[2])}
end

-- The answer to a holder who asks again, since the first answer was lost.
local function grantAgain(token, ttlMs, reserve)
  readClock()
  redis.call('PEXPIRE', KEYS[1], ttlMs)
  local reserved = reserve and reservation(token, ttlMs) or token
  remember(reserved)
  return {1, token, reserved, nowUs, redis.call('ZCARD', KEYS[2])}
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
  redis.call('ZADD', KEYS[3], math.floor(nowUs / 1000), (parse(id)))
  redis.call('PEXPIRE', KEYS[2], queueMemoryMs)
  redis.call('PEXPIRE', KEYS[3], queueMemoryMs)
  return arrival
end

-- The lock is free, or its holder gives it up: makes the first waiter who is alive its holder, and tells it; or leaves
-- the lock free if there is none. The new holder has claimMs to answer; if it does not, the lock expires, and the next
-- one to look goes on from there.
-- A client whose channel nobody listens to is dead or cut off, and is passed over at once where receivers can be
-- counted. It comes back with its old place.
-- here: the client, or the id, that reads the reply of this script and needs no telling.
-- id: the first waiter, if it was taken from the queue already.
local function handOver(here, id)
  readClock()
  local deaf = {}
  while true do
    id = id or redis.call('ZPOPMIN', KEYS[2])[1]
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
    if sign and sign * 1000 >= nowUs - staleMs * 1000 then
      redis.call('SET', KEYS[1], id, 'PX', claimMs)
      if tell(client, number, 'granted ') > 0 or not countsReceivers then
        return id
      end
      deaf[client] = true
    end
    id = nil
  end
end
