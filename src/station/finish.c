/* See finish.h. */
#include "station/finish.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"

enum { RETRY_MS = 1000, RETRIES = 60 };

struct finishing {
    struct lane_item item;
    struct station *st;
    struct lane *lane; /* NULL: without one */
    int64_t id;
    struct timer retry;
    int retries;
};

/* ---- prices ---- */

void price_clear(struct price *price)
{
    xfree(price->currency);
    xfree(price->lines);
    xfree(price->tariff);
    xfree(price->file);
    *price = (struct price){0};
}

void price_set(struct price *price, const struct record_price *row)
{
    price_clear(price);
    if (!row->currency)
        return;
    *price = (struct price){.currency = xstrdup(row->currency),
                            .digits = row->digits,
                            .total = row->total,
                            .lines = xstrdup(row->lines ? row->lines : "[]"),
                            .tariff = xstrdup_or_null(row->tariff),
                            .file = xstrdup_or_null(row->file),
                            .line = row->line,
                            .generation = row->generation};
}

/* False: it is no price. */
static bool price_take(struct price *price, const struct verdict *verdict)
{
    const char *currency = json_gets(verdict->extra, "currency");
    const struct json *lines = json_get(verdict->extra, "lines");
    int64_t digits, total;
    if (!currency || !lines || !json_int(json_get(verdict->extra, "digits"), &digits) ||
        !json_int(json_get(verdict->extra, "total"), &total))
        return false;
    struct strbuf text = {0};
    json_write(&text, lines);
    price_clear(price);
    *price = (struct price){.currency = xstrdup(currency),
                            .digits = digits,
                            .total = total,
                            .lines = strbuf_take(&text, NULL),
                            .tariff = xstrdup_or_null(json_gets(verdict->extra, "tariff")),
                            .file = xstrdup_or_null(verdict->file),
                            .line = verdict->line,
                            .generation = verdict->generation};
    return true;
}

static void row_price(struct station *st, const struct transaction *tx, int64_t flags)
{
    struct arena *arena;
    struct record_price *row = &station_row(st, RECORD_PRICE, &arena)->price;
    const struct price *price = &tx->price;
    *row = (struct record_price){.cp = arena_strdup(arena, tx->cp),
                                 .id = tx->id,
                                 .currency = arena_strdup(arena, price->currency),
                                 .digits = price->digits,
                                 .total = price->total,
                                 .lines = arena_strdup(arena, price->lines),
                                 .tariff = arena_strdup(arena, price->tariff),
                                 .file = arena_strdup(arena, price->file),
                                 .line = price->line,
                                 .generation = price->generation,
                                 .set_flags = flags,
                                 .ts_ms = wall_now()};
}

/* ---- the record of the decision ---- */

static char *inputs_text(struct arena *arena, const struct transaction *tx)
{
    struct strbuf text = {0};
    struct json_out o = {.to = &text};
    json_open(&o, '{');
    json_key(&o, "transaction");
    json_put_int(&o, tx->id);
    if (tx->energy_wh != ABSENT) {
        char *kwh = arena_printf(arena, "%" PRId64 ".%03" PRId64, tx->energy_wh / 1000,
                                 tx->energy_wh % 1000);
        json_key(&o, "kWh");
        json_put_raw(&o, span_of(kwh));
    }
    json_key(&o, "seconds");
    json_put_int(&o, (tx->stop_ms - tx->start_ms) / 1000);
    json_close(&o, '}');
    char *copy = arena_strndup(arena, text.at, text.len);
    strbuf_clear(&text);
    return copy;
}

static char *answer_text(struct arena *arena, const struct json *answer)
{
    struct strbuf text = {0};
    json_write(&text, answer);
    char *copy = arena_strndup(arena, text.at, text.len);
    strbuf_clear(&text);
    return copy;
}

static void row_decision(struct station *st, const struct transaction *tx,
                         const struct verdict *verdict)
{
    const char *word = verdict->kind == VERDICT_NONE ? "no price" : "unpriced";
    struct arena *arena;
    struct record_decision *row = &station_row(st, RECORD_DECISION, &arena)->decision;
    *row = (struct record_decision){
        .cp = arena_strdup(arena, tx->cp),
        .ts_ms = wall_now(),
        .event = "price",
        .id_tag = arena_strdup(arena, tx->id_tag),
        .evse = tx->evse,
        .connector = tx->connector,
        .transaction_id = tx->id,
        .verdict = arena_strdup(arena, tx->price.currency ? verdict->word : word),
        .why = arena_strdup(arena, verdict->why),
        .file = arena_strdup(arena, verdict->file),
        .line = verdict->line,
        .generation = verdict->generation,
        .inputs = inputs_text(arena, tx),
        .answer = tx->price.currency ? answer_text(arena, verdict->extra) : NULL,
    };
}

/* ---- the way to the end ---- */

static void end(struct finishing *f)
{
    struct station *st = f->st;
    struct lane *lane = f->lane;
    transaction_drop(st, f->id);
    xfree(f);
    if (lane)
        lane_done(lane, ITEM_AFTER);
    else
        st->items--;
}

