-- What was said on the wire, and why cards were let in or not.
local rest = require "rest"

local MESSAGE = { "id", "cpid", "connection", "timestamp", "direction", "text", "note" }
local DECISION = {
  "id", "cpid", "timestamp", "event", "idTag", "connectorId", "transactionId", "verdict", "why", "file", "line",
  "generation", "inputs", "answer",
}

local JSONL, JSONL_PAGE = "application/x-ndjson", 200

local function messages(filter)
  local rows, next, status, why = rest.query("messages", filter)
  if not rows then return nil, nil, status, why end
  for _, row in ipairs(rows) do
    row.direction, row.outgoing = row.outgoing and "out" or "in", nil
  end
  return rest.items(rows, MESSAGE, { tsMs = "timestamp" }), next
end

-- All that fits, one frame a line.
local function lines_of(filter)
  filter.limit = JSONL_PAGE
  return function(emit)
    repeat
      local rows, next, _, why = messages(filter)
      if not rows then error("the store failed within a list: " .. why) end
      local lines = {}
      for i, row in ipairs(rows) do lines[i] = json.encode(row) .. "\n" end
      if #lines > 0 and not emit(table.concat(lines)) then return end
      filter.cursor = next
    until not next
  end
end

route("GET /api/v1/messages", {
  query = {
    cpid = "string?", from = "time?", to = "time?", direction = "in|out?", contains = "string?", limit = "limit",
    cursor = "string?", format = "json|jsonl?",
  },
  doc = "Frames both ways, newest first; format=jsonl or Accept: application/x-ndjson is all of them, one a line.",
  answers = { [200] = { json = rest.page_of "Message", jsonl = true } },
}, function(req)
  local q = req.query
  local filter = {
    cpid = q.cpid, from = rest.ms(q.from), to = rest.ms(q.to), direction = q.direction, contains = q.contains,
    limit = q.limit, cursor = q.cursor,
  }
  local accepts = string.find(string.lower(req.headers.accept or ""), JSONL, 1, true)
  if q.format == "jsonl" or (not q.format and accepts) then
    return 200, lines_of(filter), { ["Content-Type"] = JSONL }
  end
  local rows, next, status, why = messages(filter)
  if not rows then return problem(status, why) end
  return rest.page(rows, next)
end)

route("GET /api/v1/decisions", {
  query = { idTag = "string?", cpid = "string?", event = "string?", limit = "limit", cursor = "string?" },
  doc = "Who was let in or not, by which line of which policy, newest first.",
  answers = { [200] = rest.page_of "Decision" },
}, function(req)
  local q = req.query
  local rows, next, status, why = rest.query("decisions", {
    idTag = q.idTag, cpid = q.cpid, event = q.event, limit = q.limit, cursor = q.cursor,
  })
  if not rows then return problem(status, why) end
  return rest.page(rest.items(rows, DECISION, { tsMs = "timestamp" }), next)
end)
