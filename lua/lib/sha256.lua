-- SHA-256 of a text, in hex (FIPS 180-4): for the `hash` of the kept endpoints. For short texts: a
-- kilobyte takes about a third of a millisecond.

-- The first 32 bits of the fraction of n^(1/power); doubles have room to spare.
local function fraction(n, power)
  local root = n ^ (1 / power)
  return math.tointeger((root - root // 1) * 4294967296 // 1)
end

local ROUND, START = {}, {}                          -- of the first 64 and the first 8 primes
local number = 2
while #ROUND < 64 do
  local prime = true
  for divisor = 2, math.tointeger(number ^ 0.5 // 1) do prime = prime and number % divisor ~= 0 end
  if prime then
    ROUND[#ROUND + 1] = fraction(number, 3)
    if #START < 8 then START[#START + 1] = fraction(number, 2) end
  end
  number = number + 1
end

local function turn(x, bits) return (x >> bits | x << (32 - bits)) & 0xffffffff end

local function block(state, text, at)
  local w = { string.unpack(">I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4", text, at) }
  for i = 17, 64 do
    local x, y = w[i - 15], w[i - 2]
    w[i] = w[i - 16] + (turn(x, 7) ~ turn(x, 18) ~ x >> 3) + w[i - 7] + (turn(y, 17) ~ turn(y, 19) ~ y >> 10)
         & 0xffffffff
  end
  local a, b, c, d, e, f, g, h = state[1], state[2], state[3], state[4], state[5], state[6], state[7], state[8]
  for i = 1, 64 do
    local t1 = h + (turn(e, 6) ~ turn(e, 11) ~ turn(e, 25)) + (e & f ~ ~e & g) + ROUND[i] + w[i]
    local t2 = (turn(a, 2) ~ turn(a, 13) ~ turn(a, 22)) + (a & b ~ a & c ~ b & c)
    a, b, c, d, e, f, g, h = t1 + t2 & 0xffffffff, a, b, c, d + t1 & 0xffffffff, e, f, g
  end
  for i, value in ipairs { a, b, c, d, e, f, g, h } do state[i] = state[i] + value & 0xffffffff end
end

return function(text)
  local state = { table.unpack(START) }
  local padded = text .. "\x80" .. string.rep("\0", (55 - #text) % 64) .. string.pack(">I8", 8 * #text)
  for at = 1, #padded, 64 do block(state, padded, at) end
  return string.format(string.rep("%08x", 8), table.unpack(state))
end
