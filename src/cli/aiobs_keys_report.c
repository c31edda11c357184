
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: what was spent, and what happened.
 */


#include "aiobs_keys.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>


typedef struct {
    const aiobs_keys_options_t  *o;
    int                          by;
    size_t                       n;
    json_t                      *all;
    aiobs_spend_row_t            sum;
} aiobs_keys_spending_t;


static int aiobs_keys_by(const aiobs_keys_options_t *o);
static int aiobs_keys_month(const aiobs_keys_options_t *o, char *from,
    char *to);
static int aiobs_keys_spent(void *data, const aiobs_spend_row_t *row);
static void aiobs_keys_spend_header(const aiobs_keys_spending_t *s);
static void aiobs_keys_spend_row(const aiobs_keys_spending_t *s,
    const char *group, const aiobs_spend_row_t *row);
static void aiobs_keys_spend_csv(const aiobs_keys_spending_t *s,
    const aiobs_spend_row_t *row);
static int aiobs_keys_spend_json(aiobs_keys_spending_t *s,
    const aiobs_spend_row_t *row);
static void aiobs_keys_add(int64_t *sum, int64_t n);
static void aiobs_keys_usd(FILE *out, int64_t cost, int width);
static int aiobs_keys_verify(const aiobs_keys_options_t *o,
    aiobs_store_t *store);
static int aiobs_keys_event(void *data, const aiobs_event_row_t *row);


static const char  *aiobs_keys_groups[AIOBS_SPEND_N] = {
    "user", "key", "model", "endpoint", "day", "label"
};


