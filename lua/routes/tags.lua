-- Tags that operators keep over REST; the default policy reads them beside its allow-list.
local rest = require "rest"
local csv = require "csv"

local FIELDS = { "idTag", "status", "expiryDate", "parentIdTag", "note", "maxActive" }
local TIMES = { expiryMs = "expiryDate" }
local CHANGE = {
  idTag = "string?", status = "Accepted|Blocked|Expired|Invalid|ConcurrentTx?", expiryDate = "time?",
  parentIdTag = "string?", note = "string?", maxActive = "integer?",
}

local function shown(tag) return rest.item(tag, FIELDS, TIMES) end

-- An empty note is none: CSV knows no difference.
local function some(text) return text ~= "" and text or nil end

local CSV_PAGE = 200

route("GET /api/v1/tags", {
  query = { limit = "limit", cursor = "string?", format = "json|csv?" },
  doc = "Tags in order of their text; format=csv or Accept: text/csv is all of them, as POST /tags:import takes them.",
  answers = { [200] = { json = rest.page_of "Tag", csv = true } },
}, function(req)
  local function page(after, limit)
    local items, next = core.tags { after = after, limit = limit }
    for _, tag in ipairs(items) do shown(tag) end
    return items, next
  end
  if csv.wanted(req) then
    return csv.answer("tags", FIELDS, function(cursor) return page(cursor or req.query.cursor, CSV_PAGE) end)
  end
  return rest.page(page(req.query.cursor, req.query.limit))
end)

route("GET /api/v1/tags/{idTag}", { query = {}, doc = "One tag.", answers = { [200] = "Tag" } }, function(req)
  local tag = core.tag(req.path.idTag)
  if not tag then return problem(404, "unknown tag") end
  return 200, shown(tag)
end)

route("PUT /api/v1/tags/{idTag}", {
  query = {}, body = CHANGE, doc = "Creates or replaces a tag; in force at once.", answers = { [200] = "Tag" },
}, function(req)
  local body, idTag = req.json, req.path.idTag
  if body.idTag and string.upper(body.idTag) ~= string.upper(idTag) then
    return rest.unfit("/idTag", "is not the tag of the path")
  end
  if body.maxActive and body.maxActive < 1 then return rest.unfit("/maxActive", "expected an integer from 1 on") end
  if body.parentIdTag and utf8.len(body.parentIdTag) > 20 then return rest.unfit("/parentIdTag", "at most 20 characters") end
  local expires = body.expiryDate and parse_time(body.expiryDate)
  local ok, err = core.put_tag {
    idTag = idTag, status = body.status or "Accepted", expiryMs = expires and expires * 1000,
    parentIdTag = body.parentIdTag, note = some(body.note), maxActive = body.maxActive,
  }
  if not ok then return rest.refused(err, CHANGE) end
  local tag = core.tag(idTag)
  if not tag then return problem(404, "the tag was deleted meanwhile") end
  return 200, shown(tag)
end)

route("DELETE /api/v1/tags/{idTag}", { query = {}, doc = "Removes a tag.", answers = { [200] = "Ok" } }, function(req)
  if not core.tag(req.path.idTag) then return problem(404, "unknown tag") end
  local ok, err = core.delete_tag(req.path.idTag)
  if not ok then return rest.refused(err, CHANGE) end
  return 200, { ok = true }
end)

-- ---- many at once ----

local STATUSES = { Accepted = true, Blocked = true, Expired = true, Invalid = true, ConcurrentTx = true }
local BODY_MAX, ROWS_MAX, ERRORS_MAX = 4 << 20, 50000, 100
local PIECE = 64 << 10

-- What is wrong with a text, or nil.
local function fault_of_text(text, most)
  if type(text) ~= "string" then return "expected a text" end
  local length = utf8.len(text)
  if not length or string.find(text, "\0", 1, true) then return "is not UTF-8 text" end
  return most and length > most and "at most " .. most .. " characters" or nil
end

