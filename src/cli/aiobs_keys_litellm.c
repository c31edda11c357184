
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: rows of LiteLLM's table LiteLLM_VerificationToken.  Its token is
 * the SHA-256 of the key in hex, as ours; texts of PostgreSQL's CSV are taken
 * as well as values of JSON.  What restricts a key and is not understood goes
 * on as a value that is refused, with its row, and never as no restriction.
 */


#include "aiobs_keys.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>


#define AIOBS_DAY    86400
#define AIOBS_MONTH  (31 * AIOBS_DAY)   /* the longest */


static void aiobs_litellm_text(json_t *key, const char *to, const json_t *row,
    const char *from, size_t max);
static void aiobs_litellm_expires(json_t *key, const json_t *value);
static void aiobs_litellm_user(json_t *key, const json_t *row);
static void aiobs_litellm_limit(json_t *limits, const char *to,
    const json_t *row, const char *from);
static void aiobs_litellm_budget(json_t *limits, const json_t *row,
    unsigned *notes);
static int64_t aiobs_litellm_duration(const char *text);
static const char *aiobs_litellm_models(json_t *key, const json_t *row,
    const char *team, unsigned *notes);
static int aiobs_litellm_more(const json_t *row);
static int aiobs_litellm_filled(const json_t *object, const char *name);
static json_t *aiobs_litellm_array(const json_t *value);
static void aiobs_litellm_labels(json_t *key, const json_t *row);
static json_t *aiobs_litellm_number(const json_t *value);
static int aiobs_litellm_blocked(const json_t *value);


json_t *
aiobs_keys_litellm(const json_t *row, const char *team, unsigned *notes,
    const char **error)
{
    json_t  *key, *limits, *routes;

    key = json_object();
    limits = json_object();
    *notes = aiobs_litellm_more(row) ? AIOBS_NOTE_LIMITS : 0;

    aiobs_litellm_text(key, "hash", row, "token", AIOBS_KEY_HEX_LEN);
    aiobs_litellm_text(key, "name", row, "key_alias", AIOBS_KEY_NAME_MAX);
    aiobs_litellm_text(key, "created_at", row, "created_at", 64);
    aiobs_litellm_expires(key, json_object_get(row, "expires"));
    aiobs_litellm_user(key, row);

    aiobs_litellm_limit(limits, "rpm", row, "rpm_limit");
    aiobs_litellm_limit(limits, "tpm", row, "tpm_limit");
    aiobs_litellm_limit(limits, "parallel", row, "max_parallel_requests");
    aiobs_litellm_budget(limits, row, notes);

    *error = aiobs_litellm_models(key, row, team, notes);
    aiobs_litellm_labels(key, row);

    routes = aiobs_litellm_array(json_object_get(row, "allowed_routes"));

    if (json_array_size(routes)) {
        *notes |= AIOBS_NOTE_ROUTES;
    }

    json_decref(routes);

    if (aiobs_litellm_blocked(json_object_get(row, "blocked"))) {
        json_object_set_new(key, "active", json_false());
    }

    if (json_object_size(limits)) {
        json_object_set(key, "limits", limits);
    }

    json_decref(limits);

    return key;
}


static void
aiobs_litellm_text(json_t *key, const char *to, const json_t *row,
    const char *from, size_t max)
{
    size_t       len;
    const char  *text;

    text = json_string_value(json_object_get(row, from));

    if (text == NULL || *text == '\0') {
        return;
    }

    len = aiobs_key_cut((const unsigned char *) text, strlen(text), max);
    json_object_set_new(key, to, json_stringn(text, len));
}


static void
aiobs_litellm_expires(json_t *key, const json_t *value)
{
    if (value && !(json_is_string(value) && json_string_length(value) == 0)) {
        json_object_set(key, "expires_at", (json_t *) value);
    }
}


/* a key of nobody is a team's, or is known by its own name */

