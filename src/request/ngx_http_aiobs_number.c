
/*
 * Copyright (C) the aiobs authors
 *
 * Figures as text: plain digits, as JSON and Prometheus read them.
 */


#include "ngx_http_aiobs_request.h"


static u_char *ngx_http_aiobs_integer(u_char *p, uint64_t n);


static const u_char  ngx_http_aiobs_pairs[] =
    "00010203040506070809" "10111213141516171819" "20212223242526272829"
    "30313233343536373839" "40414243444546474849" "50515253545556575859"
    "60616263646566676869" "70717273747576777879" "80818283848586878889"
    "90919293949596979899";


u_char *
ngx_http_aiobs_value_number(u_char *p, ngx_http_aiobs_value_t *value)
{
    uint64_t  n;

    n = (uint64_t) value->n;

    if (value->type == NGX_HTTP_AIOBS_VALUE_BOOLEAN) {
        return n ? ngx_cpymem(p, "true", 4) : ngx_cpymem(p, "false", 5);
    }

    if (value->n < 0) {
        *p++ = '-';
        n = 0 - n;
    }

    switch (value->type) {

    case NGX_HTTP_AIOBS_VALUE_SECONDS:
        p = ngx_http_aiobs_integer(p, n / 1000000);
        *p++ = '.';

        return n % 1000 ? ngx_http_aiobs_digits(p, n % 1000000, 6)
                        : ngx_http_aiobs_digits(p, n / 1000 % 1000, 3);

    case NGX_HTTP_AIOBS_VALUE_USD:
        p = ngx_http_aiobs_integer(p, n / 1000000000);
        *p++ = '.';

        return ngx_http_aiobs_digits(p, n % 1000000000, 9);

    default:
        return ngx_http_aiobs_integer(p, n);
    }
}


u_char *
ngx_http_aiobs_digits(u_char *p, uint64_t n, ngx_uint_t width)
{
    ngx_uint_t  i;

    for (i = width; i >= 2; i -= 2) {
        ngx_memcpy(p + i - 2, ngx_http_aiobs_pairs + n % 100 * 2, 2);
        n /= 100;
    }

    if (i) {
        *p = (u_char) ('0' + n % 10);
    }

    return p + width;
}


static u_char *
ngx_http_aiobs_integer(u_char *p, uint64_t n)
{
    uint64_t    power;
    ngx_uint_t  width;

    if (n < 10) {
        *p++ = (u_char) ('0' + n);
        return p;
    }

    width = 2;

    for (power = 100; n >= power && width < 20; power *= 10) {
        width++;
    }

    return ngx_http_aiobs_digits(p, n, width);
}
