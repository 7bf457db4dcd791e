-- Ended transactions, newest first. Kept from the existing system: the answer holds nothing but
-- `sessions`, so the next page is in the Link header.
local rest = require "rest"
local csv = require "csv"

local SESSION = {
  "cpid", "connectorId", "idTag", "transactionId", "meterStart", "meterStop", "energy",
  "startTime", "stopTime", "durationSecs", "reason", "vehicleId", "mac",
}
local COLUMNS = { table.unpack(SESSION) }
for _, name in ipairs { "price", "currency", "tariff" } do COLUMNS[#COLUMNS + 1] = name end

local function link(req, cursor)
  local parts = { "cursor=" .. cursor, "limit=" .. req.query.limit }
  for _, name in ipairs { "cpid", "from", "to" } do
    local value = req.query[name]
    if name ~= "cpid" and value then value = timestamp(value) end
    if value then
      parts[#parts + 1] = name .. "=" .. string.gsub(value, "[^%w%-%._~]", function(c)
        return string.format("%%%02X", string.byte(c))
      end)
    end
  end
  return "</api/v1/history?" .. table.concat(parts, "&") .. '>; rel="next"'
end

local function shown(rows, price)
  for _, row in ipairs(rows) do
    price(row)
    row.flags, row.stopped = core.flags(row.flags or 0), nil
    row.durationSecs = row.stopMs and row.startMs and (row.stopMs - row.startMs) // 1000
    rest.vehicle(rest.item(row, SESSION, { startMs = "startTime", stopMs = "stopTime" }))
  end
  return rows
end

local function for_csv(rows) return shown(rows, rest.price_columns) end

route("GET /api/v1/history", {
  query = {
    cpid = "string?", from = "time?", to = "time?", limit = "limit", cursor = "string?", format = "json|csv?",
  },
  doc = "Ended transactions, newest first; format=csv or Accept: text/csv is all of them.",
  answers = { [200] = { json = "History", csv = true } },
}, function(req)
  local q = req.query
  local filter = { cpid = rest.identity(q.cpid), limit = q.limit, cursor = q.cursor, from = rest.ms(q.from), to = rest.ms(q.to) }
  if csv.wanted(req) then return csv.query("history", COLUMNS, "history", filter, for_csv) end
  local rows, next, status, why = rest.query("history", filter)
  if not rows then return problem(status, why) end
  return 200, { sessions = json.array(shown(rows, rest.price)) }, next and { Link = link(req, next) }
end)
