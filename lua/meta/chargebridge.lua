---@meta
-- Generated from the API rows (src/policy/api_*.c) by `chargebridge api`. Do not edit.

---@alias route_body string|table|fun(emit: fun(text: string): boolean)
---@alias route_handler fun(req: req): integer, route_body?, table<string, string>?

---Events: define a function and it is called. Lower-case names are events of ChargeBridge, CamelCase names are raw OCPP actions (on.DataTransfer).
---@class on
---@field identify fun(path: string, headers: table<string, string>): string|false|nil Who connects? The identity (it is welcome, known or not), false to refuse, nothing to let the path and the list of charge points decide. Runs before the connection is accepted and cannot wait.
---@field boot fun(cp: cp, info: table): status: string?, more: table? BootNotification: "Accepted", "Pending" or "Rejected", and {interval = seconds, why = text}. Default: by the charge point's registration.
---@field authorize fun(idTag: string, cp: cp, ask: table): status: string?, more: table? May this idTag (upper case) charge? "Accepted", "Blocked", "Expired", "Invalid" or "ConcurrentTx", and {parentIdTag, expiryDate, why}. ask = {purpose = "authorize", "start" or "stop", connector, transaction}. Default: Invalid.
---@field start fun(tx: tx) A transaction began; it is stored and answered already.
---@field price fun(tx: tx): { currency: string, tariff?: string, why?: string, lines?: { name: string, amount: number, quantity?: number, unit?: string, unit_price?: number }[], [string]: number }? What does the transaction cost? Asked once when it has ended, before on.stop; cannot wait. {currency = "EUR", energy = 1.234, start = 0.35}: every other member is a line, or the lines as a list. The core rounds each line once, half away from zero, and sums. Default: no price; if it fails, tx.flags.unpriced. A price never changes: if a real stop comes after an estimate, it stays, and the transaction is flagged price_estimated.
---@field stop fun(tx: tx) A transaction ended: tx.stop_reason, tx.kwh, tx.price. Runs once; what a handler that does not wait has written is stored together with that. One that waits may run again after a crash or a reload.
---@field meter fun(tx: tx, m: table) Meter values within a transaction. m = {time (s), energy (Wh), power (W), soc (%), voltage (V), current (A), temperature (°C), implausible, samples}; what was not measured is nil.
---@field status fun(cp: cp, connector: integer, status: string, previous: string?) The status of a connector changed (0 = the charge point itself). Repeats raise no event.
---@field remote_start_expired fun(cp: cp, pending: { connector?: integer, idTag: string, vars: table, created: integer }) A remote start that the charge point accepted, but no StartTransaction came of it in time.
---@field rebalance fun(site: site) The chargers of a site share its power anew: a transaction began or ended, a status changed, a charge point came or went, the base load changed, and once a minute. Never two at once for one site.
---@field reminder fun(tx: tx, name: string) The time of a tx:remind has come; it is told once, while the transaction is open. What was due while the server was down is told after its start, when chargers may still be offline. What a handler that does not wait has written (vars, store) is stored together with that; one that waits and is cut off, by a crash or a reload, is told again.
---@field online fun(cp: cp) A charge point connected.
---@field offline fun(cp: cp) A charge point's connection is gone.
---@field [string] fun(cp: cp, req: table): table? A raw OCPP action.
on = {}

---The time in seconds since 1970 (UTC).
---@type fun(): integer
now = nil

---So many minutes, in seconds.
---@type fun(count: number): number
minutes = nil

---So many hours, in seconds.
---@type fun(count: number): number
hours = nil

---So many days, in seconds.
---@type fun(count: number): number
days = nil

---Seconds from a text such as "90s", "15m", "2h", "1d" or "1h30m".
---@type fun(text: string|number): number
duration = nil

---A time as text, "2026-05-01T12:00:00Z"; without an argument the time now.
---@type fun(seconds?: number): string
timestamp = nil

---Seconds since 1970 from a date or date and time; without a zone it is site time. nil and an error if the text is neither.
---@type fun(text: string): integer?, err?
parse_time = nil

---Hours of the week in site time: "22:00-06:00", "mon-fri 08:00-18:00, sat 09:00-12:00".
---@type fun(hours: string): window
window = nil

---Hours of the week, such as "22:00-06:00" or "mon-fri 08:00-18:00, sat 09:00-12:00".
---@class window
---@field contains fun(self: window, time?: number): boolean Is that time, or now, within the window? In site time.

