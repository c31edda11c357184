
/*
 * Copyright (C) the aiobs authors
 *
 * Verifies tokens: pairs of lines, a set of keys and a token; one line of
 * answer each.  A line "half ALG TEXT HASH" asks for at_hash.
 */


#include "login/aiobs_jwt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static ssize_t
line(char **text, size_t *size)
{
    ssize_t  n;

    n = getline(text, size, stdin);

    if (n > 0 && (*text)[n - 1] == '\n') {
        (*text)[--n] = '\0';
    }

    return n;
}


static void
half(char *text)
{
    char  alg[16], plain[256], hash[256];

    if (sscanf(text, "half %15s %255s %255s", alg, plain, hash) == 3) {
        printf("%d\n", aiobs_jwt_half_hash(aiobs_jwt_alg(alg), plain, hash));
    }
}


static void
verify(const char *jwks, size_t jwks_len, const char *token, size_t len)
{
    int           rc;
    char          error[256], *claims, *exact;
    aiobs_jwt_t   jwt;

    /* not a byte behind it is to be read */

    exact = malloc(len ? len : 1);
    memcpy(exact, token, len);

    rc = aiobs_jwt_verify(exact, len, jwks, jwks_len, &jwt, error,
                          sizeof(error));

    if (rc == AIOBS_JWT_OK) {
        claims = json_dumps(jwt.claims, JSON_COMPACT|JSON_SORT_KEYS);
        printf("ok %s %s\n", jwt.alg->name, claims);
        free(claims);

    } else {
        printf("%d %s\n", rc, jwt.claims ? "claims!" : error);
    }

    json_decref(jwt.claims);
    free(exact);
}


int
main(void)
{
    char     *jwks, *token;
    size_t    jwks_size, token_size;
    ssize_t   n, m;

    jwks = NULL;
    token = NULL;
    jwks_size = 0;
    token_size = 0;

    while ((n = line(&jwks, &jwks_size)) >= 0) {

        if (strncmp(jwks, "half ", 5) == 0) {
            half(jwks);
            continue;
        }

        m = line(&token, &token_size);
        if (m < 0) {
            break;
        }

        verify(jwks, n, token, m);
    }

    free(jwks);
    free(token);

    return 0;
}
