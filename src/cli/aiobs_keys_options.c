
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: options, and what they say of a key.
 */


#include "aiobs_keys.h"

#include <stdlib.h>
#include <string.h>


typedef enum {
    AIOBS_OPTION_VALUE = 0,
    AIOBS_OPTION_FLAG,
    AIOBS_OPTION_LABEL
} aiobs_keys_option_e;


typedef struct {
    const char           *name;
    char                  letter;
    aiobs_keys_option_e   type;
    size_t                offset;
} aiobs_keys_option_t;


static int aiobs_keys_option(const aiobs_keys_command_t *c, char **argv,
    aiobs_keys_options_t *o);
static const aiobs_keys_option_t *aiobs_keys_find_option(const char *name,
    size_t len);
static int aiobs_keys_flag(const aiobs_keys_option_t *option,
    const char *value, aiobs_keys_options_t *o);
static int aiobs_keys_add_label(aiobs_keys_options_t *o, const char *value);
static int aiobs_keys_limits(const aiobs_keys_options_t *o,
    aiobs_key_form_t *form);
static int aiobs_keys_labels(const aiobs_keys_options_t *o,
    aiobs_key_form_t *form, const char *labels);


#define aiobs_keys_offset(field)  offsetof(aiobs_keys_options_t, field)

static const aiobs_keys_option_t  aiobs_keys_options[] = {
    { "--db",                'd', 0, aiobs_keys_offset(db) },
    { "--user",              'u', 0, aiobs_keys_offset(user) },
    { "--name",              'n', 0, aiobs_keys_offset(name) },
    { "--json",              'j', 1, aiobs_keys_offset(json) },
    { "--csv",               'c', 1, aiobs_keys_offset(csv) },
    { "--stdin",             's', 1, aiobs_keys_offset(from_stdin) },
    { "--expires",           'a', 0, aiobs_keys_offset(expires) },
    { "--models",            'o', 0, aiobs_keys_offset(models) },
    { "--endpoints",         'a', 0, aiobs_keys_offset(endpoints) },
    { "--label",             'a', 2, 0 },
    { "--admin",             'a', 1, aiobs_keys_offset(admin) },
    { "--may-act-for",       'a', 1, aiobs_keys_offset(may_act_for) },
    { "--rpm",               'a', 0, aiobs_keys_offset(limits[0]) },
    { "--tpm",               'a', 0, aiobs_keys_offset(limits[1]) },
    { "--tokens-per-day",    'a', 0, aiobs_keys_offset(limits[2]) },
    { "--tokens-per-month",  'a', 0, aiobs_keys_offset(limits[3]) },
    { "--cost-per-day",      'a', 0, aiobs_keys_offset(limits[4]) },
    { "--cost-per-month",    'a', 0, aiobs_keys_offset(limits[5]) },
    { "--parallel",          'a', 0, aiobs_keys_offset(limits[6]) },
    { "--no-admin",          'e', 1, aiobs_keys_offset(no_admin) },
    { "--no-may-act-for",    'e', 1, aiobs_keys_offset(no_may_act_for) },
    { "--grace",             'g', 0, aiobs_keys_offset(grace) },
    { "--by",                'b', 0, aiobs_keys_offset(by) },
    { "--month",             'm', 0, aiobs_keys_offset(month) },
    { "--format",            'f', 0, aiobs_keys_offset(format) },
    { "--verify",            'v', 1, aiobs_keys_offset(verify) },
    { "--expect",            'v', 0, aiobs_keys_offset(expect) },
    { NULL, 0, 0, 0 }
};


int
aiobs_keys_parse(const aiobs_keys_command_t *c, int argc, char **argv,
    aiobs_keys_options_t *o)
{
    int  n;

    memset(o, 0, sizeof(aiobs_keys_options_t));

    while (argc > 0) {

        if (argv[0][0] == '-' && argv[0][1]) {
            n = aiobs_keys_option(c, argv, o);

        } else if (strchr(c->accepts, 'k') && o->arg == NULL) {
            o->arg = argv[0];
            n = 1;

        } else {
            /* it may be a key: it is not repeated */
            aiobs_keys_say("%s takes no further argument", c->name);
            n = 0;
        }

        if (n == 0) {
            fprintf(stderr, "usage: aiobs-keys %s\n", c->usage);
            return AIOBS_EXIT_USAGE;
        }

        argc -= n;
        argv += n;
    }

    if (o->json && o->csv) {
        aiobs_keys_say("--json and --csv make no sense together");
        return AIOBS_EXIT_USAGE;
    }

    /* as "aiobs_key_store" has it */

    if (o->db && strncmp(o->db, "sqlite:", sizeof("sqlite:") - 1) == 0) {
        o->db += sizeof("sqlite:") - 1;
    }

    if (o->db == NULL || o->db[0] == '\0') {
        aiobs_keys_say("which store? give --db PATH");
        fprintf(stderr, "usage: aiobs-keys %s\n", c->usage);
        return AIOBS_EXIT_USAGE;
    }

    return AIOBS_EXIT_OK;
}


/* number of arguments used; 0: wrong */

