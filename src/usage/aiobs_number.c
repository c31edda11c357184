
/*
 * Copyright (C) the aiobs authors
 *
 * Numbers of JSON read exactly, without floating point.
 */


#include "aiobs_apis.h"


/* a decimal: digits without the point, and where it stood */

typedef struct {
    int64_t  digits;
    int      places;            /* behind the point, less the exponent */
    int      overflow;
} aiobs_decimal_t;


static int aiobs_decimal(aiobs_decimal_t *d, const char *text, size_t len,
    int64_t max);
static int aiobs_exponent(const char *text, size_t len, int *exponent);


/*
 * A count is a whole number from 0 to AIOBS_TOKENS_MAX; "28.0" and "2.8e1" are
 * whole.
 */

int64_t
aiobs_number(const char *text, size_t len)
{
    size_t           i;
    int64_t          n;
    aiobs_decimal_t  d;

    /* nearly all are a few digits */

    for (i = 0, n = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
        if (i == 12) {
            break;
        }

        n = n * 10 + (text[i] - '0');
    }

    if (i == len && i) {
        return n;
    }

    if (aiobs_decimal(&d, text, len, AIOBS_TOKENS_MAX) != 0 || d.overflow) {
        return AIOBS_ABSENT;
    }

    for ( /* void */ ; d.places > 0 && d.digits; d.places--) {
        if (d.digits % 10) {
            return AIOBS_ABSENT;
        }

        d.digits /= 10;
    }

    for ( /* void */ ; d.places < 0 && d.digits; d.places++) {
        if (d.digits > AIOBS_TOKENS_MAX) {
            return AIOBS_ABSENT;
        }

        d.digits *= 10;
    }

    return d.digits > AIOBS_TOKENS_MAX ? AIOBS_ABSENT : d.digits;
}


/* what lies below a billionth is cut */

int64_t
aiobs_amount(const char *text, size_t len)
{
    aiobs_decimal_t  d;

    if (aiobs_decimal(&d, text, len, INT64_MAX / 100) != 0
        || (d.overflow && d.places <= 0))
    {
        return AIOBS_ABSENT;
    }

    for ( /* void */ ; d.places > 9 && d.digits; d.places--) {
        d.digits /= 10;
    }

    for ( /* void */ ; d.places < 9 && d.digits; d.places++) {
        if (d.digits > INT64_MAX / 10) {
            return AIOBS_ABSENT;
        }

        d.digits *= 10;
    }

    return d.digits;
}


/*
 * Digits past max are not taken: before the point that is an overflow, behind
 * it they only make the number less precise.  -1: not a number, or negative.
 */

static int
aiobs_decimal(aiobs_decimal_t *d, const char *text, size_t len, int64_t max)
{
    int     dot, exponent;
    size_t  i;

    d->digits = 0;
    d->places = 0;
    d->overflow = 0;
    dot = 0;

    for (i = 0; i < len; i++) {

        if (text[i] == '.' && !dot && i) {
            dot = 1;
            continue;
        }

        if (text[i] < '0' || text[i] > '9') {
            break;
        }

        if (d->digits > max) {
            d->overflow = 1;
            d->places -= !dot;
            continue;
        }

        d->digits = d->digits * 10 + (text[i] - '0');
        d->places += dot;
    }

    exponent = 0;

    if (i == 0 || (i < len && aiobs_exponent(text + i, len - i, &exponent))) {
        return -1;
    }

    d->places -= exponent;

    return 0;
}


static int
aiobs_exponent(const char *text, size_t len, int *exponent)
{
    int     e, sign;
    size_t  i;

    if (text[0] != 'e' && text[0] != 'E') {
        return -1;
    }

    i = 1;
    sign = 1;

    if (i < len && (text[i] == '+' || text[i] == '-')) {
        sign = text[i++] == '-' ? -1 : 1;
    }

    if (i == len) {
        return -1;
    }

    for (e = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || e > 1000) {
            return -1;
        }

        e = e * 10 + (text[i] - '0');
    }

    *exponent = sign * e;

    return 0;
}