---Lines in the server's log, at most 20 a second from a file; one line tells how many more there were. Silent while tests run.
---@class log
---@field info fun(format: any, ...: any) Writes a line; the format is that of string.format.
---@field warn fun(format: any, ...: any) The same, as a warning.
---@field error fun(format: any, ...: any) The same, as an error.
---@field debug fun(format: any, ...: any) The same, shown only if the server logs at debug level.
log = {}

---JSON that keeps integers, empty lists and the order of members.
---@class json
---@field encode fun(value: any): string Strict JSON; members are sorted by name. Raises for what JSON has no word for (a function, NaN).
---@field decode fun(text: string): any, err? The value, or nil and an error. Integers stay integers, null members are left out.
---@field array fun(list?: table): table Marks a list so that it is written as [ ] even while it is empty; returns it.
---@field ordered fun(names: string[], object: table): table Marks an object: members are written in this order, and as null while they are nil.
---@field null any null inside of lists; the same value as cjson.null.
json = {}

---The charge point of that identity, or nil if none is known.
---@type fun(id: string): cp?
chargepoint = nil

---For loops: all known charge points, in the order of their first contact.
---@type fun(): fun(): cp?
chargepoints = nil

---A charge point. May be kept for any time; once it is gone, online is false, connectors is empty and everything else but id and vars is nil.
---@class cp
---@field id string Its identity, spelled as at the first contact.
---@field online boolean Is it connected?
---@field registration "accepted"|"pending"|"rejected"|nil How it was registered.
---@field version string? The OCPP version of its last connection, "1.6".
---@field vendor string? As in its last BootNotification.
---@field model string? As in its last BootNotification.
---@field serial string? As in its last BootNotification.
---@field firmware string? As in its last BootNotification.
---@field rating_w integer? What a connector gives at most, in W: its option ratingW.
---@field address string? The address that it is connected from.
---@field connectors table<integer, connector> Its connectors by connectorId as they are now (a copy); 0 is the controller.
---@field limit_amps number? The limit that was set by cp:limit, in A per phase.
---@field last_seen integer? When it was last heard of, in seconds since 1970.
---@field vars vars Values that outlive reloads and restarts.
---@field call fun(self: cp, action: string, payload?: table, options?: { timeout?: string|number }): table?, err? Sends a CALL; the payload is spelled as on the wire. The answer's payload, or nil and an error: err.code is "offline", "timeout", "refused", "gone" or the code of a CALLERROR. **Waits.**
---@field start fun(self: cp, what: { connector?: integer, idTag: string, vars?: table }): true?, err? RemoteStartTransaction; vars become part of tx.vars of the transaction that comes of it. err.code also "Rejected". **Waits.**
---@field limit fun(self: cp, limit?: { amps?: number, watts?: number }): true?, err? Limits all its connectors together, as tx:limit does one transaction.
---@field unlock fun(self: cp, connector: integer): true?, err? UnlockConnector; err.code also "UnlockFailed", "NotSupported". **Waits.**
---@field trigger fun(self: cp, message: string, connector?: integer): true?, err? TriggerMessage; err.code also "Rejected", "NotImplemented". **Waits.**
---@field reset fun(self: cp, type?: "Soft"|"Hard"): true?, err? Reset, soft if not told otherwise; err.code also "Rejected". **Waits.**
---@field configure fun(self: cp, keys: table<string, string|number|boolean>): true?, err? One ChangeConfiguration a key. true if all were taken; else err.code is the first other answer ("Rejected", "NotSupported", "offline" …) and err.details has the answer of each key: cp:configure { HeartbeatInterval = 300 }. **Waits.**
---@field pending fun(self: cp, connector?: integer): { idTag: string, connector?: integer, vars: table, since: integer }? The remote start that waits there for its StartTransaction.
---@field note_pending fun(self: cp, connector: integer?, vars: table): boolean Adds to its vars; false if none waits.

---A connector as it was when read.
---@class connector
---@field id integer connectorId.
---@field status string? As in its last StatusNotification.
---@field error_code string? As in its last StatusNotification.
---@field info string? As in its last StatusNotification.
---@field since integer? When it got this status, in seconds since 1970.
---@field transaction tx? The open transaction.

