-- CSV (RFC 4180) out and in. Out: cells that a spreadsheet would run as a formula are defused with a
-- leading ', and so are those that begin with such a ' already. In: the quotes of RFC 4180, and that ' taken away again.
local rest = require "rest"

local csv = {}
local PAGE = 200                                      -- rows a question to the store

local function cell(value)
  if value == nil then return "" end
  if type(value) == "table" then value = #value > 0 and table.concat(value, " ") or "" end
  local text = tostring(value)
  -- A negative number is no formula.
  if type(value) == "string" and string.find(text, "^'*[=+%-@\t\r]") then text = "'" .. text end
  if string.find(text, '[",\r\n]') then text = '"' .. string.gsub(text, '"', '""') .. '"' end
  return text
end

function csv.line(columns, row)
  local cells = {}
  for i, name in ipairs(columns) do cells[i] = cell(row[name]) end
  return table.concat(cells, ",") .. "\r\n"
end

-- Does this request want CSV? ?format= decides, else the Accept header.
function csv.wanted(req)
  if req.query.format then return req.query.format == "csv" end
  return string.find(string.lower(req.headers.accept or ""), "text/csv", 1, true) ~= nil
end

-- An answer of all pages: `page(cursor)` returns rows and the next cursor, or nil when the store
-- fails (the list then ends where it is, and the client sees a broken transfer).
function csv.answer(name, columns, page)
  local function all(emit)
    local cursor
    if not emit(table.concat(columns, ",") .. "\r\n") then return end
    repeat
      local rows, lines = nil, {}
      rows, cursor = page(cursor)
      if not rows then error("the store failed within a list: " .. tostring(cursor)) end
      for i, row in ipairs(rows) do lines[i] = csv.line(columns, row) end
      if #lines > 0 and not emit(table.concat(lines)) then return end
    until not cursor
  end
  return 200, all, {
    ["Content-Type"] = "text/csv; charset=utf-8",
    ["Content-Disposition"] = 'attachment; filename="' .. name .. '.csv"',
  }
end

-- The same for a query of the store, from filter.cursor on; `shown` gives a list of rows their members.
function csv.query(name, columns, query, filter, shown)
  local first = filter.cursor
  filter.limit = PAGE
  return csv.answer(name, columns, function(cursor)
    filter.cursor = cursor or first
    local rows, next, _, why = rest.query(query, filter)
    if not rows then return nil, why end
    return shown(rows), next
  end)
end

-- One quoted or plain cell at `at`: its text and where it ends (at the comma, line end or end of text).
local function read_cell(text, at)
  if string.sub(text, at, at) ~= '"' then
    local stop = string.find(text, "[,\r\n]", at) or #text + 1
    return string.sub(text, at, stop - 1), stop
  end
  local parts, from = {}, at + 1
  while true do
    local quote = string.find(text, '"', from, true)
    if not quote then return nil end
    parts[#parts + 1] = string.sub(text, from, quote - 1)
    if string.sub(text, quote + 1, quote + 1) ~= '"' then return table.concat(parts, '"'), quote + 1 end
    from = quote + 2
  end
end

-- The next row as a list of cells, and where the one after it begins; nil, why.
local function read_row(text, at)
  local cells = {}
  while true do
    local value, stop = read_cell(text, at)
    if not value then return nil, "a quote is not closed" end
    cells[#cells + 1] = string.gsub(value, "^'('*[=+%-@\t\r])", "%1")
    local ended = string.sub(text, stop, stop)
    if ended == "," then
      at = stop + 1
    elseif ended == "" then
      return cells, stop
    elseif ended == "\r" and string.sub(text, stop + 1, stop + 1) == "\n" then
      return cells, stop + 2
    elseif ended == "\n" or ended == "\r" then
      return cells, stop + 1
    else
      return nil, "text behind a closing quote"
    end
  end
end

-- All rows as tables by the names in the first row; empty cells and empty lines are left out.
-- nil, why, number of the row (the first is 1) when it is no CSV.
function csv.read(text)
  local rows, at, names = {}, 1, nil
  text = string.gsub(text, "^\xef\xbb\xbf", "")
  while at <= #text do
    local cells, next = read_row(text, at)
    if not cells then return nil, next, #rows + 1 end
    if not names then
      names = cells
    elseif #cells > #names then
      return nil, "more cells than the first line has names", #rows + 1
    elseif #cells > 1 or cells[1] ~= "" then
      local row = {}
      for i, value in ipairs(cells) do if value ~= "" then row[names[i]] = value end end
      rows[#rows + 1] = row
    end
    at = next
    if #rows % 100 == 99 then core.pause() end       -- long lists let others in between
  end
  return rows, names or {}
end

return csv
