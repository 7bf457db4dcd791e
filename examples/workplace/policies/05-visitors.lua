-- Free vend: at the visitors' places any card charges, while the gate is open.
local PLACES = { ["VISITOR-1"] = true, ["VISITOR-2"] = true }
local OPEN = window "mon-fri 07:00-19:00"

function on.authorize(idTag, cp, ask)
  if not PLACES[cp.id] then return end
  if ask.purpose ~= "stop" and not OPEN:contains(now()) then return "Blocked", { why = "visitors charge by day" } end
  return "Accepted"
end