---The oldest open transaction that matches, or nil: transaction { idTag = idTag }.
---@type fun(filter: integer|{ idTag?: string, cp?: cp|string, connector?: integer, id?: integer }): tx?
transaction = nil

---For loops: all open transactions that match, oldest first.
---@type fun(filter?: { idTag?: string, cp?: cp|string, connector?: integer, id?: integer }): fun(): tx?
transactions = nil

---A transaction. May be kept for any time; once it is over, active is false and everything else but id is nil.
---@class tx
---@field id integer Its number (transactionId).
---@field active boolean Is it open? False from on.stop on.
---@field cp cp? Its charge point.
---@field connector integer? connectorId.
---@field idTag string? Who started it, in upper case.
---@field parentIdTag string? The group of the tag, in upper case.
---@field start integer? When it began, in seconds since 1970.
---@field kwh number? Energy so far, or of the whole, in kWh; nil if it cannot be told.
---@field energy_wh integer? The same in Wh.
---@field power integer? The newest power, in W.
---@field soc integer? The newest state of charge, in percent.
---@field seconds integer? How long it lasts so far, or lasted.
---@field ended integer? When it ended; nil while it is open.
---@field idle_minutes integer? Whole minutes since the car last drew more than 300 W, or since the start if it never did; 0 while it charges. Counts to the newest meter value, in on.price and on.stop to the end.
---@field last_meter integer? When the newest meter value was taken; until then its start.
---@field meter_start integer? The meter at its start, in Wh.
---@field stop_reason string? Why it ended, in on.stop (and in tests, after it).
---@field flags table<string, boolean> Why its figures need care: refused, suspect_clock, suspect_meter, stale, estimated, gap, late, incomplete, unpriced, session_register, price_estimated.
---@field price price? What it costs: in on.stop, if on.price said so (and in tests, after it).
---@field cost fun(self: tx): price?, err? What it would cost if it ended now: runs on.price (which cannot wait). err.code "unpriced": no policy prices it; "failed": on.price failed; "gone": it is over.
---@field limit_amps number? The limit that was set by tx:limit, in A per phase.
---@field max_amps number? What its connector can give, in A per phase: by the rating of the charge point, else the fuse of its site.
---@field wants_power boolean Does the car want power? False once it suspended by itself, until it charges again.
---@field vars vars Values that outlive reloads and restarts.
---@field limit fun(self: tx, limit?: { amps?: number, watts?: number }): true?, err? Limits it to amps per phase, or to watts in all; nil: no limit any more. Does not wait: the core sends the profile, rounded down and shaped for the charger (below 6 A is 0), again after it was away, and nothing if the limit is the same.
---@field window fun(self: tx, quantity: "power"|"soc"|"energy"|"current"|"voltage"|"temperature", span: string|number): { mean?: number, min?: number, max?: number, first: number, last: number, delta: number, count: integer, seconds: number }? What was measured in the last `span` ("10m"), up to the end of one that is over; nil if nothing was. W, %, Wh (no mean, min, max), A, V, °C; the mean is weighted by time. Begins with the value at the beginning of the span, if one was measured before; `seconds` is how much of the span is covered.
---@field slices fun(self: tx, period?: string|number): fun(): { start: integer, seconds: number, kwh?: number, energy_wh?: integer, kw?: number, hour: integer, minute: integer, weekday: integer, date: string }? For loops: its time cut at whole quarters of an hour (or another period that divides a day) of site time, with the energy of each; they add up to tx.energy_wh. hour … date are of its beginning, weekday 1 is Monday. kwh is nil if the energy cannot be told.
---@field remind fun(self: tx, name: string, delay?: string|number): true?, err? Runs on.reminder(tx, name) after that time, also after a reload or a restart, unless the transaction ends before. The same name again replaces it; without a delay it is cancelled. Up to 16 names. err.code "gone": it is over.
---@field stop fun(self: tx, reason?: string): true?, err? RemoteStopTransaction. The reason is kept in tx.vars.stop_reason and is what tx.stop_reason reads once it ended. err.code also "Rejected". **Waits.**

