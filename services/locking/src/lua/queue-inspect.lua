-- ARGV[1] how many waiters to list at most
-- Reply: {"<id of the holder> <its token>" or '', what is left of its TTL in ms, waiters, {ids of the first waiters}}
local held = readHolder() or ''
local waiters = redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1)
return {held, redis.call('PTTL', KEYS[1]), redis.call('ZCARD', KEYS[2]), waiters}
