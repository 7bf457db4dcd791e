-- Reservations: what was asked and what the charger accepted, to its end: USED, CANCELLED, EXPIRED by
-- the clock, FAULTED with its connector (C8, N5).
local rest = require "rest"
local ask = require "ask"

local RESERVATION = {
  "reservationId", "cpid", "connectorId", "idTag", "parentIdTag", "state", "expiryDate", "acceptedAt", "endedAt",
  "transactionId",
}
local TIMES = { expiryMs = "expiryDate", acceptedMs = "acceptedAt", endedMs = "endedAt" }
local LAST, ID_MAX = "chargebridge/reservations/last", 2147483647

route("GET /api/v1/reservations", {
  query = {
    cpid = "string?", connectorId = "integer?", state = "ACCEPTED|EXPIRED|USED|CANCELLED|FAULTED?", limit = "limit",
    cursor = "string?",
  },
  doc = "Reservations that chargers accepted, newest first.", answers = { [200] = rest.page_of "Reservation" },
}, function(req)
  local q = req.query
  local rows, next, status, why = rest.query("reservations", {
    cpid = rest.identity(q.cpid), connectorId = q.connectorId, state = q.state, limit = q.limit, cursor = q.cursor,
  })
  if not rows then return problem(status, why) end
  for _, row in ipairs(rows) do row.reservationId, row.id = row.id, nil end
  return rest.page(rest.items(rows, RESERVATION, TIMES), next)
end)

-- An id of our own that no standing reservation of this charge point has: the same id would replace it.
local function free_id(cpid)
  local rows, _, status, why = rest.query("reservations", { cpid = cpid, state = "ACCEPTED", limit = 1000 })
  if not rows then return nil, function() return problem(status, why) end end
  local taken, id = {}, store.get(LAST) or 0
  for _, row in ipairs(rows) do taken[row.id] = true end
  repeat id = id % ID_MAX + 1 until not taken[id]
  store.set(LAST, id)
  return id
end

local MADE = { "reservationId", "status" }

route("POST /api/v1/chargepoints/{cpid}/reservations", {
  query = {}, idempotent = true, answers = { [200] = "ReservationMade" },
  body = { connectorId = "integer?", idTag = "string", parentIdTag = "string?", expiryDate = "time" },
  doc = "Reserves a connector (0 or none: any) for a tag, under a number that the server chooses; 409 unless the charger "
     .. "accepts.",
}, function(req)
  local body, cp = req.json, core.chargepoint(req.path.cpid)
  if not cp then return problem(404, "unknown charge point") end
  local expires = parse_time(body.expiryDate)
  if expires <= now() then return rest.unfit("/expiryDate", "is past") end
  if body.idTag == "" then return rest.unfit("/idTag", "expected 1 to 20 characters") end
  if body.connectorId and body.connectorId < 0 then return rest.unfit("/connectorId", "expected an integer from 0 on") end
  local id, failed = free_id(cp.cpid)
  if not id then return failed() end
  local answer
  answer, failed = ask.word(ask.command(cp.cpid, {
    action = "ReserveNow", by = req.key,
    payload = {
      connectorId = body.connectorId or 0, expiryDate = timestamp(expires), idTag = body.idTag,
      parentIdTag = body.parentIdTag, reservationId = id,
    },
  }), "Accepted")
  if not answer then return failed() end
  return 200, json.ordered(MADE, { reservationId = id, status = answer.status })
end)

route("DELETE /api/v1/chargepoints/{cpid}/reservations/{reservationId}", {
  query = {}, answers = { [200] = "ReservationMade" }, doc = "Cancels a reservation; 409 when the charger does not know it.",
}, function(req)
  local id = string.match(req.path.reservationId, "^%d+$") and math.tointeger(tonumber(req.path.reservationId))
  if not id or id > ID_MAX then return problem(404, "unknown reservation") end
  local answer, failed = ask.word(ask.command(req.path.cpid, {
    action = "CancelReservation", payload = { reservationId = id }, by = req.key,
  }), "Accepted")
  if not answer then return failed() end
  return 200, json.ordered(MADE, { reservationId = id, status = answer.status })
end)
