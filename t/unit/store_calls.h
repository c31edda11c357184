
/*
 * Copyright (C) the aiobs authors
 *
 * A store, and one call of it after another, as the arguments of a driver tell:
 * "FILE COMMAND ARGUMENT... , COMMAND ...".
 */


#include "keys/aiobs_store_manage.h"

#include <stdio.h>
#include <string.h>


static const aiobs_actor_t  who = { "test:unit", "request-1" };

static aiobs_store_t        *store;


static int
calls(int argc, char **argv, void (*call)(int n, char **words))
{
    int  rc, i, n;

    rc = aiobs_store_open(argv[1], AIOBS_STORE_CREATE, 5000, &store);

    if (rc != AIOBS_STORE_OK) {
        printf("%d %s\n", rc, aiobs_store_error(store));
        aiobs_store_close(store);
        return 1;
    }

    for (i = 2; i < argc; i += n + 1) {
        for (n = 0; i + n < argc && strcmp(argv[i + n], ",") != 0; n++) {
            /* void */
        }

        call(n, argv + i);
    }

    aiobs_store_close(store);

    return 0;
}
