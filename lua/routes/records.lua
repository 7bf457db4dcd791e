-- What was said on the wire, and why cards were let in or not.
local rest = require "rest"

local MESSAGE = { "id", "cpid", "connection", "timestamp", "direction", "text", "note" }
local DECISION = {
  "id", "cpid", "timestamp", "event", "idTag", "connectorId", "transactionId", "verdict", "why", "file", "line",
  "generation", "inputs", "answer", "shadow",
}
local SHADOW = { "outcome", "differs", "answer", "extra", "why", "error", "file", "line", "generation" }
local NEAR_MS = 500 -- a decision is recorded right after the verdict

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

local function is_of(difference, row)
  return difference.cpid == row.cpid and (difference.purpose or difference.event) == row.event
    and difference.live.generation == row.generation
    and (not row.idTag or difference.idTag == string.upper(row.idTag))
end

-- The nearest in time: a charger may ask the same again at once. Both lists are newest first, so what is newer than
-- this row's is not looked at again: `from` is where the row before began.
local function difference_of(row, differences, from)
  local nearest, best = nil, NEAR_MS + 1
  while differences[from] and differences[from].timestampMs > row.tsMs + NEAR_MS do from = from + 1 end
  for at = from, #differences do
    local apart = row.tsMs - differences[at].timestampMs
    if apart > NEAR_MS then break end
    if math.abs(apart) < best and is_of(differences[at], row) then nearest, best = differences[at], math.abs(apart) end
  end
  return nearest, from
end

local function add_shadow(rows)
  local shadow, from = core.shadow(), 1
  if not shadow.running then return end
  for _, row in ipairs(rows) do
    local difference
    difference, from = difference_of(row, shadow.differences, from)
    if difference then
      local said = difference.candidate
      row.shadow = json.ordered(SHADOW, {
        outcome = said.outcome, differs = difference.differs, answer = said.answer, extra = said.extra, why = said.why,
        error = said.error, file = said.file, line = said.line, generation = said.generation,
      })
    end
  end
end

route("GET /api/v1/decisions", {
  query = {
    idTag = "string?", cpid = "string?", event = "string?", verdict = "string?", file = "string?",
    generation = "integer?", transactionId = "integer?", from = "time?", to = "time?", limit = "limit",
    cursor = "string?",
  },
  doc = "Who was let in or not and what a transaction costs, by which line of which policy, newest first; beside it what "
     .. "a shadow would have decided, if that differs and is among its last differences.",
  answers = { [200] = rest.page_of "Decision" },
}, function(req)
  local q = req.query
  local rows, next, status, why = rest.query("decisions", {
    idTag = q.idTag, cpid = rest.identity(q.cpid), event = q.event, verdict = q.verdict, file = q.file,
    generation = q.generation, transactionId = q.transactionId, from = rest.ms(q.from), to = rest.ms(q.to),
    limit = q.limit, cursor = q.cursor,
  })
  if not rows then return problem(status, why) end
  add_shadow(rows)
  return rest.page(rest.items(rows, DECISION, { tsMs = "timestamp" }), next)
end)