---What a transaction costs, in whole numbers of the currency's smallest unit. Each line was rounded once, half away from zero, as the decimal that the policy meant.
---@class price
---@field currency string ISO 4217: "EUR".
---@field digits integer Digits behind the point of that currency: 2; 0 for JPY.
---@field total integer The sum, in the smallest unit: 1234 is 12.34 EUR.
---@field text string The sum to be read: "12.34 EUR".
---@field lines { name: string, amount: integer, quantity?: number, unit?: string, unit_price?: number }[] What it is made of; amounts in the smallest unit.
---@field tariff string? The version of the tariff, as on.price said.

---While a file loads: site "depot" { chargers = { "CP1" } or "*", fuse = 100 } defines a site; also phases = 3, voltage = 230, base_load = 0 (A), failsafe (A a connector has without the server, and a car that arrives until its first limit, for which the guard keeps no room: 6, or 0 if the fuse is too small for that at all of them; false: none), settle = "5s" (how long a car may take to follow a lower limit). Later: that site, or nil.
---@type fun(name: string): site?
site = nil

---Chargers behind one fuse. The core guards it: limits are lowered at once, and raised only as far as all cars together stay under fuse and base load.
---@class site
---@field name string Its name.
---@field fuse number? A per phase.
---@field phases integer? 1 or 3.
---@field voltage number? V of a phase.
---@field base_load number? A per phase of everything that is no charger. May be set at any time; kept until the definition changes.
---@field failsafe number? A that a connector has without the server.
---@field vars vars Values that outlive reloads and restarts.
---@field charging fun(self: site): tx[] The transactions at its chargers whose cars want power, oldest first; those of chargers that are offline are among them.
---@field idle fun(self: site): tx[] The others: full cars and such (tx.wants_power is false), oldest first.
---@field rebalance fun(self: site) on.rebalance runs soon, for a policy that knows of a change that the core does not.
---@field chargers fun(self: site): cp[] Its charge points that are known, in the order of their first contact.
---@operator call({ chargers: string[]|"*", fuse: number, phases?: integer, voltage?: number, base_load?: number, failsafe?: number|false, settle?: string|number }): site

---Small values of a charge point or transaction that outlive reloads and restarts: nil, booleans, numbers, strings and tables of these, at most 16 KiB. Copied in and out: change a table, then assign it again. Of a gone owner they read nil.
---@class vars

---Why something that may fail did fail: second result of the functions that return nil then.
---@class err
---@field code string "offline", "timeout", "refused", "gone", "invalid" … or the code of a CALLERROR.
---@field message string For people; what tostring(err) gives.
---@field details table? The errorDetails of a CALLERROR; of cp:configure, the answer of each key.

---Values that outlive reloads and restarts, shared by all policies.
---@class store
---@field get fun(key: string): any The value kept under that key, a copy; nil if there is none or its time is over.
---@field set fun(key: string, value: any, options?: { ttl?: string|number }) Keeps a value (nil deletes it), for ever or for `ttl` ("1h"). Keys up to 255 bytes, values up to 64 KiB. Read back at once; on disk with the next commit.
---@field add fun(key: string, delta: number, options?: { once?: string, min?: number, max?: number, ttl?: string|number }): number?, err? Adds to a number (0 if there is none) and gives the new one; integers stay integers. A step that leads below `min` or above `max` is not made: nil and err.code "refused". With `once` a token ("stop 17") is remembered for 90 days, and a second time is not added: err.code "once". err.details.value is what stands there. Without `ttl` it keeps the time it has.
---@field keys fun(prefix?: string): fun(): string?, any For loops: for key, value in store.keys "wallet/" do. In order of the keys; what is stored when the loop begins.
store = {}

---Other machines, by HTTP: those that the configuration allows.
---@class http
---@field get fun(url: string, options?: { headers?: table<string, string>, timeout?: string|number }): http_answer?, err? Asks a host of policies.http_hosts. Redirects are answers. `timeout` at most 5s, and never longer than the handler may still take. err.code: "timeout", "unreachable", "refused" (the host is not allowed), "too_large" (over 1 MiB). **Waits.**
---@field post fun(url: string, body?: table|string, options?: { headers?: table<string, string>, timeout?: string|number, method?: "POST"|"PUT"|"PATCH"|"DELETE" }): http_answer?, err? Sends a table as JSON, or a text, and gives the answer as http.get does. For what must not be lost there are webhooks. **Waits.**
---@field escape fun(text: string): string The text as it may stand in a URL: "http://backend/cards/" .. http.escape(idTag).
http = {}

