-- Cards of the list (lib/idtags.lua) and cards set by REST (PUT /api/v1/tags/{idTag}); REST decides where both know one.
local list = require "idtags"

local function is_free(idTag, cp, ask, places)
  local count = 0
  for tx in transactions { idTag = idTag } do
    local here = tx.cp == cp and tx.connector == ask.connector
    if not here and not tx.flags.refused then count = count + 1 end
  end
  return count < places
end

function on.authorize(idTag, cp, ask)
  local set, card = tag(idTag), list[idTag]
  if not set and not card then return end              -- no opinion: wallets, guests, at last Invalid
  local status = set and set.status or card.blocked and "Blocked" or "Accepted"
  if status ~= "Accepted" then return status, { why = card and card.why } end
  local expires = set and set.expires or card and card.expires
  if expires and now() >= expires then return "Expired" end
  local places = set and set.max_active or card and card.max_active or 1
  if ask.purpose == "start" and not is_free(idTag, cp, ask, places) then return "ConcurrentTx" end
  return "Accepted", { parentIdTag = set and set.parentIdTag or card and card.group }
end
