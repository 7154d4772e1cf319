-- Stands before each script that writes the last token of a name.

local function clockUs()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- How long a token is remembered: so long as is asked for, and one that is ahead of the clock at least until the clock has
-- passed it, and a second more: until then nothing else makes the next one larger.
local function memoryMs(token, askedMs, nowUs)
  local aheadMs = token > nowUs and math.ceil((token - nowUs) / 1000) + 1000 or 0
  return math.max(askedMs, aheadMs, 1)
end