---What came back.
---@class http_answer
---@field status integer 200 …; what is not 2xx is an answer too.
---@field body string As it came.
---@field json any The body as a value, if it is strict JSON; else nil.
---@field headers table<string, string> By name, in lower case.

---Declared while files load: `webhook "crm" { url = "https://…", secret = "…", headers = {…} }`; used later: `webhook("crm"):send("stop", {…})`. Each delivery is a POST with X-ChargeBridge-Event, -Id and, with a secret, -Signature: t=…,v1=HMAC-SHA256 of "t.body". What is not answered 2xx is sent again, after 5s up to 15m, for 3 days. The host must be in policies.http_hosts.
---@type fun(name: string): webhook
webhook = nil

---A receiver of events in another system.
---@class webhook
---@field send fun(self: webhook, event: string, payload?: any): string?, err? Takes the payload in and gives its id; it is delivered later, in order and at least once, over restarts too: { id, webhook, event, created, data }. nil and an error when 10,000 wait already, or it is longer than 64 KiB.
---@field name string As declared.
---@operator call({ url: string, secret?: string, headers?: table<string, string> }): webhook

---While a file loads: switches for all chargers that fit the patterns (`*` stands for anything, case does not matter): quirk { name = "keba", vendor = "KEBA*", tagCutAt = "_" }. The switches are those of `options` of PUT /api/v1/chargepoints/{cpid}, which has the last word: strict, acceptTxBeforeBoot, pongRequired, assumeProtocol, zoneMinutes, replyDelayMs, ratingW, phases, dc, energyUnit, powerUnit, currentUnit, tagStrip, tagCutAt, noTriggerBoot, profileUnit, profileShape.
---@type fun(what: { name: string, vendor?: string, model?: string, firmware?: string, identity?: string, [string]: any })
quirk = nil

---An allow-list, checked when the file loads: idtags { ["04A2B3C4"] = { name = "Van 7" } }. Finds a tag in any spelling; read-only.
---@type fun(list: table<string, idtag_entry>): table<string, idtag_entry?>
idtags = nil

---What PUT /api/v1/tags/{idTag} set for that tag, or nil.
---@type fun(idTag: string): tag?
tag = nil

---An entry of an allow-list.
---@class idtag_entry
---@field name string? Whose it is.
---@field group string? Answered as parentIdTag: members may stop what another started.
---@field expires string|integer|nil Written "2026-12-31" (to the end of that day, site time) or with a time; read as seconds.
---@field hours string|window|nil Written "22:00-06:00"; read as a window.
---@field blocked boolean? Refuse it.
---@field why string? Why it is blocked, for the log.
---@field shared boolean? May charge at several places at once.
---@field max_active integer? May charge at so many places at once.
---@field idTag string? Its spelling in the list; not written.

---A tag set by REST, as it was when read.
---@class tag
---@field idTag string Its spelling.
---@field status string "Accepted", "Blocked", "Expired", "Invalid" or "ConcurrentTx".
---@field expires integer? Seconds since 1970.
---@field parentIdTag string? Its group.
---@field note string? A text for operators.
---@field max_active integer? May charge at so many places at once.

---Runs f again and again: every("1m", function() … end). Never overlaps itself; the first run comes one period after the load.
---@type fun(period: string|number, f: fun())
every = nil

---Counts the loads of the policies; this one's number.
---@type integer
generation = nil

---A REST route: route("GET /mine/{id}", function(req) return 200, { id = req.path.id } end). The options may be left out. A body that is a function(emit) is written piece by piece: emit(text) waits while the client is slow and returns false when it has gone.
---@type fun(template: string, options: route_options|route_handler, handler?: route_handler)
route = nil

---An error answer of RFC 9457: return problem(404, "unknown charge point").
---@type fun(status: integer, detail?: string, more?: table): integer, table, table<string, string>
problem = nil

---Options of a route.
---@class route_options
---@field key boolean? false: open to all, without a key.
---@field scope "read"|"operate"|"admin"|nil What the key must allow; "read" for GET, "operate" for the others.
---@field replace boolean? true: instead of a route that ships with the server.
---@field doc string? One line for the list of endpoints.
---@field answers table<integer, string|table>? Shapes of the answers by status, for the OpenAPI document: JSON Schema as tables.
---@field idempotent boolean? true: a POST that is repeated with the same Idempotency-Key within 24 hours gets the first answer again.
---@field query table<string, string>? Allowed parameters and their types: "string", "integer", "number", "boolean", "time" (the handler gets seconds), "limit" (1 to 1000, else 100), words ("a|b"); with ? it may be missing.
---@field body table<string, string|table>|"json"|"text"|"file"|nil Allowed members and their types, as for query, also "object", "array", "any"; a table of members is an object, { "string" } a list of strings (["name?"] = { … } may be missing); "text" takes any body as it is.

