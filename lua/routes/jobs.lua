-- Firmware and diagnostics: asking for them with our own files at the other end, and how far they are
-- (W1, W2). Chargers fetch and leave files by links that files.lua answers.
local rest = require "rest"
local ask = require "ask"

local JOB = {
  "id", "cpid", "kind", "action", "command", "location", "file", "requestId", "acceptedAt", "status", "statusAt",
}
local STATUS = { "id", "job", "cpid", "kind", "status", "requestId", "timestamp" }
local LINK_VALID = days(1)                              -- slow lines, and a retrieveDate at night

route("GET /api/v1/jobs", {
  query = { cpid = "string?", kind = "firmware|diagnostics|log?", limit = "limit", cursor = "string?" },
  doc = "Firmware updates, diagnostics and logs that chargers took on, newest first, with the last status of each.",
  answers = { [200] = rest.page_of "Job" },
}, function(req)
  local q = req.query
  local rows, next, status, why = rest.query("jobs", {
    cpid = rest.identity(q.cpid), kind = q.kind, limit = q.limit, cursor = q.cursor,
  })
  if not rows then return problem(status, why) end
  return rest.page(rest.items(rows, JOB, { acceptedMs = "acceptedAt", statusMs = "statusAt" }), next)
end)

route("GET /api/v1/job-statuses", {
  query = {
    cpid = "string?", kind = "firmware|diagnostics|log?", job = "integer?", from = "time?", to = "time?", limit = "limit",
    cursor = "string?",
  },
  doc = "Every status that chargers told of their jobs, newest first.", answers = { [200] = rest.page_of "JobStatus" },
}, function(req)
  local q = req.query
  local rows, next, status, why = rest.query("job_statuses", {
    cpid = rest.identity(q.cpid), kind = q.kind, job = q.job, from = rest.ms(q.from), to = rest.ms(q.to),
    limit = q.limit, cursor = q.cursor,
  })
  if not rows then return problem(status, why) end
  return rest.page(rest.items(rows, STATUS, { tsMs = "timestamp" }), next)
end)

-- Where the charger finds or leaves the file: the location given, or a link of our own; nil and a
-- function that answers why there is none.
local function location_of(body, link)
  if body.location then return body.location end
  local url, why = core.file_link(link)
  if url then return url end
  return nil, function() return problem(409, tostring(why)) end
end

local function exists(name)
  local after = nil
  repeat
    local files, next = core.files(after, 500)
    for _, file in ipairs(files) do
      if file.name == name then return true end
    end
    after = next
  until not after
  return false
end

route("POST /api/v1/chargepoints/{cpid}/firmware", {
  query = {}, idempotent = true, answers = { [200] = "CommandResult" },
  body = {
    file = "string?", location = "string?", retrieveDate = "time?", retries = "integer?", retryInterval = "integer?",
  },
  doc = "Has a charge point update its firmware (UpdateFirmware) from one of /api/v1/files, by a one-time link, or from a "
     .. "location of yours. retrieveDate: now.",
}, function(req)
  local body, cp = req.json, core.chargepoint(req.path.cpid)
  if not cp then return problem(404, "unknown charge point") end
  if (body.file == nil) == (body.location == nil) then return problem(422, "give either file or location") end
  if body.file and not exists(body.file) then return problem(404, "unknown file") end
  local when = body.retrieveDate and parse_time(body.retrieveDate) or now()
  local location, failed = location_of(body, {
    name = body.file, upload = false, cpid = cp.cpid, validMs = (math.max(0, when - now()) + LINK_VALID) * 1000,
  })
  if not location then return failed() end
  return ask.whole(ask.command(cp.cpid, {
    action = "UpdateFirmware", by = req.key,
    payload = {
      location = location, retrieveDate = timestamp(when), retries = body.retries, retryInterval = body.retryInterval,
    },
  }))
end)

route("POST /api/v1/chargepoints/{cpid}/diagnostics", {
  query = {}, idempotent = true, answers = { [200] = "CommandResult" },
  body = {
    location = "string?", startTime = "time?", stopTime = "time?", retries = "integer?", retryInterval = "integer?",
  },
  doc = "Has a charge point leave its diagnostics (GetDiagnostics) in /api/v1/files, by a one-time link, or at a location "
     .. "of yours.",
}, function(req)
  local body, cp = req.json, core.chargepoint(req.path.cpid)
  if not cp then return problem(404, "unknown charge point") end
  local safe = string.gsub(string.sub(cp.cpid, 1, 80), "[^%w_-]", "_")
  local location, failed = location_of(body, {
    name = string.format("diagnostics_%s_%s", safe, string.gsub(timestamp(), "[^%dTZ]", "")), upload = true, cpid = cp.cpid,
    validMs = LINK_VALID * 1000,
  })
  if not location then return failed() end
  return ask.whole(ask.command(cp.cpid, {
    action = "GetDiagnostics", by = req.key,
    payload = {
      location = location, startTime = body.startTime and timestamp(parse_time(body.startTime)),
      stopTime = body.stopTime and timestamp(parse_time(body.stopTime)), retries = body.retries,
      retryInterval = body.retryInterval,
    },
  }))
end)

local AVAILABILITY = { "cpid", "connectorId", "type", "status", "knownAt" }

route("GET /api/v1/availability", {
  query = { cpid = "string?", limit = "limit", cursor = "string?" },
  doc = "What chargers accepted by ChangeAvailability, newest first: type Operative or Inoperative, status Accepted, or "
     .. "Scheduled while a transaction runs.",
  answers = { [200] = rest.page_of "Availability" },
}, function(req)
  local q = req.query
  local rows, next, status, why = rest.query("availability", {
    cpid = rest.identity(q.cpid), limit = q.limit, cursor = q.cursor,
  })
  if not rows then return problem(status, why) end
  return rest.page(rest.items(rows, AVAILABILITY, { knownMs = "knownAt" }), next)
end)
