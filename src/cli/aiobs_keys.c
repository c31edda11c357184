
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys hands out, lists and revokes the keys of a store.
 */


#include "aiobs_keys.h"

#include <stdlib.h>
#include <string.h>


typedef struct {
    const char  *name;
    char         letter;
    int          flag;          /* takes no value */
    size_t       offset;
} aiobs_keys_option_t;


static int aiobs_keys_parse(const aiobs_keys_command_t *c, int argc,
    char **argv, aiobs_keys_options_t *o);
static int aiobs_keys_option(const aiobs_keys_command_t *c, char **argv,
    aiobs_keys_options_t *o);
static const aiobs_keys_command_t *aiobs_keys_find(const char *name);
static int aiobs_keys_help(const char *name, FILE *out);


static const aiobs_keys_option_t  aiobs_keys_options[] = {
    { "--db",    'd', 0, offsetof(aiobs_keys_options_t, db) },
    { "--user",  'u', 0, offsetof(aiobs_keys_options_t, user) },
    { "--name",  'n', 0, offsetof(aiobs_keys_options_t, name) },
    { "--json",  'j', 1, offsetof(aiobs_keys_options_t, json) },
    { "--stdin", 's', 1, offsetof(aiobs_keys_options_t, from_stdin) },
    { NULL, 0, 0, 0 }
};


static const char  aiobs_keys_summary[] =
    "usage: aiobs-keys COMMAND --db PATH [OPTION]...\n"
    "\n"
    "Hands out, lists and revokes the API keys of a gateway.  The store is an\n"
    "SQLite file that nginx has open meanwhile (aiobs_key_store sqlite:PATH);\n"
    "what is done here takes effect there within a second.\n"
    "\n";

static const char  aiobs_keys_codes[] =
    "\n"
    "  help [COMMAND]            tells more about a command\n"
    "  --version                 prints the version\n"
    "\n"
    "Exit codes:\n"
    "  0  done\n"
    "  1  the store could not be read or written; stderr says why\n"
    "  2  wrong usage, or a name that is not fit\n"
    "  3  no such key or user\n"
    "  4  several keys begin so: give more of the key id\n";


int
main(int argc, char **argv)
{
    int                          rc, i;
    const aiobs_keys_command_t  *c;
    aiobs_keys_options_t         o;

    if (argc < 2) {
        (void) aiobs_keys_help(NULL, stderr);
        return AIOBS_EXIT_USAGE;
    }

    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0
        || strcmp(argv[1], "help") == 0)
    {
        return aiobs_keys_help(argc > 2 ? argv[2] : NULL, stdout);
    }

    if (strcmp(argv[1], "--version") == 0) {
        printf("aiobs-keys %s\n", AIOBS_KEYS_VERSION);
        return aiobs_keys_flush();
    }

    c = aiobs_keys_find(argv[1]);

    if (c == NULL) {
        aiobs_keys_say("there is no command \"%s\"; aiobs-keys --help lists"
                       " them", argv[1]);
        return AIOBS_EXIT_USAGE;
    }

    for (i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return aiobs_keys_help(c->name, stdout);
        }
    }

    rc = aiobs_keys_parse(c, argc - 2, argv + 2, &o);

    if (rc == AIOBS_EXIT_OK) {
        rc = c->run(&o);
    }

    return rc == AIOBS_EXIT_OK ? aiobs_keys_flush() : rc;
}


static int
aiobs_keys_parse(const aiobs_keys_command_t *c, int argc, char **argv,
    aiobs_keys_options_t *o)
{
    int  n;

    memset(o, 0, sizeof(aiobs_keys_options_t));

    while (argc > 0) {

        if (argv[0][0] == '-') {
            n = aiobs_keys_option(c, argv, o);

        } else if (strchr(c->accepts, 'k') && o->key_id == NULL) {
            o->key_id = argv[0];
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

    for (option = aiobs_keys_options; option->name; option++) {
        if (strlen(option->name) == len
            && strncmp(option->name, argv[0], len) == 0)
        {
            break;
        }
    }

    if (option->name == NULL || strchr(c->accepts, option->letter) == NULL) {
        aiobs_keys_say("%s has no option \"%.*s\"", c->name,
                       (int) (len > 32 ? 32 : len), argv[0]);
        return 0;
    }

    value = argv[0][len] == '=' ? argv[0] + len + 1 : NULL;

    if (option->flag) {
        if (value) {
            aiobs_keys_say("%s takes no value", option->name);
            return 0;
        }

        *(int *) ((char *) o + option->offset) = 1;
        return 1;
    }

    if (value == NULL && argv[1] == NULL) {
        aiobs_keys_say("%s needs a value", option->name);
        return 0;
    }

    *(const char **) ((char *) o + option->offset) = value ? value : argv[1];

    return value ? 1 : 2;
}


static const aiobs_keys_command_t *
aiobs_keys_find(const char *name)
{
    const aiobs_keys_command_t  *c;

    for (c = aiobs_keys_commands; c->name; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }

    return NULL;
}


static int
aiobs_keys_help(const char *name, FILE *out)
{
    const aiobs_keys_command_t  *c;

    if (name == NULL) {
        fputs(aiobs_keys_summary, out);

        for (c = aiobs_keys_commands; c->name; c++) {
            fprintf(out, "  %s\n", c->usage);
        }

        fputs(aiobs_keys_codes, out);

        return aiobs_keys_flush();
    }

    c = aiobs_keys_find(name);

    if (c == NULL) {
        aiobs_keys_say("there is no command \"%s\"", name);
        return AIOBS_EXIT_USAGE;
    }

    fprintf(out, "usage: aiobs-keys %s\n\n%s", c->usage, c->help);

    return aiobs_keys_flush();
}
