-- The shapes of what the routes answer, by the names that routes give in `answers`. One small language:
--
--   "string" "integer" "number" "boolean" "time" "object" "any"   a value; a `?` behind it: or null, or not there
--   "a|b|c"                                                       one of these words
--   "Session"                                                     another shape of this table
--   { "Session" }                                                 a list of them
--   { name = "string", ["tags?"] = { "string" } }                 an object with these members and no others
--
-- Queries and bodies of routes are written in the same words, so the OpenAPI document says what the router
-- checks. The tests hold every answer to it.
local schemas = {}

local SIMPLE = {
  string = { type = "string" }, integer = { type = "integer" }, number = { type = "number" },
  boolean = { type = "boolean" }, object = { type = "object" }, array = { type = "array" }, any = {},
  time = { type = "string", format = "date-time" },
  limit = { type = "integer", minimum = 1, maximum = 1000, default = 100 },
}

local named = {}
schemas.named = named

local function word_list(text)
  local words = json.array()
  for word in string.gmatch(text, "[^|]+") do words[#words + 1] = word end
  return words
end

local function scalar(text)
  if SIMPLE[text] then return SIMPLE[text] end
  if string.find(text, "|", 1, true) then return { type = "string", enum = word_list(text) } end
  if not named[text] then error("schemas: there is no shape \"" .. text .. "\"", 0) end
  return { ["$ref"] = "#/components/schemas/" .. text }
end

-- The text without its `?`, and whether it had one.
local function optional(text)
  local plain, mark = string.match(text, "^(.-)(%??)$")
  return plain, mark == "?"
end

local function or_null(schema)
  return { anyOf = json.array { schema, { type = "null" } } }
end

local function object(shape)
  local properties, required = {}, json.array()
  for key, member in pairs(shape) do
    local name, missing = optional(key)
    local schema, may_miss = schemas.of(member)
    properties[name] = (missing or may_miss) and or_null(schema) or schema
    if not missing and not may_miss then required[#required + 1] = name end
  end
  table.sort(required)
  return {
    type = "object", properties = properties, additionalProperties = false,
    required = #required > 0 and required or nil,
  }
end

-- A shape as JSON Schema, and whether it may be missing.
function schemas.of(shape)
  if type(shape) == "table" then
    if shape[1] then return { type = "array", items = (schemas.of(shape[1])) } end
    return object(shape)
  end
  local plain, may_miss = optional(shape)
  return scalar(plain), may_miss
end

---- the shapes, by subject ----

named.Ok = { ok = "boolean" }
named.Health = { ok = "boolean", time = "time?" }
named.Version = { name = "string", version = "string" }

named.Connector = {
  connectorId = "integer", status = "string?", errorCode = "string?", info = "string?", vendorErrorCode = "string?",
  since = "time?", transactionId = "integer?",
}
named.ChargePoint = {
  cpid = "string", state = "online|offline|pending|blocked", online = "boolean",
  registration = "accepted|pending|rejected", registered = "boolean", version = "string?", vendor = "string?",
  model = "string?", serial = "string?", firmware = "string?", address = "string?", createdAt = "time?",
  connectedAt = "time?", lastSeenAt = "time?", lastBootAt = "time?", securityProfile = "integer",
  hasPassword = "boolean", options = "object?", quirks = { "string" }, connectors = { "Connector" },
}
named.Station = {
  id = "integer", name = "string", location = "string?", connectors = { { id = "integer", status = "string?" } },
}
named.ConnectorStatus = {
  cpid = "string", connectorId = "integer", status = "string?", errorCode = "string?", info = "string?",
  vendorErrorCode = "string?", since = "time?", online = "boolean", transactionId = "integer?",
}
named.Status = { connectors = { "ConnectorStatus" } }
named.OverviewConnector = {
  cpid = "string", connectorId = "integer", status = "string?", errorCode = "string?", info = "string?",
  vendorErrorCode = "string?", since = "time?", online = "boolean", transactionId = "integer?",
  active = "ActiveSession?", pending = "Pending?",
}
named.Overview = { connectors = { "OverviewConnector" } }

named.Sample = {
  timestamp = "time", energyWh = "integer?", powerW = "integer?", soc = "integer?", voltage = "number?",
  current = "number?", temperature = "number?",
}
named.ActiveSession = {
  cpid = "string", connectorId = "integer", idTag = "string", transactionId = "integer", startTime = "time?",
  vehicleId = "string?", mac = "string?", lastSample = "Sample?", meterStart = "integer?", energy = "integer?",
  parentIdTag = "string?", flags = { "string" }, cost = "Price?",
}
named.Active = { sessions = { "ActiveSession" } }
named.PriceLine = {
  name = "string", amount = "integer", quantity = "number?", unit = "string?", unit_price = "number?",
}
named.Price = { -- total and amounts in the currency's smallest unit: 1234 with 2 digits is 12.34
  currency = "string", total = "integer", digits = "integer", text = "string", lines = { "PriceLine" },
  tariff = "string?", generation = "integer?", file = "string?", line = "integer?",
}
named.PastSession = {
  cpid = "string", connectorId = "integer", idTag = "string", transactionId = "integer", meterStart = "integer?",
  meterStop = "integer?", energy = "integer?", startTime = "time?", stopTime = "time?", durationSecs = "integer?",
  reason = "string?", vehicleId = "string?", mac = "string?", parentIdTag = "string?", stopIdTag = "string?",
  verdict = "string?", generation = "integer?", flags = { "string" }, price = "Price?",
}
named.History = { sessions = { "PastSession" } }
named.Transaction = {
  transactionId = "integer", cpid = "string", connectorId = "integer", state = "open|stopped", idTag = "string",
  parentIdTag = "string?", stopIdTag = "string?", verdict = "string?", startTime = "time?", stopTime = "time?",
  durationSecs = "integer?", meterStart = "integer?", meterStop = "integer?", energy = "integer?", reason = "string?",
  flags = { "string" }, vehicleId = "string?", mac = "string?", price = "Price?", generation = "integer?",
  vars = "object?",
}
named.MeterValue = { -- with `step` without receivedAt, implausible and samples
  timestamp = "time", receivedAt = "time?", energyWh = "integer?", powerW = "integer?", soc = "integer?",
  implausible = "boolean?", ["samples?"] = { "object" },
}
named.Pending = {
  station_id = "string", connector_id = "integer?", id_tag = "string", vid = "string?", mac = "string?",
  created_at = "time",
}

named.Started = { ok = "boolean", hash = "string", message = "string" }
named.Stopped = { ok = "boolean", transactionId = "integer", hash = "string", message = "string" }
named.StoppedAt = { ok = "boolean", transactionId = "integer", message = "string" }
named.Sent = { ok = "boolean", message = "string" }
named.Scheduled = { ok = "boolean", status = "string" }

named.HandSession = {
  transactionId = "integer", connectorId = "string", vehicleId = "string", startTime = "time", stopTime = "time?",
  kWhDelivered = "number?",
}
named.SessionStarted = { transactionId = "integer" }
named.SessionStopped = { session = "HandSession" }
named.VehicleSessions = { current = "HandSession?", history = { "HandSession" } }

named.CommandResult = {
  status = "accepted|error|timeout", response = "object?", errorCode = "string?", errorDescription = "string?",
  errorDetails = "object?", ms = "integer?", id = "string",
}
named.CommandQueued = { id = "string", status = "string" }
named.Command = {
  id = "string", cpid = "string", action = "string", state = "string", payload = "object?", response = "object?",
  errorCode = "string?", errorDescription = "string?", errorDetails = "object?", why = "string?", askedBy = "string?",
  batch = "string?", askedAt = "time", sentAt = "time?", endedAt = "time?",
}
named.BatchStarted = { batch = "string", count = "integer" }
named.Batch = {
  batch = "string", action = "string", count = "integer", asked = "integer", refused = "integer", why = "string?",
  ended = "boolean", cancelled = "boolean", pace = "number", askedBy = "string?", startedAt = "time", states = "object?",
}

named.ConfigurationKey = {
  key = "string", value = "string?", readonly = "boolean?", unknown = "boolean", rebootRequired = "boolean",
  knownAt = "time",
}
named.ConfigurationWritten = { key = "string", value = "string", status = "string", sent = "boolean" }
named.ConfigurationWrittenAll = { items = { "ConfigurationWritten" } }
named.Availability = {
  cpid = "string", connectorId = "integer", type = "Operative|Inoperative", status = "string", knownAt = "time",
}
named.Reservation = {
  reservationId = "integer", cpid = "string", connectorId = "integer", idTag = "string", parentIdTag = "string?",
  state = "ACCEPTED|EXPIRED|USED|CANCELLED|FAULTED", expiryDate = "time?", acceptedAt = "time", endedAt = "time?",
  transactionId = "integer?",
}
named.ReservationMade = { reservationId = "integer", status = "string" }
named.Profile = {
  cpid = "string", connectorId = "integer", chargingProfileId = "integer", stackLevel = "integer", purpose = "string",
  transactionId = "integer?", acceptedAt = "time", profile = "object",
}
named.Composite = { connectorId = "integer", from = "time", duration = "integer", chargingSchedule = "object?" }
named.ChargePointProfiles = { items = { "Profile" }, composite = { "Composite" } }
named.ProfileSet = { chargingProfileId = "integer", status = "string", profile = "object" }
named.LocalListEntry = { idTag = "string", idTagInfo = "object?" }
named.LocalList = {
  cpid = "string", version = "integer?", size = "integer?", knownAt = "time?", items = { "LocalListEntry" },
  next = "string?",
}
named.LocalListSet = { cpid = "string", version = "integer", size = "integer", sent = "integer" }
named.Job = {
  id = "integer", cpid = "string", kind = "firmware|diagnostics|log", action = "string", command = "string?",
  location = "string?", file = "string?", requestId = "integer?", acceptedAt = "time", status = "string?",
  statusAt = "time?",
}
named.JobStatus = {
  id = "integer", job = "integer?", cpid = "string", kind = "string", status = "string?", requestId = "integer?",
  timestamp = "time",
}
named.File = { name = "string", size = "integer", modifiedAt = "time" }
named.FileLink = { url = "string", expiresAt = "time" }

named.Tag = {
  idTag = "string", status = "string", expiryDate = "time?", parentIdTag = "string?", note = "string?",
  maxActive = "integer?",
}
named.Webhook = {
  name = "string", url = "string?", declared = "boolean", signed = "boolean", queued = "integer", sending = "boolean",
  delivered = "integer", failedAttempts = "integer", dropped = "integer", oldestAt = "time?",
  lastDeliveredAt = "time?", lastError = "string?", lastErrorAt = "time?", nextAttemptAt = "time?",
}
named.TagsImported = { imported = "integer" }

named.Message = {
  id = "integer", cpid = "string", connection = "integer", timestamp = "time", direction = "in|out", text = "string",
  note = "string?",
}
named.Decision = {
  id = "integer", cpid = "string?", timestamp = "time", event = "string", idTag = "string?", connectorId = "integer?",
  transactionId = "integer?", verdict = "string?", why = "string?", file = "string?", line = "integer?",
  generation = "integer?", inputs = "any?", answer = "any?", shadow = "ShadowDecision?",
}
named.ShadowDecision = { -- what the candidate of POST /policies/shadow would have said, where that differs
  outcome = "none|given|failed", differs = "answer|effects|both", answer = "string?", extra = "any?", why = "string?",
  error = "string?", file = "string?", line = "integer?", generation = "integer?",
}

return schemas