static int
aiobs_keys_option(const aiobs_keys_command_t *c, char **argv,
    aiobs_keys_options_t *o)
{
    size_t                      len;
    const char                 *value;
    const aiobs_keys_option_t  *option;

    len = strcspn(argv[0], "=");
    option = aiobs_keys_find_option(argv[0], len);

    if (option == NULL || strchr(c->accepts, option->letter) == NULL) {
        aiobs_keys_say("%s has no option \"%.*s\"", c->name,
                       (int) (len > 32 ? 32 : len), argv[0]);
        return 0;
    }

    value = argv[0][len] == '=' ? argv[0] + len + 1 : NULL;

    if (option->type == AIOBS_OPTION_FLAG) {
        return aiobs_keys_flag(option, value, o);
    }

    if (value == NULL && argv[1] == NULL) {
        aiobs_keys_say("%s needs a value", option->name);
        return 0;
    }

    if (option->type == AIOBS_OPTION_LABEL) {
        if (aiobs_keys_add_label(o, value ? value : argv[1]) != 0) {
            return 0;
        }

    } else {
        *(const char **) ((char *) o + option->offset) = value ? value
                                                               : argv[1];
    }

    return value ? 1 : 2;
}


static const aiobs_keys_option_t *
aiobs_keys_find_option(const char *name, size_t len)
{
    const aiobs_keys_option_t  *option;

    for (option = aiobs_keys_options; option->name; option++) {
        if (strlen(option->name) == len
            && strncmp(option->name, name, len) == 0)
        {
            return option;
        }
    }

    return NULL;
}


static int
aiobs_keys_flag(const aiobs_keys_option_t *option, const char *value,
    aiobs_keys_options_t *o)
{
    if (value) {
        aiobs_keys_say("%s takes no value", option->name);
        return 0;
    }

    *(int *) ((char *) o + option->offset) = 1;

    return 1;
}


static int
aiobs_keys_add_label(aiobs_keys_options_t *o, const char *value)
{
    if (o->nlabels == AIOBS_KEYS_LABELS) {
        aiobs_keys_say("there are more than %d labels", AIOBS_KEYS_LABELS);
        return -1;
    }

    o->labels[o->nlabels++] = value;

    return 0;
}


int
aiobs_keys_attrs(const aiobs_keys_options_t *o, aiobs_key_form_t *form,
    const char *labels)
{
    const char         *error;
    aiobs_key_attrs_t  *attrs;

    memset(form, 0, sizeof(aiobs_key_form_t));
    attrs = &form->attrs;

    attrs->user = o->user;
    attrs->name = o->name && *o->name ? o->name : NULL;
    attrs->models = o->models && *o->models ? o->models : NULL;
    attrs->endpoints = o->endpoints && *o->endpoints ? o->endpoints : NULL;
    attrs->admin = o->admin;
    attrs->may_act_for = o->may_act_for;

    attrs->set = (o->user ? AIOBS_ATTR_USER : 0)
                 | (o->name ? AIOBS_ATTR_NAME : 0)
                 | (o->models ? AIOBS_ATTR_MODELS : 0)
                 | (o->endpoints ? AIOBS_ATTR_ENDPOINTS : 0)
                 | (o->admin || o->no_admin ? AIOBS_ATTR_ADMIN : 0)
                 | (o->may_act_for || o->no_may_act_for
                    ? AIOBS_ATTR_MAY_ACT_FOR : 0);

    if (o->expires && aiobs_key_form_expires(form, o->expires) != 0) {
        aiobs_keys_say("--expires takes a time such as 2026-12-31T23:59:59, a"
                       " period such as 90d, or never");
        return AIOBS_EXIT_USAGE;
    }

    if (aiobs_keys_limits(o, form) != 0
        || aiobs_keys_labels(o, form, labels) != 0)
    {
        return AIOBS_EXIT_USAGE;
    }

    error = aiobs_key_attrs_error(attrs);

    if (error) {
        aiobs_keys_say("the key cannot be stored so: %s", error);
        return AIOBS_EXIT_USAGE;
    }

    return AIOBS_EXIT_OK;
}


static int
aiobs_keys_limits(const aiobs_keys_options_t *o, aiobs_key_form_t *form)
{
    int                         i;
    const aiobs_keys_option_t  *option;

    for (i = 0; i < AIOBS_LIMIT_N; i++) {

        if (o->limits[i] == NULL
            || aiobs_key_form_limit(form, i, o->limits[i]) == 0)
        {
            continue;
        }

        for (option = aiobs_keys_options;
             option->offset != aiobs_keys_offset(limits[i]);
             option++)
        {
            /* void */
        }

        aiobs_keys_say("%s takes a number, or none%s", option->name,
                       i == AIOBS_LIMIT_COST_DAY || i == AIOBS_LIMIT_COST_MONTH
                       ? "; it is in US dollars" : "");
        return -1;
    }

    return 0;
}


static int
aiobs_keys_labels(const aiobs_keys_options_t *o, aiobs_key_form_t *form,
    const char *labels)
{
    int  i;

    if (o->nlabels == 0) {
        return 0;
    }

    (void) aiobs_key_form_labels(form, labels);

    for (i = 0; i < o->nlabels; i++) {
        if (aiobs_key_form_label(form, o->labels[i]) != 0) {
            aiobs_keys_say("--label takes NAME=VALUE, 512 bytes of them in"
                           " all");
            return -1;
        }
    }

    return 0;
}
