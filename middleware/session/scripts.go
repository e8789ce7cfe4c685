package session

import "github.com/redis/go-redis/v9"

// A session is one hash, session:{<id>}: count, owner (the fencing token of the
// connection that may count) and attempt (the newest connect of its client).
// Both scripts may be sent again with the same arguments: the second time
// changes nothing.

// claimScript makes the caller the owner.
//
//	KEYS[1] session   ARGV owner, attempt or "", TTL in ms
//
// It returns {count, existed, attempt}; {-1} when the attempt is not newer.
// Attempts are compared as digits: Lua's numbers are exact to 2^53 only.
func claimScript() *redis.Script {
	return redis.NewScript(`
local s = redis.call('HMGET', KEYS[1], 'count', 'owner', 'attempt')
local owner, attempt, stored = ARGV[1], ARGV[2], s[3] or ''
if s[2] ~= owner and attempt ~= '' then
  if #attempt < #stored or (#attempt == #stored and attempt <= stored) then return {-1} end
end
local existed = 0
if s[1] and (s[2] ~= owner or s[1] ~= '0') then existed = 1 end
if attempt ~= '' and s[2] ~= owner then stored = attempt end
redis.call('HSET', KEYS[1], 'owner', owner, 'count', s[1] or '0')
if stored ~= '' then redis.call('HSET', KEYS[1], 'attempt', stored) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {s[1] or '0', existed, stored}
`)
}

// commitScript stores a count for its owner. It repairs a session that Redis
// lost, while its connection lives: one that has ended must not, since a newer
// one may be alive. And it takes a session back from an older attempt, which can
// only have become the owner because Redis lost the newer claim.
//
//	KEYS[1] session   ARGV owner, count, attempt or "", TTL in ms, "1" if the connection lives
//
// It returns 1, or 0 when another connection owns the session. A count lower
// than the stored one is an older commit that was stuck on its way: it changes
// nothing.
func commitScript() *redis.Script {
	return redis.NewScript(`
local s = redis.call('HMGET', KEYS[1], 'owner', 'count', 'attempt')
local attempt, stored = ARGV[3], s[3]
if s[1] == ARGV[1] then
  if tonumber(ARGV[2]) > tonumber(s[2] or '-1') then redis.call('HSET', KEYS[1], 'count', ARGV[2]) end
elseif ARGV[5] ~= '1' then
  if s[1] then return 0 end
  return 1
elseif (not s[1] and not s[2]) or (stored and (#attempt > #stored or (#attempt == #stored and attempt > stored))) then
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'count', ARGV[2])
  if attempt ~= '' then redis.call('HSET', KEYS[1], 'attempt', attempt) end
else
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
`)
}
