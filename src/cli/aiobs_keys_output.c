
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: what people and programs read.
 */


#include "aiobs_keys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>


void
aiobs_keys_say(const char *fmt, ...)
{
    char     text[1024];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    fputs("aiobs-keys: ", stderr);
    aiobs_keys_text(stderr, text, sizeof(text), 0);
    fputc('\n', stderr);
}


void
aiobs_keys_text(FILE *out, const char *text, int width, int pad)
{
    size_t                n;
    const unsigned char  *p, *end, *sound;

    p = (const unsigned char *) text;
    sound = p;

    for (end = p + strlen(text); p < end && width > 0; width--) {
        n = (*p >= 0x20 && *p < 0x7f) ? 1 : aiobs_key_utf8(p, end);

        if (n == 0) {
            fwrite(sound, 1, p - sound, out);
            fputc('?', out);
            sound = ++p;
            continue;
        }

        p += n;
    }

    fwrite(sound, 1, p - sound, out);

    if (pad && width > 0) {
        fprintf(out, "%*s", width, "");
    }
}


void
aiobs_keys_cell(const char *text, int width)
{
    aiobs_keys_text(stdout, text ? text : "-", width, 1);
    fputs("  ", stdout);
}


void
aiobs_keys_whole(const char *text, int width)
{
    int  n;

    text = text ? text : "-";
    n = aiobs_keys_count(text);

    aiobs_keys_cell(text, n > width ? n : width);
}


int
aiobs_keys_count(const char *text)
{
    int                   width;
    size_t                n;
    const unsigned char  *p, *end;

    p = (const unsigned char *) text;
    end = p + strlen(text);

    for (width = 0; p < end && width < AIOBS_KEYS_LONGEST; width++) {
        n = (*p >= 0x20 && *p < 0x7f) ? 1 : aiobs_key_utf8(p, end);
        p += n ? n : 1;
    }

    return width;
}


void
aiobs_keys_json(const char *json)
{
    if (json) {
        aiobs_keys_text(stdout, json, 0x7fffffff, 0);
    }
}


json_t *
aiobs_keys_sound(const char *text)
{
    char           *copy;
    size_t          n;
    json_t         *value;
    unsigned char  *p, *end;

    if (text == NULL) {
        return json_null();
    }

    copy = strdup(text);
    if (copy == NULL) {
        return NULL;
    }

    p = (unsigned char *) copy;

    for (end = p + strlen(copy); p < end; p += n) {
        n = *p < 0x80 ? 1 : aiobs_key_utf8(p, end);

        if (n == 0) {
            n = 1;
            *p = '?';
        }
    }

    value = json_string(copy);
    free(copy);

    return value;
}


int
aiobs_keys_flush(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        aiobs_keys_say("cannot write the output: %s", strerror(errno));
        return AIOBS_EXIT_FAILED;
    }

    return AIOBS_EXIT_OK;
}