---A REST request.
---@class req
---@field method string "GET" …
---@field url string The path as received.
---@field path table<string, string> The parameters of the template, decoded.
---@field query table<string, any> The query parameters, of the types that were declared.
---@field json any The body; an empty table if there is none.
---@field body string The body as text.
---@field headers table<string, string> By name in lower case; without keys.
---@field peer string? The address of the client.
---@field key string? The name of the API key.
---@field upload integer? The number of the received file, with body = "file".

---A test, in policies/tests: runs at every check and load, with fake chargers and a fake clock that starts at 2026-01-01T12:00:00Z. Each test has chargers and transactions of its own.
---@type fun(name: string, f: fun(t: t))
test = nil

---What a test has.
---@class t
---@field eq fun(got: any, wanted: any, what?: string) Fails unless both are equal.
---@field ok fun(value: any, what?: string) Fails if the value is false or nil.
---@field authorize fun(idTag: string, cp: string, ask?: { purpose?: string, connector?: integer }): string, table Presents a card: the status, and the whole idTagInfo. purpose = "start" asks by a StartTransaction (which is kept).
---@field transaction fun(what: { cp: string, idTag: string, connector?: integer, kwh?: number }): tx, string Starts a transaction, maybe with some energy already; the tx, and the status it was answered.
---@field meter fun(tx: tx, what: { power?: number, soc?: number, current?: number, voltage?: number, temperature?: number, every?: string|number, count?: integer }) Sends meter values, `count` times (1), one each `every` ("60s"), while the transaction is open: the energy that the power has given, and what is named.
---@field stop fun(tx: tx, what?: { reason?: string, idTag?: string }): table Ends a transaction at the charger; the answer.
---@field status fun(cp: string, connector: integer, status: string, errorCode?: string) Sends a StatusNotification.
---@field call fun(cp: string, action: string, payload?: table): table?, err? Sends any CALL from the charger; the answer, or nil and the CALLERROR.
---@field answers fun(action: string, answer: table|function|"timeout"|"offline"|string) How chargers answer this action from now on: a payload, a function(cp, payload) that returns one, "timeout" (never), "offline" (drops the line), or a CALLERROR code. Without it they accept.
---@field sent fun(cp?: string, action?: string): { cp: string, action: string, payload: table }[] What the server has sent to chargers so far.
---@field connect fun(cp: string) Connects and boots a charger; others do it when first used.
---@field disconnect fun(cp: string) Drops its line.
---@field clock fun(time: string|integer) Sets the clock: "2026-05-01T12:00:00Z".
---@field advance fun(time: string|number) Moves the clock on, timer by timer: "15m".
---@field tag fun(tag: { idTag: string, status: string, expires?: integer, parentIdTag?: string, max_active?: integer }) Sets a tag as PUT /api/v1/tags does.
---@field called fun(cp?: string, action: string): table? The payload of the newest such CALL to a charger; nil if there was none.
---@field limit fun(tx: tx): number?, string? The limit that its charger was told last and accepted, and the unit: "A" or "W".
---@field request fun(route: string, body?: any, headers?: table<string, string>): integer, any A REST request with an admin key: t.request("GET /mine?a=1"); status and body. Headers: Accept, Idempotency-Key, Prefer, Last-Event-ID.
---@field http fun(url: string, answer: table|function|string) What http.get and http.post get from now on where the URL fits (`*` stands for anything): { status = 200, json = …, body = "…", headers = {…} }, a function(request) that returns one, or "timeout", "unreachable", "refused", "too_large". The newest that fits counts; where none does, nobody is there.
---@field requested fun(url?: string): { method: string, url: string, body: string, json?: any, headers: table<string, string> }[] The HTTP requests of policies so far.
---@field webhooks fun(name?: string): { webhook: string, id: string, event: string, payload: any }[] What was given to webhooks so far.
---@field allow_errors fun() From now on a handler that fails is not the test's failure.

