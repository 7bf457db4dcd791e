-- A session that is paid from money put aside before: when it nears the end the driver is told, at the end it stops.
local notify = require "notify"

local HORIZON = 10             -- minutes: the warning comes when the money lasts no longer
local CREDIT = 100             -- smallest unit: so much may be owed, so that nobody is cut off for small change

local prepaid = {}

-- What a minute costs now: what the last ten cost, so idle fees and the night are in it.
local function per_minute(tx, cost)
  local before = tx.vars.cost_before or { at = tx.start, cost = 0 }
  local minutes = (now() - before.at) / 60
  if minutes >= 10 then tx.vars.cost_before = { at = now(), cost = cost } end
  return minutes > 0 and (cost - before.cost) / minutes or 0
end

-- `funds`: all that this session may spend. Called with every meter value.
function prepaid.watch(tx, funds)
  local price, err = tx:cost()
  if not price then return log.error("transaction %d has no price: %s", tx.id, err) end
  local left, rate = funds - price.total, per_minute(tx, price.total)
  if left + CREDIT <= rate then                            -- the next minute would pass the credit
    tx:stop "no money left"
  elseif left < rate * HORIZON and not tx.vars.warned then
    tx.vars.warned = true
    notify(tx, string.format("Money for about %d minutes left", math.max(0, left // rate)))
  end
end

return prepaid
