/* What we know of charge points, connectors and transactions, in memory.
 *
 * Structs are readable by station/ and policy/ on the loop thread; only station/ writes. Nobody
 * keeps a pointer to one across events: keep the identity or the id, look it up again, handle
 * "gone". Registration state belongs to the station, not to its connection (T14). Connectors are
 * keyed (evse, connector); a 1.6 connectorId n is (n, 1), and 0 is (0, 0) (rule Q4 of OCPP.md). */
#ifndef STATION_CHARGE_POINT_H
#define STATION_CHARGE_POINT_H

#include "base/json.h"
#include "base/map.h"
#include "ocpp/version.h"
#include "station/record.h"
#include "station/track.h"
#include "station/vars.h"

enum registration { REGISTRATION_PENDING, REGISTRATION_ACCEPTED, REGISTRATION_REJECTED };

struct connector {
    int64_t evse, connector;
    char status[24]; /* "" before the first StatusNotification */
    char previous[24];
    char error_code[32];
    char info[64], vendor_id[64], vendor_error_code[64];
    wall_t status_ms, received_ms;
    uint64_t repeats;
    int64_t newest_start_ms;    /* ABSENT */
    int64_t last_meter_stop_wh; /* ABSENT */
    int64_t transaction_id;     /* the open one, 0 if none */
};

struct sample_state { /* the newest plausible value of each, for /active and on.meter */
    int64_t energy_wh, power_w, soc;                /* ABSENT */
    int64_t temperature_dc, voltage_dv, current_da; /* tenths; ABSENT */
    wall_t at;
};

struct price {      /* what on.price said; see struct record_price */
    char *currency; /* NULL: no price */
    int64_t digits, total;
    char *lines, *tariff, *file;
    int64_t line, generation;
};
/* finish.c. Copies a stored price; frees what was there. */
void price_set(struct price *price, const struct record_price *row);
void price_clear(struct price *price);

struct transaction {
    int64_t id;
    char *station_id; /* 2.x; NULL */
    char *cp;         /* identity of its charge point */
    int64_t evse, connector;
    char *id_tag, *parent_id_tag;
    char *verdict;
    wall_t start_ms, received_ms; /* start_ms is the time of receipt if the clock was not set */
    int64_t meter_start_wh;       /* ABSENT */
    int64_t reservation_id;       /* ABSENT */
    int64_t flags;                /* enum transaction_flag */
    int64_t generation;
    bool stopped; /* only while its stop is being handled, and on.price and on.stop run */
    bool due;     /* stopped, and so it says in the store: finish.h */
    struct price price;
    wall_t stop_ms;
    int64_t meter_stop_wh, energy_wh;
    char *reason;
    struct sample_state sample;
    struct track track;         /* of its meter (track.c) */
    struct reminder *reminders; /* remind.c */
    struct vars vars;
};

/* Switches of one station (PUT /chargepoints/{cpid}, "options"); described in options.c. */
struct station_options {
    bool strict;                          /* validate input to the letter */
    bool accept_tx_before_boot;           /* B3 */
    bool pong_required;                   /* T12; default true */
    const struct version *assume_version; /* T8: no subprotocol offered; NULL = refuse */
    int64_t zone_minutes;                 /* B11 */
    int64_t reply_delay_ms;               /* Q24 */
    int64_t rating_w; /* V5: more than 5 times this is implausible; ABSENT = 1 MW */
    int64_t phases;   /* that a connector has; ABSENT = those of its site */
    bool dc;          /* limits of it are watts of the car */
    /* Q15: what its samples are in, whatever they say; NULL: what they say */
    const char *energy_unit, *power_unit, *current_unit;
    bool tag_strip;            /* Q26: blanks, `:` and `-` are no part of a tag */
    char tag_cut_at[8];        /* Q26: what is behind one of these is no part of a tag; "" */
    bool no_trigger_boot;      /* Q13: asking for a BootNotification reboots it */
    const char *profile_unit;  /* Q28: "A" or "W", whatever its keys say; NULL */
    const char *profile_shape; /* Q28: the only one that it takes; NULL: found out */
};

struct charge_point {
    char *id; /* spelling of the first contact */
    enum registration registration;
    bool registered;     /* by PUT, by policy or accepted once; not merely seen */
    bool deleted;        /* removed while a CALL is being handled: freed right after */
    char *password_hash; /* NULL: none. While it is in doubt, several (password.c) */
    int64_t security_profile;
    struct station_options options;
    char *options_json;
    const struct version *version; /* of the last connection; NULL before */
    char *vendor, *model, *serial, *firmware, *boot_json;
    wall_t created_ms, last_boot_ms, last_seen_ms;
    uint64_t connection; /* 0 = offline */
    char peer[64];
    wall_t connected_ms;
    bool boot_answered; /* on this connection (B9) */
    struct connector *connectors;
    size_t connector_count, connector_room;
    struct vars vars;
    uint64_t calls_in, calls_out, deviations, unreadable;
    struct lane *lane; /* station/lane.h: its queue of CALLs and events; private to station/ */
};

#endif
