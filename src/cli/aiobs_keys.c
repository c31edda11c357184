
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys hands out, changes and revokes the keys of a store.
 */


#include "aiobs_keys.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static void aiobs_keys_streams(void);
static const aiobs_keys_command_t *aiobs_keys_find(const char *name);
static int aiobs_keys_help(const char *name, FILE *out);


static const char  aiobs_keys_summary[] =
    "usage: aiobs-keys COMMAND --db PATH [OPTION]...\n"
    "\n"
    "Hands out, changes and revokes the API keys of a gateway, and tells what\n"
    "they spent.  The store is an SQLite file that nginx has open meanwhile\n"
    "(aiobs_key_store sqlite:PATH); what is done here takes effect there within\n"
    "a second.\n"
    "\n";

static const char  aiobs_keys_codes[] =
    "\n"
    "  help [COMMAND]            tells more about a command\n"
    "  --version                 prints the version\n"
    "\n"
    "Exit codes:\n"
    "  0  done\n"
    "  1  the store could not be read or written, or the key cannot be rotated;\n"
    "     stderr says why\n"
    "  2  wrong usage, or a value that is not fit\n"
    "  3  no such key or user\n"
    "  4  several keys begin so: give more of the key id\n"
    "  5  some rows could not be imported; stderr says which\n"
    "  6  the chain of events is broken\n";


int
main(int argc, char **argv)
{
    int                          rc, i;
    const aiobs_keys_command_t  *c;
    aiobs_keys_options_t         o;

    aiobs_keys_streams();

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


/*
 * The store must not become stdin, stdout or stderr of a program that was
 * started without them.  What is read from or written to those of here fails.
 */

static void
aiobs_keys_streams(void)
{
    int  fd;

    for (fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1) {
            (void) open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
        }
    }
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