static void
aiobs_litellm_user(json_t *key, const json_t *row)
{
    size_t  i;

    static const char  *names[] = { "user_id", "team_id", "key_alias" };

    for (i = 0; i < 3 && !json_object_get(key, "user_id"); i++) {
        aiobs_litellm_text(key, "user_id", row, names[i], AIOBS_KEY_USER_MAX);
    }

    if (!json_object_get(key, "user_id")) {
        json_object_set_new(key, "user_id", json_string("litellm"));
    }
}


static void
aiobs_litellm_limit(json_t *limits, const char *to, const json_t *row,
    const char *from)
{
    json_t  *value;

    value = aiobs_litellm_number(json_object_get(row, from));

    if (value) {
        json_object_set_new(limits, to, value);
    }
}


/*
 * Budgets are of days or of months here: one of another period becomes one of
 * the next longer, which never allows more; one for good, or of more than a
 * month, a month's.
 */

static void
aiobs_litellm_budget(json_t *limits, const json_t *row, unsigned *notes)
{
    int64_t      period;
    json_t      *budget;
    const char  *duration;

    budget = aiobs_litellm_number(json_object_get(row, "max_budget"));

    if (budget == NULL) {
        return;
    }

    duration = json_string_value(json_object_get(row, "budget_duration"));
    period = AIOBS_MONTH + 1;

    if (duration && *duration && strcasecmp(duration, "none") != 0
        && strcasecmp(duration, "null") != 0)
    {
        period = aiobs_litellm_duration(duration);

        if (period < 0) {
            json_decref(budget);
            budget = json_string(duration);
        }
    }

    if (period > AIOBS_MONTH) {
        *notes |= AIOBS_NOTE_LIFETIME;
    }

    json_object_set_new(limits, period <= AIOBS_DAY ? "cost_usd_per_day"
                                                    : "cost_usd_per_month",
                        budget);
}


/* seconds; -1: it is none */

static int64_t
aiobs_litellm_duration(const char *text)
{
    char    *unit;
    long     n;
    size_t   i;

    static const struct {
        const char  *name;
        int64_t      seconds;
    } units[] = {
        { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", AIOBS_DAY },
        { "w", 7 * AIOBS_DAY }, { "mo", AIOBS_MONTH }
    };

    n = strtol(text, &unit, 10);

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].name) == 0) {
            return n > 0 && n < 1000000000 ? n * units[i].seconds : -1;
        }
    }

    return -1;
}


/*
 * A team's key may what its team may besides: as much as that, where its own
 * list is none, or says so.  The team is in another table; team: its models,
 * as far as they were told.
 */

static const char *
aiobs_litellm_models(json_t *key, const json_t *row, const char *team,
    unsigned *notes)
{
    int          all, of_team, member;
    size_t       i;
    json_t      *models, *globs;
    const char  *model;

    models = aiobs_litellm_array(json_object_get(row, "models"));

    all = json_is_array(models) && json_array_size(models) == 0;
    member = aiobs_litellm_filled(row, "team_id");
    of_team = 0;

    for (i = 0; i < json_array_size(models); i++) {
        model = json_string_value(json_array_get(models, i));

        all |= model && (strcmp(model, "all-proxy-models") == 0
                         || strcmp(model, "*") == 0);
        of_team |= model && strcmp(model, "all-team-models") == 0;
    }

    of_team |= all && member;

    if (of_team) {
        globs = json_string(team ? team : "");
        json_decref(models);
        models = aiobs_litellm_array(globs);
        json_decref(globs);

    } else if (all) {
        json_array_clear(models);

    } else if (member) {
        *notes |= AIOBS_NOTE_TEAM;
    }

    json_object_set_new(key, "models", models);

    return of_team && team == NULL
           ? "it may what its team may, which is not in this table: give"
             " --models GLOBS, \"*\" for all"
           : NULL;
}


/* whether limits lie where they are not looked for */

static int
aiobs_litellm_more(const json_t *row)
{
    const json_t  *metadata;

    metadata = json_object_get(row, "metadata");

    return aiobs_litellm_filled(row, "budget_id")
           || aiobs_litellm_filled(row, "budget_limits")
           || aiobs_litellm_filled(row, "model_max_budget")
           || aiobs_litellm_filled(metadata, "model_rpm_limit")
           || aiobs_litellm_filled(metadata, "model_tpm_limit");
}


