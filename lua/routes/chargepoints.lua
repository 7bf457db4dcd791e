-- Charge points: who is known, in which state; registering and forgetting.
local rest = require "rest"

local FIELDS = {
  "cpid", "state", "online", "registration", "registered", "version", "vendor", "model", "serial", "firmware",
  "address", "createdAt", "connectedAt", "lastSeenAt", "lastBootAt", "securityProfile", "hasPassword", "options",
  "quirks", "connectors",
}
local TIMES = { createdMs = "createdAt", connectedMs = "connectedAt", lastSeenMs = "lastSeenAt", lastBootMs = "lastBootAt" }
local CONNECTOR = { "connectorId", "status", "errorCode", "info", "vendorErrorCode", "since", "transactionId" }
local CHANGE = { registration = "accepted|pending|rejected?", password = "string?", securityProfile = "integer?", options = "object?" }

local function shown(cp)
  rest.items(cp.connectors, CONNECTOR, { statusMs = "since" })
  return rest.item(cp, FIELDS, TIMES)
end

route("GET /api/v1/chargepoints", {
  query = { limit = "limit", cursor = "string?", state = "online|offline|pending|blocked?" },
  doc = "Charge points in order of their identity.", answers = { [200] = rest.page_of "ChargePoint" },
}, function(req)
  local items, next = core.chargepoints { after = req.query.cursor, limit = req.query.limit, state = req.query.state }
  for _, cp in ipairs(items) do shown(cp) end
  return rest.page(items, next)
end)

route("GET /api/v1/chargepoints/{cpid}", { query = {}, doc = "One charge point.", answers = { [200] = "ChargePoint" } },
function(req)
  local cp = core.chargepoint(req.path.cpid)
  if not cp then return problem(404, "unknown charge point") end
  return 200, shown(cp)
end)

local function change(req)
  local cpid = req.path.cpid
  local ok, err = core.register(cpid, {
    registration = req.json.registration, password = req.json.password,
    securityProfile = req.json.securityProfile, options = req.json.options,
  })
  if not ok then return rest.refused(err, CHANGE) end
  local cp = core.chargepoint(cpid)
  if not cp then return problem(404, "the charge point was deleted meanwhile") end
  return 200, shown(cp)
end

route("PUT /api/v1/chargepoints/{cpid}", {
  body = CHANGE, query = {}, answers = { [200] = "ChargePoint" },
  doc = "Registers a charge point, or changes what is given.",
}, change)

route("PATCH /api/v1/chargepoints/{cpid}", {
  body = CHANGE, query = {}, answers = { [200] = "ChargePoint" },
  doc = "Changes what is given of a charge point that is known.",
}, function(req)
  if not core.chargepoint(req.path.cpid) then return problem(404, "unknown charge point") end
  return change(req)
end)

route("DELETE /api/v1/chargepoints/{cpid}", { query = {}, doc = "Forgets a charge point; its history stays.", answers = { [200] = "Ok" } },
function(req)
  if not core.chargepoint(req.path.cpid) then return problem(404, "unknown charge point") end
  local ok, err = core.delete(req.path.cpid)
  if not ok then return rest.refused(err, {}) end
  return 200, { ok = true }
end)
