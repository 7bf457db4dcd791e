-- What makes of chargers are known to get wrong, and what is done about it: switches for all of a make, by what their
-- BootNotification says (`*` stands for anything). One charger alone: PUT /api/v1/chargepoints/{id}, "options", which has
-- the last word. lua/API.md lists the switches; GET /api/v1/chargepoints/{id} shows which packs fit.

-- Tags come with the serial number of the reader behind them: 04A2B3C4_17619300.
quirk { name = "keba: tags", vendor = "Keba*", tagCutAt = "_" }

-- Drops the connection when an answer comes at once.
quirk { name = "eProWallbox: slow down", model = "*eProWallbox*", replyDelayMs = 1000 }
