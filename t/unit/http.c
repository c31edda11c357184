
/*
 * Copyright (C) the aiobs authors
 *
 * Driver of the net room: one request for every line of input,
 * "METHOD URL [name=value]...", and a line about each answer.
 */


#include "net/aiobs_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static int  calls;


static int
give_up(void *data)
{
    calls++;
    return calls >= atoi(data);
}


static void
option(aiobs_http_request_t *request, const char **headers, char *name)
{
    char  *value;

    value = strchr(name, '=');
    *value++ = '\0';

    if (strcmp(name, "body") == 0) {
        request->body = value;
        request->body_len = strlen(value);

    } else if (strcmp(name, "header") == 0) {
        *headers = value;

    } else if (strcmp(name, "timeout") == 0) {
        request->timeout_ms = atol(value);

    } else if (strcmp(name, "max") == 0) {
        request->max = atol(value);

    } else if (strcmp(name, "redirects") == 0) {
        request->redirects = atol(value);

    } else if (strcmp(name, "ca") == 0) {
        request->ca_file = value;

    } else if (strcmp(name, "http2") == 0) {
        request->http2 = 1;

    } else if (strcmp(name, "give_up") == 0) {
        request->give_up = give_up;
        request->data = value;
        calls = 0;
    }
}


int
main(void)
{
    char                  line[4096], *word;
    const char           *headers[2];
    aiobs_http_t         *http;
    aiobs_http_answer_t   answer;
    aiobs_http_request_t  request;

    if (aiobs_http_init() != 0 || (http = aiobs_http_create()) == NULL) {
        return 1;
    }

    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';

        memset(&request, 0, sizeof(request));
        memset(headers, 0, sizeof(headers));

        request.method = strtok(line, " ");
        request.url = strtok(NULL, " ");
        request.headers = headers;

        while ((word = strtok(NULL, " "))) {
            option(&request, headers, word);
        }

        aiobs_http_perform(http, &request, &answer);

        printf("%s|%d|%d|%zu|%.60s|%s|%s|%s\n",
               aiobs_http_error_name(answer.error), answer.status, answer.sent,
               answer.len, answer.body, aiobs_http_header(&answer, "retry-after"),
               aiobs_http_header(&answer, "x-odd"), answer.text);
    }

    aiobs_http_free(http);

    return 0;
}
