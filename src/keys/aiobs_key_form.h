
/*
 * Copyright (C) the aiobs authors
 *
 * Attributes of a key as people and programs write them: options of
 * aiobs-keys, JSON of the keys API and of an import.
 */


#ifndef _AIOBS_KEY_FORM_H_INCLUDED_
#define _AIOBS_KEY_FORM_H_INCLUDED_


#include "aiobs_store_manage.h"

#include <jansson.h>


/* members that tell, and are not set: key_id, state, ... may be there */
#define AIOBS_FORM_LENIENT  0x01


/* attrs points here, or into what it was read from */

typedef struct {
    aiobs_key_attrs_t  attrs;
    char               expires[AIOBS_KEY_TIME_LEN + 1];
    char               models[AIOBS_KEY_MODELS_MAX + 1];
    char               endpoints[AIOBS_KEY_ENDPOINTS_MAX + 1];
    char               labels[AIOBS_KEY_LABELS_MAX + 1];
    char               error[160];
} aiobs_key_form_t;


/*
 * Members user_id, name, expires_at, models, endpoints, labels, admin,
 * may_act_for, and limits, an object by aiobs_limit_name(); null takes one
 * away.  NULL, or what is wrong, which lives in form.
 */
const char *aiobs_key_form_json(aiobs_key_form_t *form, const json_t *object,
    unsigned flags);

/* one member; the value of a limit in US dollars, where it is a cost */
const char *aiobs_form_labels(aiobs_key_form_t *form, const json_t *value);
int aiobs_form_set_limit(aiobs_key_form_t *form, aiobs_limit_e limit,
    double value);


/* --- aiobs_key_form_text.c --- */

/*
 * Each takes one value as text.  0, or -1: it is not fit.  Time: a date, a
 * time of ISO 8601 with or without zone, a period from now such as 90d, 12h,
 * 30m, or "never".  Limits: a whole number, US dollars where it is a cost, or
 * "none".  Labels: KEY=VALUE, added to those before; KEY= takes one away.
 */
int aiobs_key_form_expires(aiobs_key_form_t *form, const char *text);
int aiobs_key_form_limit(aiobs_key_form_t *form, aiobs_limit_e limit,
    const char *text);
int aiobs_key_form_label(aiobs_key_form_t *form, const char *text);

/* what was there before, a JSON object or NULL, for aiobs_key_form_label() */
int aiobs_key_form_labels(aiobs_key_form_t *form, const char *json);

/* seconds of a period such as 90d, 12h, 30m, 10s or 0; -1: it is none */
int64_t aiobs_key_period(const char *text);

/* UTC without zone; time: AIOBS_KEY_TIME_LEN + 1 bytes.  -1: it is no time */
int aiobs_key_parse_time(const char *text, char *time);


#endif /* _AIOBS_KEY_FORM_H_INCLUDED_ */