-- The fields of one row that do not fit, as (field, message).
local function faults_of(row)
  local found = {}
  local function fault(field, message) found[#found + 1] = message and { field, message } or nil end
  for field in pairs(row) do
    if not CHANGE[field] then fault(field, "no such field; there are " .. table.concat(FIELDS, ", ")) end
  end
  fault("idTag", row.idTag == "" and "expected a text" or fault_of_text(row.idTag, 20))
  if row.status ~= nil and not STATUSES[row.status] then
    fault("status", "expected Accepted, Blocked, Expired, Invalid or ConcurrentTx")
  end
  if row.expiryDate ~= nil and (type(row.expiryDate) ~= "string" or not parse_time(row.expiryDate)) then
    fault("expiryDate", "expected a time such as 2026-12-31T23:59:59Z")
  end
  if row.parentIdTag ~= nil then fault("parentIdTag", fault_of_text(row.parentIdTag, 20)) end
  if row.note ~= nil then fault("note", fault_of_text(row.note)) end
  local most = row.maxActive
  if most ~= nil and (math.type(most) ~= "integer" or most < 1) then fault("maxActive", "expected an integer from 1 on") end
  return found
end

-- The faults of one import: the first of them as the answer tells them, and how many there are.
local function fault_list()
  local list = { first = json.array(), count = 0 }
  function list.add(row, field, message)
    list.count = list.count + 1
    if list.count > ERRORS_MAX then return end
    local pointer = "/" .. row .. (field ~= "" and "/" .. field or "")
    list.first[list.count] = { pointer = pointer, message = message }
  end
  return list
end

-- One row as core.import_tags takes it, in place: what is imported is there only once.
local function turn(row)
  row.status = row.status or "Accepted"
  row.expiryMs = row.expiryDate and parse_time(row.expiryDate) * 1000
  row.expiryDate = nil
  row.note = some(row.note)
end

-- Judges and turns all rows; each fault has the number of its row (1 is the first).
local function judge(rows, faults)
  local seen = {}
  for i, row in ipairs(rows) do
    if type(row) ~= "table" then
      faults.add(i, "", "expected an object")
    else
      local found = faults_of(row)
      for _, fault in ipairs(found) do faults.add(i, fault[1], fault[2]) end
      local name = type(row.idTag) == "string" and string.upper(row.idTag)
      if name and seen[name] then faults.add(i, "idTag", "is in row " .. seen[name] .. " too") end
      if name then seen[name] = i end
      if #found == 0 then turn(row) end
    end
    if i % 100 == 0 then core.pause() end
  end
end

-- The line of names is row 0. An empty name is a column that a spreadsheet left behind.
local function judge_names(names, faults)
  local seen = {}
  for _, name in ipairs(names) do
    if fault_of_text(name) then
      faults.add(0, "", "the name of a column " .. fault_of_text(name))
    elseif name ~= "" and not CHANGE[name] then
      local hint = string.find(name, "[;\t]") and "columns are parted by commas" or "no such column"
      faults.add(0, name, hint .. "; there are " .. table.concat(FIELDS, ", "))
    elseif name ~= "" and seen[name] then
      faults.add(0, name, "the column is there twice")
    end
    seen[name] = true
  end
  if not seen.idTag then faults.add(0, "idTag", "the column is missing") end
end

-- nil and the problem.
local function rows_of_csv(body, faults)
  local rows, names, number = csv.read(body)
  if not rows then
    faults.add(number, "", names)
    return nil, "row " .. number .. ": " .. names
  end
  judge_names(names, faults)
  for i, row in ipairs(rows) do
    row.maxActive = tonumber(row.maxActive) or row.maxActive
    if i % 100 == 0 then core.pause() end
  end
  return rows
end

-- The last byte before the comma that stands before `at`, if one does.
local function before_comma(text, at)
  repeat at = at - 1 until not string.find(text, "^%s", at)
  return string.sub(text, at, at) == "," and at - 1 or nil
end

-- The items from `at` on, some PIECE bytes of them, and where the next begins; nil, the problem. A { may
-- also stand within a text or deeper: what is before it is then no JSON, and the next { is tried.
local function read_piece(body, at)
  local brace = at + PIECE
  for _ = 1, 20 do
    brace = string.find(body, "{", brace, true)
    if not brace then break end
    local stop = before_comma(body, brace)
    local items = stop and json.decode("[" .. string.sub(body, at, stop) .. "]")
    if items and #items > 0 then return items, brace end
    brace = brace + 1
  end
  local items, err = json.decode("[" .. string.sub(body, at))
  return items, items and #body + 1 or err
end

local function too_many() return nil, "more than " .. ROWS_MAX .. " rows; import in parts" end

-- Piece by piece: all of it at once may take longer than a handler may run.
local function rows_of_json(body)
  local rows, at = {}, string.match(body, "^%s*%[()")
  if not at then return nil, "expected a JSON array of tags" end
  while at <= #body do
    local items, next = read_piece(body, at)
    if not items then
      local message = string.gsub(tostring(next), "at byte (%d+)", function(n) return "at byte " .. n + at - 2 end)
      return nil, "the body is not JSON: " .. message
    end
    table.move(items, 1, #items, #rows + 1, rows)
    if #rows > ROWS_MAX then return too_many() end
    at = next
    core.pause()
  end
  return rows
end

-- Does `text` hold more than `most` of `mark`?
local function has_more(text, mark, most)
  local at, count = 0, 0
  repeat
    at = string.find(text, mark, at + 1, true)
    count = count + 1
    if count % 500 == 0 then core.pause() end
  until not at or count > most
  return at ~= nil
end

-- The rows of the body: CSV with a line of names, or a JSON array. nil, the problem and its status.
-- What would take too much memory is refused before it does.
local function rows_of(req, faults)
  local media = string.lower(req.headers["content-type"] or "")
  if #req.body > BODY_MAX then return nil, "the body may have " .. BODY_MAX .. " bytes at most", 413 end
  local body = string.gsub(req.body, "^\xef\xbb\xbf", "")
  if not string.find(body, "%S") then return nil, "the body is empty" end
  local is_csv = string.find(media, "csv", 1, true)
  local is_json = string.find(media, "json", 1, true)
  if is_json or (not is_csv and string.find(body, "^%s*[%[{]")) then return rows_of_json(body) end
  if has_more(body, "\n", ROWS_MAX + 1) or has_more(body, "\r", ROWS_MAX + 1) then return too_many() end
  return rows_of_csv(body, faults)
end

-- What does not fit, as a problem: nothing was imported.
local function unfit(faults)
  local detail = faults.count == 1 and "one field does not fit" or faults.count .. " fields do not fit"
  if faults.count > ERRORS_MAX then detail = detail .. ", of which the first " .. ERRORS_MAX .. " are named" end
  return problem(422, detail .. "; nothing was imported", { errors = faults.first })
end

route("POST /api/v1/tags:import", {
  query = {}, body = "text", idempotent = true, answers = { [200] = "TagsImported" },
  doc = "Adds or replaces many tags at once, all of them or none: a JSON array, or CSV whose first line names the columns "
     .. "(as GET /tags?format=csv gives them), of at most 4 MiB and 50000 rows. Each fault is told with its row (the first is 1, "
     .. "the line of names 0) and field.",
}, function(req)
  local faults = fault_list()
  local rows, why, status = rows_of(req, faults)
  if not rows then return problem(status or 400, why, faults.count > 0 and { errors = faults.first } or nil) end
  if faults.count == 0 then judge(rows, faults) end
  if faults.count > 0 then return unfit(faults) end
  if #rows == 0 then return 200, { imported = 0 } end
  local ok, err = core.import_tags(rows)
  if ok then return 200, { imported = #rows } end
  local row = err.details and err.details.index
  if not row then return rest.refused(err, CHANGE) end
  return problem(422, "a row does not fit; nothing was imported", {
    errors = json.array { { pointer = "/" .. row, message = err.message } },
  })
end)
