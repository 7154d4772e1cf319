-- How somebody becomes the holder of a free lock. See queue-shared.lua for keys, ids and settings; needs
-- queue-holder.lua.

local largestToken = 9007199254740991 -- 2^53 - 1: beyond it a double, here as in JavaScript, cannot count any more

local nowUs
local function readClock()
  if not nowUs then
    local time = redis.call('TIME')
    nowUs = time[1] * 1000000 + time[2]
  end
end

-- Written out in full: Lua would print 1.8e+15.
local function digits(number)
  return string.format('%.0f', number)
end

-- Up to which token a holder may give away tokens by itself in that time: as many as the clock will have passed by
-- then, so that it can give one each microsecond and the tokens still do not outrun the clock. A few more are for the
-- case that its first token is ahead of the clock already.
local function reservation(token, ttlMs)
  return math.min(math.max(nowUs + ttlMs * 1000, token + 1000), largestToken)
end

-- The token is minted here, in the same step: larger than the last one, and than the clock, so that it is larger also
-- when the memory of the last one is lost.
-- Returns the token and the last reserved one, the same without reserve.
local function take(id, ttlMs, tokenAbove, reserve)
  readClock()
  local token = math.max(nowUs, tokenAbove + 1)
  local reserved = reserve and reservation(token, ttlMs) or token
  local last = redis.call('SET', KEYS[4], digits(reserved), 'PX', tokenMemoryMs + ttlMs, 'GET')
  if last and tonumber(last) >= token then
    -- The clock was set back, or the last one was ahead of it.
    token = last + 1
    if token > largestToken then
      error('no larger token is left for this lock')
    end
    reserved = reserve and reservation(token, ttlMs) or token
    redis.call('SET', KEYS[4], digits(reserved), 'PX', tokenMemoryMs + ttlMs)
  end
  setHolder(id, digits(token), ttlMs)
  return token, reserved
end