int
aiobs_keys_spend(const aiobs_keys_options_t *o)
{
    int                    rc, by;
    char                   from[11], to[11];
    aiobs_store_t         *store;
    aiobs_keys_spending_t  s;

    by = aiobs_keys_by(o);

    if (by < 0 || aiobs_keys_month(o, from, to) != 0) {
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_open(o, AIOBS_STORE_WHOLE, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    memset(&s, 0, sizeof(s));
    s.o = o;
    s.by = by;
    s.all = json_array();

    aiobs_keys_spend_header(&s);

    rc = aiobs_store_spend(store, by, o->arg, o->user, from, to,
                           aiobs_keys_spent, &s);

    if (rc != AIOBS_STORE_OK) {
        json_decref(s.all);
        return aiobs_keys_failed(o, store);
    }

    if (o->json && json_array_size(s.all) != s.n) {
        aiobs_keys_say("out of memory");
        json_decref(s.all);
        aiobs_store_close(store);
        return AIOBS_EXIT_FAILED;
    }

    if (o->json) {
        json_dumpf(s.all, stdout, JSON_INDENT(1)|JSON_REAL_PRECISION(15));
        fputs("\n", stdout);

    } else if (!o->csv) {
        aiobs_keys_spend_row(&s, "total", &s.sum);
    }

    json_decref(s.all);
    aiobs_store_close(store);

    return AIOBS_EXIT_OK;
}


static int
aiobs_keys_by(const aiobs_keys_options_t *o)
{
    int  by;

    if (o->by == NULL) {
        by = AIOBS_SPEND_USER;

    } else {
        for (by = 0; by < AIOBS_SPEND_N; by++) {
            if (strcmp(o->by, aiobs_keys_groups[by]) == 0) {
                break;
            }
        }
    }

    if (by == AIOBS_SPEND_N) {
        aiobs_keys_say("--by takes user, key, model, endpoint, day or "
                       "label NAME");
        return -1;
    }

    if (!o->arg != (by != AIOBS_SPEND_LABEL)) {
        aiobs_keys_say(o->arg ? "only --by label takes a name"
                              : "which label? give its name");
        return -1;
    }

    return by;
}


static int
aiobs_keys_month(const aiobs_keys_options_t *o, char *from, char *to)
{
    char       month[8];
    time_t     now;
    unsigned   m;
    struct tm  tm;

    if (o->month == NULL) {
        now = time(NULL);
        gmtime_r(&now, &tm);
        strftime(month, sizeof(month), "%Y-%m", &tm);

    } else if (strlen(o->month) == 7
               && strspn(o->month, "0123456789") == 4 && o->month[4] == '-'
               && strspn(o->month + 5, "0123456789") == 2
               && sscanf(o->month + 5, "%u", &m) == 1 && m >= 1 && m <= 12)
    {
        strcpy(month, o->month);

    } else {
        aiobs_keys_say("--month takes a month such as 2026-11");
        return -1;
    }

    snprintf(from, 11, "%s-01", month);
    snprintf(to, 11, "%s-31", month);

    return 0;
}


static int
aiobs_keys_spent(void *data, const aiobs_spend_row_t *row)
{
    aiobs_keys_spending_t *s = data;

    s->n++;
    aiobs_keys_add(&s->sum.calls, row->calls);
    aiobs_keys_add(&s->sum.input, row->input);
    aiobs_keys_add(&s->sum.output, row->output);
    aiobs_keys_add(&s->sum.cache_read, row->cache_read);
    aiobs_keys_add(&s->sum.cache_write, row->cache_write);
    aiobs_keys_add(&s->sum.cost, row->cost);
    aiobs_keys_add(&s->sum.estimated_calls, row->estimated_calls);

    if (s->o->json) {
        return aiobs_keys_spend_json(s, row);
    }

    if (s->o->csv) {
        aiobs_keys_spend_csv(s, row);

    } else {
        aiobs_keys_spend_row(s, row->group, row);
    }

    return ferror(stdout);
}


static void
aiobs_keys_spend_header(const aiobs_keys_spending_t *s)
{
    char         heading[32];
    char        *p;
    const char  *group;

    group = s->by == AIOBS_SPEND_LABEL ? s->o->arg : aiobs_keys_groups[s->by];

    if (s->o->json) {
        return;
    }

    if (s->o->csv) {
        aiobs_csv_put_text(stdout, group);
        fputs(s->by == AIOBS_SPEND_KEY ? ",user,name" : "", stdout);
        fputs(",calls,input_tokens,output_tokens,cache_read_tokens,"
              "cache_write_tokens,cost_usd,estimated_calls\r\n", stdout);
        return;
    }

    snprintf(heading, sizeof(heading), "%s", group);

    for (p = heading; *p; p++) {
        if (*p >= 'a' && *p <= 'z') {
            *p -= 'a' - 'A';
        }
    }

    aiobs_keys_cell(heading, 28);

    if (s->by == AIOBS_SPEND_KEY) {
        aiobs_keys_cell("USER", 24);
    }

    printf("%10s  %14s  %14s  %14s\n", "CALLS", "INPUT", "OUTPUT", "COST USD");
}


static void
aiobs_keys_spend_row(const aiobs_keys_spending_t *s, const char *group,
    const aiobs_spend_row_t *row)
{
    aiobs_keys_whole(group, 28);

    if (s->by == AIOBS_SPEND_KEY) {
        aiobs_keys_whole(row == &s->sum ? "" : row->user, 24);
    }

    printf("%10lld  %14lld  %14lld  ", (long long) row->calls,
           (long long) row->input, (long long) row->output);
    aiobs_keys_usd(stdout, row->cost, 14);
    fputs("\n", stdout);
}


static void
aiobs_keys_spend_csv(const aiobs_keys_spending_t *s,
    const aiobs_spend_row_t *row)
{
    aiobs_csv_put_text(stdout, row->group);

    if (s->by == AIOBS_SPEND_KEY) {
        fputs(",", stdout);
        aiobs_csv_put_text(stdout, row->user);
        fputs(",", stdout);
        aiobs_csv_put_text(stdout, row->name);
    }

    printf(",%lld,%lld,%lld,%lld,%lld,", (long long) row->calls,
           (long long) row->input, (long long) row->output,
           (long long) row->cache_read, (long long) row->cache_write);
    aiobs_keys_usd(stdout, row->cost, 0);
    printf(",%lld\r\n", (long long) row->estimated_calls);
}


static int
aiobs_keys_spend_json(aiobs_keys_spending_t *s, const aiobs_spend_row_t *row)
{
    json_t  *o;

    o = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:f, s:I}",
                  s->by == AIOBS_SPEND_LABEL ? "label"
                                             : aiobs_keys_groups[s->by],
                  aiobs_keys_sound(row->group),
                  "calls", (json_int_t) row->calls,
                  "input_tokens", (json_int_t) row->input,
                  "output_tokens", (json_int_t) row->output,
                  "cache_read_tokens", (json_int_t) row->cache_read,
                  "cache_write_tokens", (json_int_t) row->cache_write,
                  "cost_usd", row->cost / 1e6,
                  "estimated_calls", (json_int_t) row->estimated_calls);

    if (o && s->by == AIOBS_SPEND_KEY) {
        json_object_set_new(o, "user", aiobs_keys_sound(row->user));
        json_object_set_new(o, "name", aiobs_keys_sound(row->name));
    }

    return json_array_append_new(s->all, o);
}


