-- Who may charge: the cards of lib/idtags.lua, and those set by REST (PUT /api/v1/tags/{idTag}).
-- Where both know a card, REST decides: that is how a lost card is stopped at once.
local list = require "idtags"

-- What is known of a card, in one shape for both; nil if nobody knows it.
local function find(idTag)
  local set, card = tag(idTag), list[idTag]
  if set then
    return { status = set.status, expires = set.expires, group = set.parentIdTag, places = set.max_active or 1 }
  elseif card then
    return {
      status = card.blocked and "Blocked" or "Accepted", why = card.why, expires = card.expires, hours = card.hours,
      group = card.group, places = card.shared and math.huge or card.max_active or 1,
    }
  end
end

-- At how many other places does this card charge already?
local function elsewhere(idTag, cp, connector)
  local count = 0
  for tx in transactions { idTag = idTag } do
    local here = tx.cp == cp and tx.connector == connector
    if not here and not tx.flags.refused then count = count + 1 end
  end
  return count
end

function on.authorize(idTag, cp, ask)
  local card = find(idTag)
  if not card then return end                          -- no opinion: the next file, at last Invalid
  if card.status ~= "Accepted" then return card.status, { why = card.why } end
  if card.expires and now() >= card.expires then
    return "Expired", { expiryDate = card.expires }
  end
  if card.hours and not card.hours:contains(now()) then
    return "Blocked", { why = "outside of its hours" }
  end
  if ask.purpose == "start" and elsewhere(idTag, cp, ask.connector) >= card.places then
    return "ConcurrentTx", { why = "charges elsewhere" }
  end
  return "Accepted", { parentIdTag = card.group, expiryDate = card.expires }
end
