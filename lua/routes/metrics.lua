-- Figures for Prometheus. What a figure means is here; C gives name, labels and value (core.figures).
-- Base units: seconds, bytes, joules would be *_joules (energy stays in the transactions).

-- name, as C calls it → { type, help, the name shown where it is another }
local FIGURES = {
  calls_received_total = { "counter", "CALLs received from charge points.", "ocpp_calls_received_total" },
  calls_sent_total = { "counter", "CALLs sent to charge points.", "ocpp_calls_sent_total" },
  call_repeats_total = { "counter", "CALLs of charge points that repeated an earlier one.", "ocpp_call_repeats_total" },
  deviations_total = { "counter", "Payloads of charge points that did not fit the specification and were repaired or refused." },
  unreadable_frames_total = { "counter", "Frames that were no OCPP at all." },
  late_answers_total = { "counter", "Answers of charge points that came after their deadline." },
  orphan_messages_total = { "counter", "Stops and values of transactions that nobody knows; they are kept." },
  refused_admissions_total = { "counter", "Connections that were refused for identity, password or protocol." },
  failed_batches_total = { "counter", "Writes that the store could not make." },
  events_dropped_total = { "counter", "Events that policies did not get because too many waited, by event." },
  charge_points = { "gauge", "Known charge points, by state." },
  open_transactions = { "gauge", "Transactions that are open." },
  pending_starts = { "gauge", "Remote starts that wait for their transaction." },
  policy_generation = { "gauge", "The number of the policies that run; 0 is none." },
  policy_memory_bytes = { "gauge", "Memory of the policies that run." },
  policy_tasks = { "gauge", "Handlers under way." },
  policy_reloads_total = { "counter", "Loads of policies that went well." },
  policy_refusals_total = { "counter", "Loads of policies that were refused." },
  policy_rollbacks_total = { "counter", "Times that earlier policies were brought back." },
  policy_distinct_errors_total = { "counter", "Different errors of policies." },
  policy_calls_total = { "counter", "Calls of policy handlers, by hook." },
  policy_errors_total = { "counter", "Policy handlers that failed, by hook." },
  policy_waits_total = { "counter", "Times that policy handlers waited, by hook." },
  policy_run_seconds = { "histogram", "How long policy handlers ran, without their waits, by hook." },
  route_calls_total = { "counter", "Requests, by method and path." },
  route_errors_total = { "counter", "Requests whose handler failed, by method and path." },
}

local PREFIX = "^chargebridge_"

-- The family of a figure: a histogram has three names.
local function family_of(name)
  for _, part in ipairs { "_bucket", "_sum", "_count" } do
    local family = string.sub(name, 1, -#part - 1)
    if string.sub(name, -#part) == part and FIGURES[family] and FIGURES[family][1] == "histogram" then
      return family, part
    end
  end
  return name, ""
end

-- A figure of a room that is not in the table is still shown: its name tells the type.
local function described(family)
  local known = FIGURES[family]
  if known then return known end
  return { string.find(family, "_total$") and "counter" or "gauge", (string.gsub(family, "_", " ")) .. "." }
end

local function number(value)
  local whole = math.tointeger(value)
  return whole and string.format("%d", whole) or string.format("%.9g", value)
end

-- All lines; the figures of one family stand together, in the order in which they first came.
local function exposition(figures)
  local order, families = {}, {}
  for _, figure in ipairs(figures) do
    local family, part = family_of((string.gsub(figure.name, PREFIX, "")))
    local known = described(family)
    local shown = "chargebridge_" .. (known[3] or family)
    if not families[family] then
      order[#order + 1] = family
      families[family] = { "# HELP " .. shown .. " " .. known[2], "# TYPE " .. shown .. " " .. known[1] }
    end
    local lines = families[family]
    lines[#lines + 1] = shown .. part .. (figure.labels ~= "" and "{" .. figure.labels .. "}" or "") .. " " .. number(figure.value)
  end
  for i, family in ipairs(order) do order[i] = table.concat(families[family], "\n") end
  return table.concat(order, "\n") .. "\n"
end

local TEXT = "text/plain; version=0.0.4; charset=utf-8"

-- Prometheus asks for /metrics unless it is told otherwise.
for _, path in ipairs { "/api/v1/metrics", "/metrics" } do
  route("GET " .. path, {
    query = {}, doc = "Figures in the text format of Prometheus.", answers = { [200] = { content = "text/plain" } },
  }, function()
    return 200, exposition(core.figures()), { ["Content-Type"] = TEXT }
  end)
end
