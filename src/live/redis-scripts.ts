/**
 * The scripts that run in Redis, each as one step that nobody sees half done. They derive the
 * keys of users and sessions from what lies there, so they need one Redis, not a cluster.
 */
import { type CommandParser, defineScript } from 'redis';

/** The time of Redis, by which values expire; and the first line of a value, decoded. */
const COMMON = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function header(value)
  if not value then return nil end
  local isRead, fields = pcall(cjson.decode, string.sub(value, 1, string.find(value, '\\n', 1, true)))
  if isRead then return fields end
end
`;

/**
 * Writes values whose position is higher than that of what lies there (or as high, while a
 * partition is being filled), tells them, and makes room for as many that have expired. With
 * \`expected\`, the position up to which the partition was published before, it moves that position
 * on: 1 when it did, 0 when a higher one lies there, -1 when a lower or none, -2 when not asked.
 */
const PUBLISH = `#!lua
${COMMON}
local ends, expiries, positions = KEYS[1], KEYS[2], KEYS[3]
local users, sessions, changes = ARGV[1], ARGV[2], ARGV[3]
local position, partition, ttlMs = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local expected, isFilling, indexTtlMs = ARGV[7], ARGV[8] == '1', tonumber(ARGV[9])
local function forget(userId)
  redis.call('ZREM', ends, userId)
  redis.call('ZREM', expiries, userId)
end
local nowMs = now()
local expiresMs = nowMs + ttlMs
local told = redis.call('PUBSUB', 'NUMSUB', changes)[2] > 0 and {} or nil
for _, userId in ipairs(redis.call('ZRANGEBYSCORE', expiries, '-inf', nowMs, 'LIMIT', 0, #ARGV)) do
  forget(userId)
end
for i = 10, #ARGV, 2 do
  local userId, value = ARGV[i], ARGV[i + 1]
  local before = header(redis.call('GET', users .. userId))
  if not before or before[1] < position or (isFilling and before[1] == position) then
    local after = header(value)
    redis.call('SET', users .. userId, value, 'PXAT', expiresMs)
    if after[8] then
      redis.call('ZADD', ends, after[4], userId)
      redis.call('ZADD', expiries, expiresMs, userId)
      redis.call('SET', sessions .. after[8], userId, 'PXAT', expiresMs)
    else
      forget(userId)
    end
    if before and before[8] and before[8] ~= after[8] then
      redis.call('DEL', sessions .. before[8])
    end
    if told then
      told[#told + 1] = #userId .. ' ' .. #value .. '\\n' .. userId .. value
    end
  end
end
redis.call('PEXPIREAT', ends, expiresMs)
redis.call('PEXPIREAT', expiries, expiresMs)
if told and #told > 0 then redis.call('PUBLISH', changes, table.concat(told)) end
if expected == '' then return -2 end
local current = redis.call('HGET', positions, partition)
if not current or tonumber(current) < tonumber(expected) then return -1 end
if current ~= expected then return 0 end
if position > tonumber(current) then redis.call('HSET', positions, partition, ARGV[4]) end
redis.call('PEXPIREAT', positions, nowMs + indexTtlMs)
return 1
`;

/**
 * Begins a filling, unless the partition is published further already (then 0): returns the time,
 * and leaves a token that is gone when Redis loses what it has, or when another filling begins.
 */
const BEGIN = `#!lua
${COMMON}
local partition, position, token, ttlMs = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local nowMs, current = now(), redis.call('HGET', KEYS[1], partition)
if current and tonumber(current) > position then return 0 end
redis.call('HSET', KEYS[1], 'filling:' .. partition, token)
redis.call('PEXPIREAT', KEYS[1], nowMs + ttlMs)
return nowMs
`;

/**
 * Users of a partition whose values, of those written until a filling began, are still at a lower
 * position; before them, how many were looked at.
 */
const STALE = `#!lua flags=no-writes
${COMMON}
local expiries, users, position = KEYS[1], ARGV[1], tonumber(ARGV[2])
local found = redis.call('ZRANGEBYSCORE', expiries, '-inf', ARGV[3], 'LIMIT', ARGV[4], ARGV[5])
local result = { #found }
for _, userId in ipairs(found) do
  local before = header(redis.call('GET', users .. userId))
  if not before or before[1] < position then result[#result + 1] = userId end
end
return result
`;

/** Says up to where a partition has been filled: 1; 0 when the token of its beginning is gone. */
const END = `#!lua
local partition, position, token = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HGET', KEYS[1], 'filling:' .. partition) ~= token then return 0 end
redis.call('HDEL', KEYS[1], 'filling:' .. partition)
redis.call('HSET', KEYS[1], partition, position)
return 1
`;

/**
 * Looks at so many users below a place, latest end first, and returns those that fit, up to a
 * limit: the place to go on from (nil when there is nothing further), then ids and values.
 */
const LIST = `#!lua flags=no-writes
${COMMON}
local ends, users = KEYS[1], ARGV[1]
local maxEndMs, afterEndMs, afterUser = ARGV[2], ARGV[3], ARGV[4]
local count, limit = tonumber(ARGV[5]), tonumber(ARGV[6])
local filter = cjson.decode(ARGV[7])
local function fits(found)
  return (not filter.minEvents or found[5] >= filter.minEvents)
    and (filter.hasCart == nil or (found[6] == 1) == filter.hasCart)
    and (filter.hasConversion == nil or (found[7] == 1) == filter.hasConversion)
    and (not filter.device or found[9] == filter.device)
end
local result, looked, offset = { false, false }, 0, 0
while true do
  local page = redis.call('ZREVRANGEBYSCORE', ends, maxEndMs, '-inf', 'WITHSCORES', 'LIMIT', offset, count)
  for i = 1, #page, 2 do
    local userId, endMs = page[i], page[i + 1]
    if endMs ~= afterEndMs or userId < afterUser then
      local value = redis.call('GET', users .. userId)
      local found = header(value)
      if found and found[8] and fits(found) then
        result[#result + 1] = userId
        result[#result + 1] = value
      end
      looked = looked + 1
      if looked == count or #result == 2 * limit + 2 then
        result[1], result[2] = endMs, userId
        return result
      end
    end
  end
  if #page < 2 * count then return result end
  offset = offset + count
end
`;

/** Values that have not expired. */
const SIZE = `#!lua flags=no-writes
${COMMON}
local nowMs, sum = now(), 0
for _, expiries in ipairs(KEYS) do
  sum = sum + redis.call('ZCOUNT', expiries, '(' .. string.format('%.0f', nowMs), '+inf')
end
return sum
`;

/** A script that is given its keys, then its arguments, as they are. */
function script<T>(text: string) {
  return defineScript({
    SCRIPT: text,
    parseCommand(
      parser: CommandParser,
      keys: readonly string[],
      values: readonly (string | Buffer)[],
    ) {
      parser.push(`${keys.length}`, ...keys, ...values);
    },
    transformReply: undefined as unknown as () => T,
  });
}

export const SCRIPTS = {
  publishLive: script<number>(PUBLISH),
  beginFilling: script<number>(BEGIN),
  findStale: script<(number | Buffer)[]>(STALE),
  endFilling: script<number>(END),
  listLive: script<(Buffer | null)[]>(LIST),
  countLive: script<number>(SIZE),
};
