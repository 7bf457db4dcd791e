-- Commands to chargers, and what their results become in REST. Exactly one result each (C3):
-- the charger's answer, its CALLERROR, nothing in time, or why it never went out.
--
-- ask.whole answers a route that shows the result as it is; ask.payload is for routes that want one
-- word of the charger and turn everything else into a problem.
local rest = require "rest"
local ask = {}

-- States of commands, for queries. A command is queued until it has ended, and unknown if the server
-- ended first.
ask.STATES = "queued|accepted|error|timeout|offline|refused|cancelled|unknown?"

local COMMAND = {
  "id", "cpid", "action", "state", "payload", "response", "errorCode", "errorDescription", "errorDetails", "why",
  "askedBy", "batch", "askedAt", "sentAt", "endedAt",
}
local TIMES = { askedMs = "askedAt", sentMs = "sentAt", endedMs = "endedAt" }

-- Rows of the queries "command" and "commands", as they are shown.
function ask.commands(rows) return rest.items(rows, COMMAND, TIMES) end

local SHOWN = {
  accepted = { "status", "response", "ms", "id" },
  error = { "status", "errorCode", "errorDescription", "errorDetails", "ms", "id" },
  timeout = { "status", "ms", "id" },
}

-- core.command, and whether the charger was there when we asked: what "offline" then means.
function ask.command(cpid, command)
  local cp = core.chargepoint(cpid)
  local result = core.command(cpid, command)
  result.was_online = cp and cp.online
  return result
end

local function gone(result)
  if result.was_online then return problem(502, "the connection went away before the charger answered") end
  return problem(409, "the charge point is not connected")
end

local function refused(result)
  if not result.queueFull then return problem(409, result.why or "the command was refused") end
  local status, body, headers = problem(429, result.why or "the charge point's queue is full")
  headers["Retry-After"] = "5"
  return status, body, headers
end

local function invalid(result)
  return problem(422, "the payload does not fit the action", { errors = json.array(result.errors or {}) })
end

-- By status of the result; those of ask.whole that are answers and no problems are not here.
local PROBLEMS = {
  offline = gone, refused = refused, invalid = invalid,
  cancelled = function(r) return problem(503, r.why or "the command was cancelled") end,
  unknown = function() return problem(404, "unknown charge point") end,
  not_implemented = function(r) return problem(501, r.why or "this version of OCPP has no such action") end,
  not_supported = function(r) return problem(501, r.why or "chargers ask this of us, not we of them") end,
  bad_json = function(r) return problem(400, r.why or "the body is not JSON") end,
}

-- The problem of a result that is no answer, or nil.
function ask.problem(result)
  local make = PROBLEMS[result.status]
  if make then return make(result) end
end

-- 200 with `status` accepted, error or timeout; else a problem.
function ask.whole(result)
  if PROBLEMS[result.status] then return ask.problem(result) end
  local shown = {}
  for _, name in ipairs(SHOWN[result.status]) do shown[name] = result[name] end
  return 200, json.ordered(SHOWN[result.status], shown)
end

-- The payload of the charger's answer, or nil and a function that answers with the problem:
--   local payload, failed = ask.payload(result); if not payload then return failed() end
function ask.payload(result)
  if result.status == "accepted" then return result.response end
  return nil, function()
    if result.status == "timeout" then return problem(504, "the charger did not answer in time") end
    if result.status ~= "error" then return ask.problem(result) end
    return problem(502, string.format("the charger answered %s: %s", result.errorCode, result.errorDescription or ""), {
      errorCode = result.errorCode, errorDescription = result.errorDescription, errorDetails = result.errorDetails,
    })
  end
end

-- The same for actions that answer with a word: the payload if the word is one of `fine`, else 409.
function ask.word(result, ...)
  local payload, failed = ask.payload(result)
  if not payload then return nil, failed end
  for _, word in ipairs { ... } do
    if payload.status == word then return payload end
  end
  return nil, function()
    return problem(409, string.format("the charger answered %s", tostring(payload.status)), { response = payload })
  end
end

return ask
