
/*
 * Copyright (C) the aiobs authors
 *
 * Figures as text: plain digits, as JSON and Prometheus read them.
 */


#include "ngx_http_aiobs_request.h"


static u_char *ngx_http_aiobs_long(u_char *p, uint64_t n);


static const u_char  ngx_http_aiobs_pairs[] =
    "00010203040506070809" "10111213141516171819" "20212223242526272829"
    "30313233343536373839" "40414243444546474849" "50515253545556575859"
    "60616263646566676869" "70717273747576777879" "80818283848586878889"
    "90919293949596979899";


/* with zeros before them */

static ngx_inline void
ngx_http_aiobs_two(u_char *p, uint32_t n)
{
    ngx_memcpy(p, ngx_http_aiobs_pairs + 2 * n, 2);
}


static ngx_inline u_char *
ngx_http_aiobs_three(u_char *p, uint32_t n)
{
    *p++ = (u_char) ('0' + n / 100);
    ngx_http_aiobs_two(p, n % 100);

    return p + 2;
}


/* most are of a few digits */

static ngx_inline u_char *
ngx_http_aiobs_integer(u_char *p, uint64_t n)
{
    if (n < 10) {
        *p = (u_char) ('0' + n);
        return p + 1;
    }

    if (n < 100) {
        ngx_http_aiobs_two(p, (uint32_t) n);
        return p + 2;
    }

    if (n < 1000) {
        return ngx_http_aiobs_three(p, (uint32_t) n);
    }

    return ngx_http_aiobs_long(p, n);
}


u_char *
ngx_http_aiobs_value_number(u_char *p, ngx_http_aiobs_value_t *value)
{
    uint64_t  n;

    n = (uint64_t) value->n;

    if (value->n < 0) {
        *p++ = '-';
        n = 0 - n;
    }

    switch (value->type) {

    case NGX_HTTP_AIOBS_VALUE_SECONDS:

        if (n < 1000000) {
            *p++ = '0';

        } else {
            p = ngx_http_aiobs_integer(p, n / 1000000);
            n %= 1000000;
        }

        *p++ = '.';

        return n % 1000 ? ngx_http_aiobs_six(p, (uint32_t) n)
                        : ngx_http_aiobs_three(p, (uint32_t) n / 1000);

    case NGX_HTTP_AIOBS_VALUE_USD:

        if (n < 1000000000) {
            *p++ = '0';

        } else {
            p = ngx_http_aiobs_integer(p, n / 1000000000);
            n %= 1000000000;
        }

        *p++ = '.';

        p = ngx_http_aiobs_three(p, (uint32_t) n / 1000000);

        return ngx_http_aiobs_six(p, (uint32_t) n % 1000000);

    case NGX_HTTP_AIOBS_VALUE_BOOLEAN:
        return n ? ngx_cpymem(p, "true", 4) : ngx_cpymem(p, "false", 5);

    default:
        return ngx_http_aiobs_integer(p, n);
    }
}


u_char *
ngx_http_aiobs_six(u_char *p, uint32_t n)
{
    ngx_http_aiobs_two(p, n / 10000);
    ngx_http_aiobs_two(p + 2, n / 100 % 100);
    ngx_http_aiobs_two(p + 4, n % 100);

    return p + 6;
}


/* of four digits at least */

static u_char *
ngx_http_aiobs_long(u_char *p, uint64_t n)
{
    uint32_t  low;

    if (n >= 10000) {
        p = n >= 10000000 ? ngx_http_aiobs_long(p, n / 10000)
                          : ngx_http_aiobs_integer(p, n / 10000);
        n %= 10000;
    }

    low = (uint32_t) n;

    ngx_http_aiobs_two(p, low / 100);
    ngx_http_aiobs_two(p + 2, low % 100);

    return p + 4;
}
