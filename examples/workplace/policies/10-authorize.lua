-- Who may charge at work: by card, by the hours of its group, and within a monthly budget in kWh.
local list = require "idtags"

local HOURS = { STAFF = window "mon-fri 06:00-20:00" }     -- a group that is not named may at any time
local BUDGET_KWH = { STAFF = 250 }                         -- a card and month; a group that is not named has no limit

local function budget_key(idTag) return "budget/" .. string.sub(timestamp(), 1, 7) .. "/" .. idTag end

local function is_used_up(idTag, group)
  local budget = BUDGET_KWH[group]
  return budget and (store.get(budget_key(idTag)) or 0) >= budget * 1000
end

local function active(idTag, cp, connector)
  local count = 0
  for tx in transactions { idTag = idTag } do
    local here = tx.cp == cp and tx.connector == connector
    if not here and not tx.flags.refused then count = count + 1 end
  end
  return count
end

function on.authorize(idTag, cp, ask)
  local card = list[idTag]
  if not card then return end                              -- no opinion: the next file, at last Invalid
  if card.blocked then return "Blocked", { why = card.why } end
  if ask.purpose == "stop" then return "Accepted", { parentIdTag = card.group } end
  local allowed = card.hours or HOURS[card.group]
  if allowed and not allowed:contains(now()) then return "Blocked", { why = "outside of its hours" } end
  if is_used_up(idTag, card.group) then return "Blocked", { why = "the budget of this month is used up" } end
  if ask.purpose == "start" and active(idTag, cp, ask.connector) >= (card.max_active or 1) then
    return "ConcurrentTx", { why = "charges elsewhere" }
  end
  return "Accepted", { parentIdTag = card.group }
end

function on.stop(tx)                                       -- booked once, whatever is repeated or killed
  local wh = tx.energy_wh
  if not wh or not list[tx.idTag] then return end
  store.add(budget_key(tx.idTag), wh, { once = "budget/booked/" .. tx.id, ttl = "70d" })
end