/* on.stop is through: only now the store may forget that it is due. */
static void finished(struct finishing *f)
{
    const struct transaction *tx = station_transaction(f->st, f->id);
    struct arena *arena;
    if (tx && tx->due)
        station_row(f->st, RECORD_FINISHED, &arena)->finished.id = f->id;
    end(f);
}

static bool listens(const struct station *st, enum event_kind kind)
{
    return st->ports.listens(st->ports.ctx, kind, NULL);
}

/* Both events carry the same. */
static void ask(struct finishing *f, enum event_kind kind, event_done done)
{
    const struct transaction *tx = station_transaction(f->st, f->id);
    struct arena arena = {0}; /* handlers may do anything, and `tx` is the registry's */
    struct event event = {.kind = kind,
                          .cp = arena_strdup(&arena, tx->cp),
                          .connector = tx->evse,
                          .transaction_id = tx->id,
                          .id_tag = arena_strdup(&arena, tx->id_tag)};
    struct station_ports *ports = &f->st->ports;
    ports->ask(ports->ctx, &event, done, f);
    arena_clear(&arena);
}

/* The policies had no room for it, or it was cut off with its generation: it is asked once more,
 * and at last stays due. False: it was asked for good. */
static bool ask_again(struct finishing *f, const struct verdict *verdict)
{
    if (!verdict->stopping && !verdict->again)
        return false;
    if (!verdict->stopping && f->lane && f->retries++ < RETRIES)
        timer_start(f->st->timers, &f->retry, RETRY_MS);
    else
        end(f);
    return true;
}

static void on_stop_done(void *ctx, const struct verdict *verdict)
{
    if (!ask_again(ctx, verdict))
        finished(ctx);
}

static void run_stop(struct finishing *f)
{
    if (listens(f->st, EVENT_STOP))
        ask(f, EVENT_STOP, on_stop_done);
    else
        finished(f);
}

static void on_priced(void *ctx, const struct verdict *verdict)
{
    struct finishing *f = ctx;
    struct transaction *tx = station_transaction(f->st, f->id);
    if (ask_again(f, verdict))
        return;
    bool given = verdict->kind == VERDICT_GIVEN;
    if (verdict->kind == VERDICT_FAILED || (given && !price_take(&tx->price, verdict)))
        tx->flags |= TX_UNPRICED;
    if (verdict->kind != VERDICT_NONE)
        row_price(f->st, tx, tx->flags & TX_UNPRICED);
    row_decision(f->st, tx, verdict);
    run_stop(f);
}

static void run(struct finishing *f)
{
    const struct transaction *tx = station_transaction(f->st, f->id);
    if (!tx) {
        end(f);
        return;
    }
    bool priced = tx->price.currency || (tx->flags & TX_UNPRICED);
    if (!priced && listens(f->st, EVENT_PRICE))
        ask(f, EVENT_PRICE, on_priced);
    else
        run_stop(f);
}

static void on_retry(struct timer *timer)
{
    run(CONTAINER_OF(timer, struct finishing, retry));
}

/* ---- as an item ---- */

static void finishing_start(struct lane *lane, struct lane_item *item)
{
    (void)lane;
    run(CONTAINER_OF(item, struct finishing, item));
}

/* Its charge point is deleted, or the program ends: if it is due, the next start finishes it. */
static void finishing_drop(struct lane_item *item)
{
    struct finishing *f = CONTAINER_OF(item, struct finishing, item);
    timer_stop(f->st->timers, &f->retry);
    transaction_drop(f->st, f->id);
    xfree(f);
}

bool finish_wanted(struct station *st)
{
    return listens(st, EVENT_PRICE) || listens(st, EVENT_STOP);
}

void finish_transaction(struct station *st, struct lane *lane, const struct transaction *tx)
{
    if (!tx->due && !finish_wanted(st)) {
        transaction_drop(st, tx->id);
        return;
    }
    struct finishing *f = xcalloc(1, sizeof(*f));
    *f = (struct finishing){
        .item = {.start = finishing_start, .drop = finishing_drop, .kind = ITEM_AFTER},
        .st = st,
        .lane = lane,
        .id = tx->id,
        .retry = {.fn = on_retry}};
    if (lane) {
        lane_push(lane, &f->item);
    } else {
        st->items++;
        run(f);
    }
}

void station_resume(struct station *st)
{
    size_t count = 0;
    int64_t *due = xcalloc(st->transaction_count + 1, sizeof(*due));
    for (size_t i = 0; i < st->transaction_count; i++) {
        if (st->transactions[i]->stopped)
            due[count++] = st->transactions[i]->id;
    }
    if (count > 0)
        LOG(LOG_INFO, "finishing transactions that were stopped before the server ended",
            L_INT("count", (int64_t)count));
    for (size_t i = 0; i < count; i++) {
        const struct transaction *tx = station_transaction(st, due[i]);
        struct charge_point *cp = tx ? station_find(st, tx->cp) : NULL;
        if (tx)
            finish_transaction(st, cp ? cp->lane : NULL, tx);
    }
    xfree(due);
}
