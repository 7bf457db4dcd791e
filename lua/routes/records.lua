-- What was said on the wire, and why cards were let in or not.
local rest = require "rest"

local MESSAGE = { "id", "cpid", "connection", "timestamp", "direction", "text", "note" }
local DECISION = {
  "id", "cpid", "timestamp", "event", "idTag", "connectorId", "transactionId", "verdict", "why", "file", "line",
  "generation", "inputs",
}

route("GET /api/v1/messages", {
  query = {
    cpid = "string?", from = "time?", to = "time?", direction = "in|out?", contains = "string?", limit = "limit",
    cursor = "string?",
  },
  doc = "Frames both ways, newest first.",
}, function(req)
  local q = req.query
  local rows, next, status, why = rest.query("messages", {
    cpid = q.cpid, from = rest.ms(q.from), to = rest.ms(q.to), direction = q.direction, contains = q.contains,
    limit = q.limit, cursor = q.cursor,
  })
  if not rows then return problem(status, why) end
  for _, row in ipairs(rows) do
    row.direction, row.outgoing = row.outgoing and "out" or "in", nil
  end
  return rest.page(rest.items(rows, MESSAGE, { tsMs = "timestamp" }), next)
end)

route("GET /api/v1/decisions", {
  query = { idTag = "string?", cpid = "string?", event = "string?", limit = "limit", cursor = "string?" },
  doc = "Who was let in or not, by which line of which policy, newest first.",
}, function(req)
  local q = req.query
  local rows, next, status, why = rest.query("decisions", {
    idTag = q.idTag, cpid = q.cpid, event = q.event, limit = q.limit, cursor = q.cursor,
  })
  if not rows then return problem(status, why) end
  return rest.page(rest.items(rows, DECISION, { tsMs = "timestamp" }), next)
end)
