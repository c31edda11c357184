
/*
 * Copyright (C) the aiobs authors
 *
 * Labels of a series as the key that it is stored and found by.
 */


#include "ngx_http_aiobs_families.h"


void
ngx_http_aiobs_labels(ngx_http_aiobs_labels_t *key,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels)
{
    u_char             *p;
    const char *const  *name;

    p = key->data;

    for (name = ngx_http_aiobs_families[family].labels; *name; name++) {
        *p = (u_char) aiobs_text_label(p + 1, labels->data, labels->len);
        p += 1 + *p;
        labels++;
    }

    key->len = p - key->data;
    key->hash = ngx_murmur_hash2(key->data, key->len)
                ^ ((uint32_t) family * 0x9e3779b1);
}
