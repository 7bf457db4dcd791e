-- The prices of this site. A change is good for sessions that end after the reload; what was priced stays priced.
return {
  name = "2026-11",              -- kept with each price, so that an invoice can be explained years later
  currency = "SEK",
  per_kwh = 7.00,
  night_per_kwh = 5.50,          -- 22:00 to 06:00, site time
  idle_per_minute = 1.50,        -- full, but still plugged in …
  idle_free = 10,                -- … after so many minutes
}
