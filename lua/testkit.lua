-- The words of policy tests: t.authorize, t.meter, t.advance … (POLICY.md, section 2).
--
-- Returns a function of the primitives in src/policy/testkit_lua.c, called once for each build; it
-- returns what makes a fresh `t` for each test. Chargers connect and boot when they are first named. Whatever a word does,
-- it returns when everything that follows from it has happened: handlers have run, chargers have
-- answered. Only time stands still until t.advance.

-- What a well-meaning charger answers.
local default_answers = {
  GetConfiguration = { configurationKey = json.array(), unknownKey = json.array() },
  GetLocalListVersion = { listVersion = 0 },
  GetDiagnostics = {},
  UpdateFirmware = {},
  UnlockConnector = { status = "Unlocked" },
}

-- What t.meter sends besides energy, power and state of charge.
local more_measurands = {
  { name = "current", measurand = "Current.Import", unit = "A" },
  { name = "voltage", measurand = "Voltage", unit = "V" },
  { name = "temperature", measurand = "Temperature", unit = "Celsius" },
}

local function same(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function show(value)
  if type(value) == "string" then return '"' .. value .. '"' end
  if type(value) == "table" then
    local ok, text = pcall(json.encode, value)
    if ok then return text end
  end
  return tostring(value)
end

-- The innermost caller's line is the test's own: level 1 is here, 2 the word, 3 the test.
local function check(ok, text)
  if not ok then error(text, 3) end
end

local function new_test(kit)
  local t = {}
  local answers, sent, meters = {}, {}, {}
  local http_answers, requested = {}, {}

  -- The charger's answer to a CALL: a payload, or nil and what happens instead.
  local function answer_to(cp, action, payload)
    local answer = answers[action]
    if type(answer) == "function" then answer = answer(chargepoint(cp), payload) end
    if answer == nil then answer = default_answers[action] or { status = "Accepted" } end
    if type(answer) == "table" then return answer end
    return nil, answer
  end

  local function stop_by_remote(cp, action, payload, answer)
    if action ~= "RemoteStopTransaction" or answer.status ~= "Accepted" then return end
    local tx = transaction(payload.transactionId)
    if tx then t.stop(tx, { reason = "Remote" }) end
  end

  local function answer_call(cp, id, action, payload)
    local call = { cp = cp, action = action, payload = payload }
    sent[#sent + 1] = call
    local answer, instead = answer_to(cp, action, payload)
    call.accepted = answer ~= nil and answer.status == "Accepted"
    if answer then
      kit.reply(cp, id, answer)
      stop_by_remote(cp, action, payload, answer)
    elseif instead == "offline" then
      kit.disconnect(cp)
    elseif instead ~= "timeout" then
      kit.reply(cp, id, nil, instead)
    end
  end

  -- `*` in a pattern of t.http stands for anything.
  local function url_fits(pattern, url)
    local escaped = string.gsub(pattern, "[^%w*]", "%%%0")
    return string.find(url, "^" .. string.gsub(escaped, "%*", ".*") .. "$") ~= nil
  end

  local function json_of(text)
    return text ~= "" and json.decode(text) or nil
  end

  local function answer_http(number, request)
    request.json = json_of(request.body)
    requested[#requested + 1] = request
    local answer
    for i = #http_answers, 1, -1 do
      if url_fits(http_answers[i].url, request.url) then
        answer = http_answers[i].answer
        break
      end
    end
    if type(answer) == "function" then answer = answer(request) end
    if answer == nil then
      kit.http_fail(number, "unreachable", "nothing in this test answers " .. request.url)
    elseif type(answer) == "string" then
      kit.http_fail(number, answer, answer .. ", because the test says so")
    else
      local headers = {}
      for name, value in pairs(answer.headers or {}) do headers[string.lower(name)] = value end
      if answer.json ~= nil then headers["content-type"] = headers["content-type"] or "application/json" end
      kit.http_answer(number, answer.status or 200,
                      answer.body or (answer.json ~= nil and json.encode(answer.json)) or "", headers)
    end
  end

  -- Until nothing is left to happen at this moment.
  local function settle()
    while true do
      local number, request = kit.next_http()
      local cp, id, action, payload
      if number then
        answer_http(number, request)
      else
        cp, id, action, payload = kit.next_call()
        if cp then
          answer_call(cp, id, action, payload)
        elseif not kit.next_http() then
          return
        end
      end
    end
  end

  local function exchange(cp, action, payload)
    local id = kit.send(cp, action, payload or {})
    settle()
    return kit.result(id)
  end

  function t.connect(cp)
    kit.connect(cp)
    exchange(cp, "BootNotification",
             { chargePointVendor = "ChargeBridge", chargePointModel = "Test" })
  end

  local function need(cp)
    if not kit.online(cp) then t.connect(cp) end
  end

  function t.disconnect(cp)
    kit.disconnect(cp)
    settle()
  end

  function t.call(cp, action, payload)
    need(cp)
    return exchange(cp, action, payload)
  end

  function t.answers(action, answer) answers[action] = answer end

  function t.http(url, answer)
    check(type(url) == "string", "t.http: argument 1 (url) must be a pattern, as \"http://backend/*\"")
    http_answers[#http_answers + 1] = { url = url, answer = answer }
  end

  function t.requested(url)
    local found = {}
    for _, request in ipairs(requested) do
      if not url or url_fits(url, request.url) then found[#found + 1] = request end
    end
    return found
  end

  function t.webhooks(name)
    local found = {}
    for _, message in ipairs(kit.webhooks()) do
      if not name or message.webhook == name then found[#found + 1] = message end
    end
    return found
  end

  function t.sent(cp, action)
    local found = {}
    for _, call in ipairs(sent) do
      if (not cp or call.cp == cp) and (not action or call.action == action) then
        found[#found + 1] = call
      end
    end
    return found
  end

  function t.called(cp, action)
    local calls = t.sent(cp, action)
    return calls[#calls] and calls[#calls].payload
  end

  -- The limit that a charger was told last for this transaction, and its unit.
  function t.limit(tx)
    local calls = t.sent(tx.cp.id, "SetChargingProfile")
    for i = #calls, 1, -1 do
      local profile = calls[i].payload.csChargingProfiles
      if profile.transactionId == tx.id and calls[i].accepted then
        local schedule = profile.chargingSchedule
        return schedule.chargingSchedulePeriod[1].limit, schedule.chargingRateUnit
      end
    end
  end

  function t.advance(time)
    local left = duration(time) * 1000 // 1
    while left > 0 do
      left = left - kit.sleep(left)
      settle()
    end
  end

  function t.clock(time)
    local at, err = time, nil
    if type(time) == "string" then at, err = parse_time(time) end
    check(at, "t.clock: " .. tostring(err))
    kit.set_clock(at)
  end

  function t.tag(tag)
    kit.tag(tag)
    settle()
  end

  local function start(cp, idTag, connector)
    local answer = t.call(cp, "StartTransaction", {
      connectorId = connector or 1, idTag = idTag, meterStart = 0, timestamp = timestamp(),
    })
    return answer
  end

  function t.authorize(idTag, cp, ask)
    ask = ask or {}
    check(type(idTag) == "string", "t.authorize: argument 1 (idTag) must be a string")
    check(type(cp) == "string", "t.authorize: argument 2 (cp) must be the identity of a charger")
    local answer
    if ask.purpose == "start" then
      answer = start(cp, idTag, ask.connector)
    else
      check(ask.purpose == nil or ask.purpose == "authorize",
            't.authorize: purpose must be "authorize" or "start"; stops have t.stop')
      answer = t.call(cp, "Authorize", { idTag = idTag })
    end
    check(answer, "t.authorize: the server answered an error")
    return answer.idTagInfo.status, answer.idTagInfo
  end

  function t.transaction(what)
    check(type(what) == "table" and what.cp and what.idTag,
          "t.transaction: needs a table with cp and idTag")
    local answer = start(what.cp, what.idTag, what.connector)
    check(answer, "t.transaction: the server answered an error")
    local tx = kit.tx(answer.transactionId)
    meters[tx.id] = 0
    if what.kwh then
      meters[tx.id] = what.kwh * 1000
      t.meter(tx, { every = 0 })
    end
    return tx, answer.idTagInfo.status
  end

  local function sample(measurand, unit, value, format)
    return { measurand = measurand, unit = unit, value = string.format(format or "%.0f", value) }
  end

  local function meter_once(tx, what)
    local samples = { sample("Energy.Active.Import.Register", "Wh", meters[tx.id]) }
    if what.power then samples[#samples + 1] = sample("Power.Active.Import", "W", what.power) end
    if what.soc then samples[#samples + 1] = sample("SoC", "Percent", what.soc) end
    for _, more in ipairs(more_measurands) do
      local value = what[more.name]
      if value then samples[#samples + 1] = sample(more.measurand, more.unit, value, "%.1f") end
    end
    exchange(tx.cp.id, "MeterValues", {
      connectorId = tx.connector, transactionId = tx.id,
      meterValue = { { timestamp = timestamp(), sampledValue = samples } },
    })
  end

  function t.meter(tx, what)
    local every = duration(what.every or "60s")
    for _ = 1, what.count or 1 do
      if not tx.active then return end
      t.advance(every)
      if not tx.active then return end
      meters[tx.id] = (meters[tx.id] or 0) + (what.power or 0) * every / 3600
      meter_once(tx, what)
    end
  end

  function t.stop(tx, what)
    check(what == nil or type(what) == "table", "t.stop: argument 2 must be a table")
    what = what or {}
    check(tx.active, "t.stop: the transaction is over already")
    return (exchange(tx.cp.id, "StopTransaction", {
      transactionId = tx.id, idTag = what.idTag, reason = what.reason,
      meterStop = (meters[tx.id] or 0) // 1 | 0, timestamp = timestamp(),
    }))
  end

  function t.status(cp, connector, status, errorCode)
    t.call(cp, "StatusNotification",
           { connectorId = connector, status = status, errorCode = errorCode or "NoError" })
  end

  function t.request(what, body, headers)
    local method, path = string.match(what, "^(%u+) (/.*)$")
    check(method, 't.request: write "GET /path"')
    local token = kit.request(method, path, body, headers)
    settle()
    local status, answer = kit.answer(token)
    check(status, "t.request: no answer yet; t.advance may help")
    return status, answer
  end

  t.allow_errors = kit.allow_failures

  function t.eq(got, wanted, what)
    check(same(got, wanted), string.format("%sexpected %s, got %s", what and what .. ": " or "",
                                           show(wanted), show(got)))
  end

  function t.ok(value, what)
    check(value, (what or "the value") .. " is " .. tostring(value))
  end

  return setmetatable(t, { __index = function(_, name) error(kit.unknown(name), 2) end })
end

return function(kit)
  return function() return new_test(kit) end
end
