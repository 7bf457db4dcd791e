-- Transactions, open and ended, with their meter values, as JSON and CSV; and the end of one whose
-- charger died. The list in the words of the first system is in history.lua.
local rest = require "rest"
local csv = require "csv"

local TRANSACTION = {
  "transactionId", "cpid", "connectorId", "state", "idTag", "parentIdTag", "stopIdTag", "verdict", "startTime", "stopTime",
  "durationSecs", "meterStart", "meterStop", "energy", "reason", "flags", "vehicleId", "mac", "generation", "price", "vars",
}
-- Without vars: they are tables of policies. The price is a number there.
local COLUMNS = { table.unpack(TRANSACTION, 1, #TRANSACTION - 1) }
COLUMNS[#COLUMNS + 1], COLUMNS[#COLUMNS + 2] = "currency", "tariff"

local function shown(row, price)
  local vars = row.vars
  price(row)
  row.state, row.stopped = row.stopped and "stopped" or "open", nil
  row.flags = core.flags(row.flags or 0)
  row.durationSecs = row.stopMs and row.startMs and (row.stopMs - row.startMs) // 1000
  rest.vehicle(row)
  row.vars = vars
  return rest.item(row, TRANSACTION, { startMs = "startTime", stopMs = "stopTime" })
end

local function all_shown(rows)
  for _, row in ipairs(rows) do shown(row, rest.price) end
  return rows
end

local function for_csv(rows)
  for _, row in ipairs(rows) do shown(row, rest.price_columns) end
  return rows
end

route("GET /api/v1/transactions", {
  query = {
    cpid = "string?", connectorId = "integer?", idTag = "string?", state = "open|stopped|all?", from = "time?", to = "time?",
    limit = "limit", cursor = "string?", format = "json|csv?",
  },
  doc = "Transactions by the time they began, newest first; format=csv or Accept: text/csv is all of them.",
  answers = { [200] = { json = rest.page_of "Transaction", csv = true } },
}, function(req)
  local q = req.query
  local filter = {
    cpid = rest.identity(q.cpid), connectorId = q.connectorId, idTag = q.idTag and string.upper(q.idTag),
    state = q.state or "all", from = rest.ms(q.from), to = rest.ms(q.to), limit = q.limit, cursor = q.cursor,
  }
  if csv.wanted(req) then return csv.query("transactions", COLUMNS, "history", filter, for_csv) end
  local rows, next, status, why = rest.query("history", filter)
  if not rows then return problem(status, why) end
  return rest.page(all_shown(rows), next)
end)

-- The integer of a path, or nil: ids beyond are of no transaction.
local function id_of(text)
  return #text <= 16 and string.match(text, "^%d+$") and math.tointeger(tonumber(text)) or nil
end

-- The row of a transaction; nil and a function that answers why there is none.
local function find(text)
  local id = id_of(text)
  if not id then return nil, function() return problem(404, "unknown transaction") end end
  local rows, _, status, why = rest.query("transaction", { id = id })
  if not rows then return nil, function() return problem(status, why) end end
  if not rows[1] then return nil, function() return problem(404, "unknown transaction") end end
  return rows[1]
end

route("GET /api/v1/transactions/{id}", { query = {}, doc = "One transaction.", answers = { [200] = "Transaction" } },
function(req)
  local row, failed = find(req.path.id)
  if not row then return failed() end
  return 200, shown(row, rest.price)
end)

-- ---- meter values ----

local VALUE = { "timestamp", "receivedAt", "energyWh", "powerW", "soc", "implausible", "samples" }
local STEP = { "timestamp", "energyWh", "powerW", "soc" }
local VALUE_COLUMNS = { "timestamp", "receivedAt", "energyWh", "powerW", "soc", "implausible" }
local TIMES = { tsMs = "timestamp", receivedMs = "receivedAt" }

-- Which query, in which order of members, for this request.
local function series_of(req, id)
  local q = req.query
  if not q.step then
    return "meter", VALUE, { transactionId = id, from = rest.ms(q.from), to = rest.ms(q.to), limit = q.limit, cursor = q.cursor }
  end
  local ok, seconds = pcall(duration, q.step)
  if not ok or seconds < 1 or seconds > days(1) then return nil end
  return "meter_series", STEP, { transactionId = id, step_ms = seconds * 1000 // 1 | 0, limit = q.limit, cursor = q.cursor }
end

route("GET /api/v1/transactions/{id}/meter", {
  query = {
    step = "string?", from = "time?", to = "time?", limit = "limit", cursor = "string?", format = "json|csv?",
  },
  doc = "Meter values of a transaction, oldest first. step (\"15m\", \"1s\" to \"1d\"): one a step, the last known of each "
     .. "figure in it. format=csv or Accept: text/csv is all of them, without the samples.",
  answers = { [200] = { json = rest.page_of "MeterValue", csv = true } },
}, function(req)
  local transaction, failed = find(req.path.id)
  if not transaction then return failed() end
  local query, order, filter = series_of(req, transaction.transactionId)
  if not query then return problem(400, 'step is a time from "1s" to "1d", such as "15m"') end
  if req.query.step and (req.query.from or req.query.to) then return problem(400, "from and to do not go with step") end
  if csv.wanted(req) then
    return csv.query("meter-" .. transaction.transactionId, query == "meter" and VALUE_COLUMNS or STEP, query, filter,
                     function(rows) return rest.items(rows, order, TIMES) end)
  end
  local rows, next, status, why = rest.query(query, filter)
  if not rows then return problem(status, why) end
  return rest.page(rest.items(rows, order, TIMES), next)
end)

-- ---- the operator's end ----

-- Why there is nothing to end: unknown, or ended already.
local function not_open(text, cpid)
  local row, failed = find(text)
  if not row then return failed() end
  if string.upper(row.cpid) ~= string.upper(cpid) then return problem(404, "no transaction of this charge point has this id") end
  return problem(409, "the transaction has ended already")
end

route("POST /api/v1/chargepoints/{cpid}/transactions/{id}/close", {
  query = {}, idempotent = true, answers = { [200] = "Transaction" },
  doc = "Ends a transaction whose charger died, with its last reading, flagged as estimated; a StopTransaction that comes "
     .. "later still replaces it. The charger hears nothing of it.",
}, function(req)
  local id = id_of(req.path.id)
  local open = id and core.transaction(id)
  if not open then return not_open(req.path.id, req.path.cpid) end
  if string.upper(open.cpid) ~= string.upper(req.path.cpid) then
    return problem(404, "no transaction of this charge point has this id")
  end
  local ok, err = core.close(id)
  if not ok then return rest.refused(err, {}) end
  local row, failed = find(req.path.id)
  if not row then return failed() end
  return 200, shown(row, rest.price)
end)
