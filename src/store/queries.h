/* The named queries as a table (queries.c), and the statement that one of them becomes
 * (query_build.c). Private to store/, reader thread only. */
#ifndef STORE_QUERIES_H
#define STORE_QUERIES_H

#include "base/json.h"
#include "store/list.h"

enum parameter_type {
    PARAMETER_TEXT = 1,
    PARAMETER_INTEGER,
    PARAMETER_WITHIN, /* a text that is looked for inside another */
    PARAMETER_WORD,   /* one of `words` */
    PARAMETER_STEP    /* milliseconds, 1 if not given: what {step} in `from` stands for */
};

struct parameter_word {
    const char *word, *condition;
};

struct parameter {
    const char *name;
    enum parameter_type type;
    const char *condition;              /* SQL; each ? is the value, {now} the clock */
    const struct parameter_word *words; /* ends with a NULL word */
    const char *absent;                 /* the condition when it is not given, or NULL */
    bool required;
    bool is_key; /* a key of the list (list.h) */
};

enum { QUERY_PARAMETERS = 10, QUERY_PLACES = 2, QUERY_LIMIT_MAX = 1000, QUERY_BOUND_MAX = 16 };

struct query_row {
    const char *name;
    bool in_list; /* `list` holds; else `from` and `place` */
    enum list_id list;
    const char *from; /* SQL with {now} and {step}; the conditions go to {where}, or behind it */
    const char *place[QUERY_PLACES]; /* integer columns that order the rows; the last may be NULL */
    bool by_text;                    /* the one place is a text */
    bool oldest_first;               /* or in order of the text */
    const char *members;             /* `name:type=column …`; see queries.c */
    struct parameter parameters[QUERY_PARAMETERS]; /* ends with a NULL name */
};

extern const struct query_row query_rows[];
extern const size_t query_row_count;
/* NULL: there is none. */
const struct query_row *query_row_find(const char *name);

struct member {
    struct span name, column;
    char type;
};
/* Cuts the next one off `row->members`; false when nothing is left. */
bool query_next_member(struct span *rest, struct member *member);
int query_places(const struct query_row *row);

/* A row's place in the order. */
struct query_place {
    int64_t number[QUERY_PLACES];
    struct strbuf text; /* of a row `by_text` */
};

/* A statement ready to be prepared. A zeroed one with `row` and `now` set is ready to be built. */
struct query_build {
    const struct query_row *row;
    wall_t now;
    struct arena arena;                        /* owns the bound values */
    struct strbuf sql;                         /* selects the places of the row, then its members */
    const struct json *bound[QUERY_BOUND_MAX]; /* value of ?1, ?2 … */
    size_t bound_count;
    int64_t limit; /* rows of a page; one more is selected */
    struct reason *why;
    struct strbuf keys, where;      /* while building */
    size_t now_number, step_number; /* of their values among the bound; 0 = not used */
};
/* False: `why` names the parameter and what is wrong with it. `params` is an object. */
bool query_build(struct query_build *build, const struct json *params);
void query_build_clear(struct query_build *build);
/* The cursor that goes on behind that place; the caller's. */
char *query_cursor(const struct query_row *row, const struct query_place *place);

#endif