/* other programs may have written what no sum can hold */

static void
aiobs_keys_add(int64_t *sum, int64_t n)
{
    if (__builtin_add_overflow(*sum, n, sum)) {
        *sum = n < 0 ? INT64_MIN : INT64_MAX;
    }
}


static void
aiobs_keys_usd(FILE *out, int64_t cost, int width)
{
    char  text[32];

    snprintf(text, sizeof(text), "%s%lld.%06lld", cost < 0 ? "-" : "",
             llabs(cost / 1000000), llabs(cost % 1000000));
    fprintf(out, "%*s", width, text);
}


int
aiobs_keys_audit(const aiobs_keys_options_t *o)
{
    int             rc;
    char            hash[AIOBS_KEY_HEX_LEN + 1];
    aiobs_store_t  *store;

    if (o->expect && (strlen(o->expect) != AIOBS_KEY_HEX_LEN
                      || strspn(o->expect, "0123456789abcdef")
                         != AIOBS_KEY_HEX_LEN))
    {
        aiobs_keys_say("--expect takes a hash, as --verify tells it");
        return AIOBS_EXIT_USAGE;
    }

    if (o->arg && strspn(o->arg, "0123456789abcdef") < AIOBS_KEY_ID_LEN) {
        aiobs_keys_say("audit takes all 12 digits of a key id: keys that were"
                       " deleted have events, too");
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_open(o, 0, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    /* what other programs did is to be seen as well */

    do {
        rc = aiobs_store_events(store, NULL, 0);
    } while (rc == AIOBS_STORE_NONE);

    if (rc != AIOBS_STORE_OK) {
        aiobs_keys_say("store %s: %s", o->db, aiobs_store_error(store));
    }

    if (o->verify || o->expect) {
        return aiobs_keys_verify(o, store);
    }

    if (!o->json) {
        printf("%-26s  %-20s  %-10s  %-12s  %s\n", "TIME (UTC)", "ACTOR",
               "ACTION", "KEY ID", "REQUEST");
    }

    if (o->arg) {
        snprintf(hash, sizeof(hash), "%.12s", o->arg);
    }

    if (aiobs_store_audit(store, o->arg ? hash : NULL, aiobs_keys_event,
                          (void *) o)
        != AIOBS_STORE_OK)
    {
        return aiobs_keys_failed(o, store);
    }

    aiobs_store_close(store);

    return AIOBS_EXIT_OK;
}


static int
aiobs_keys_verify(const aiobs_keys_options_t *o, aiobs_store_t *store)
{
    aiobs_audit_t  audit;

    if (aiobs_store_verify(store, o->expect, &audit) != AIOBS_STORE_OK) {
        return aiobs_keys_failed(o, store);
    }

    aiobs_store_close(store);

    if (audit.broken) {
        aiobs_keys_say("the chain is broken: row %lld does not follow the one"
                       " before", (long long) audit.broken);
        return AIOBS_EXIT_BROKEN;
    }

    if (audit.cut) {
        aiobs_keys_say("the chain is broken: its last row was changed, removed"
                       " or added by hand");
        return AIOBS_EXIT_BROKEN;
    }

    if (o->expect && !audit.expected) {
        aiobs_keys_say("the chain is another one: no event has the hash"
                       " %s", o->expect);
        return AIOBS_EXIT_BROKEN;
    }

    if (o->json) {
        printf("{\"events\":%lld,\"head\":\"%s\"}\n",
               (long long) audit.events, audit.head);
    } else {
        printf("%lld events, the chain is whole; the last one's hash is %s\n",
               (long long) audit.events, audit.head);
    }

    return AIOBS_EXIT_OK;
}


/* one object a line: there may be many */

static int
aiobs_keys_event(void *data, const aiobs_event_row_t *row)
{
    const aiobs_keys_options_t *o = data;

    if (o->json) {
        aiobs_keys_json(row->json);
        fputs("\n", stdout);
        return ferror(stdout);
    }

    aiobs_keys_cell(row->ts, AIOBS_KEY_TIME_LEN);
    aiobs_keys_whole(row->actor, 20);
    aiobs_keys_whole(row->action, 10);
    aiobs_keys_cell(row->key_id, AIOBS_KEY_ID_LEN);
    aiobs_keys_text(stdout, row->request_id ? row->request_id : "-", 128, 0);
    fputs("\n", stdout);

    return ferror(stdout);
}