static int
aiobs_litellm_filled(const json_t *object, const char *name)
{
    const char    *text;
    const json_t  *value;

    value = json_object_get(object, name);
    text = json_string_value(value);

    if (text) {
        return *text && strcmp(text, "{}") != 0 && strcmp(text, "[]") != 0
               && strcmp(text, "null") != 0;
    }

    return json_object_size(value) != 0 || json_array_size(value) != 0
           || json_is_number(value);
}


/* ["a"], or PostgreSQL's {a,"b c"}; new; another value is none */

static json_t *
aiobs_litellm_array(const json_t *value)
{
    char        *copy, *p, *end;
    json_t      *array;
    const char  *text;

    text = json_string_value(value);

    if (text && text[0] == '[') {
        array = json_loads(text, 0, NULL);
        return array ? array : json_string(text);
    }

    if (value && !json_is_null(value) && text == NULL) {
        return json_deep_copy(value);
    }

    array = json_array();

    if (text == NULL || text[0] == '\0') {
        return array;
    }

    copy = strdup(text[0] == '{' ? text + 1 : text);

    if (copy && strchr(copy, '}')) {
        *strrchr(copy, '}') = '\0';
    }

    for (p = copy; p && *p; p = end) {
        end = p + strcspn(p, ",");

        if (*end) {
            *end++ = '\0';
        }

        if (*p == '"' && p[1]) {
            p[strlen(p) - 1] = '\0';
            p++;
        }

        json_array_append_new(array, json_string(p));
    }

    free(copy);

    return array;
}


/* the team, and those of its metadata that are fit to be labels */

static void
aiobs_litellm_labels(json_t *key, const json_t *row)
{
    char          label[AIOBS_KEY_LABELS_MAX + 1];
    void         *i;
    size_t        len;
    json_t       *metadata, *labels, *one;
    const char   *text;

    labels = json_object();
    metadata = json_object_get(row, "metadata");

    aiobs_litellm_text(labels, "team", row, "team_id", 128);

    if (json_is_string(metadata)) {
        text = json_string_value(metadata);
        metadata = json_loads(text, 0, NULL);

    } else {
        json_incref(metadata);
    }

    for (i = json_object_iter(metadata); i;
         i = json_object_iter_next(metadata, i))
    {
        one = json_pack("{s:O}", json_object_iter_key(i),
                        json_object_iter_value(i));
        len = json_dumpb(one, label, AIOBS_KEY_LABELS_MAX, JSON_COMPACT);

        if (len && len <= AIOBS_KEY_LABELS_MAX
            && aiobs_key_labels_error(label, len) == NULL
            && json_object_size(labels) < AIOBS_KEYS_LABELS)
        {
            json_object_update(labels, one);
        }

        json_decref(one);
    }

    json_decref(metadata);
    json_object_set_new(key, "labels", labels);
}


/* new; NULL: there is none */

static json_t *
aiobs_litellm_number(const json_t *value)
{
    char        *end;
    double       number;
    const char  *text;

    text = json_string_value(value);

    if (value == NULL || json_is_null(value) || (text && *text == '\0')) {
        return NULL;
    }

    if (text) {
        number = strtod(text, &end);
        return *end || !isfinite(number) ? json_string(text)
                                         : json_real(number);
    }

    return json_deep_copy(value);
}


/* whatever is not known to be false blocks */

static int
aiobs_litellm_blocked(const json_t *value)
{
    const char  *text;

    text = json_string_value(value);

    if (value == NULL || json_is_null(value) || json_is_false(value)
        || (json_is_integer(value) && json_integer_value(value) == 0))
    {
        return 0;
    }

    return text == NULL
           || (*text && strcasecmp(text, "f") != 0
               && strcasecmp(text, "false") != 0 && strcmp(text, "0") != 0);
}
