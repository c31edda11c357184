
/*
 * Copyright (C) the aiobs authors
 *
 * From reported figures to billed tokens: what each kind of provider means.
 */


#include "aiobs_apis.h"


static int64_t aiobs_sum(int64_t a, int64_t b);
static void aiobs_rule_openai(const int64_t *f, aiobs_usage_record_t *rec);
static void aiobs_rule_anthropic(const int64_t *f, aiobs_usage_record_t *rec);
static int64_t aiobs_first(int64_t a, int64_t b, int64_t c);
static void aiobs_rule_bedrock(const int64_t *f, aiobs_usage_record_t *rec);
static void aiobs_rule_gemini(const int64_t *f, aiobs_usage_record_t *rec);


/*
 * A count is a whole number from 0 to AIOBS_TOKENS_MAX; "28.0" and "2.8e1" are
 * whole.  Digits are read exactly, without floating point.
 */

int64_t
aiobs_number(const char *text, size_t len)
{
    int      dot, e, sign, places;
    size_t   i;
    int64_t  n, exponent;

    n = 0;
    dot = 0;
    places = 0;
    exponent = 0;

    for (i = 0; i < len; i++) {

        if (text[i] == '.' && !dot && i) {
            dot = 1;
            continue;
        }

        if (text[i] < '0' || text[i] > '9') {
            break;
        }

        if (n > AIOBS_TOKENS_MAX) {
            return AIOBS_ABSENT;
        }

        n = n * 10 + (text[i] - '0');
        places += dot;
    }

    if (i == 0) {
        return AIOBS_ABSENT;
    }

    if (i < len) {

        if (text[i] != 'e' && text[i] != 'E') {
            return AIOBS_ABSENT;
        }

        sign = 1;
        e = 0;
        i++;

        if (i < len && (text[i] == '+' || text[i] == '-')) {
            sign = text[i++] == '-' ? -1 : 1;
        }

        if (i == len) {
            return AIOBS_ABSENT;
        }

        for ( /* void */ ; i < len; i++) {
            if (text[i] < '0' || text[i] > '9' || e > 1000) {
                return AIOBS_ABSENT;
            }

            e = e * 10 + (text[i] - '0');
        }

        exponent = sign * e;
    }

    for (exponent -= places; exponent < 0 && n; exponent++) {
        if (n % 10) {
            return AIOBS_ABSENT;
        }

        n /= 10;
    }

    for ( /* void */ ; exponent > 0 && n; exponent--) {
        if (n > AIOBS_TOKENS_MAX) {
            return AIOBS_ABSENT;
        }

        n *= 10;
    }

    return n > AIOBS_TOKENS_MAX ? AIOBS_ABSENT : n;
}


/* digits past the ninth place are cut; no exponent but a negative one */

int64_t
aiobs_amount(const char *text, size_t len)
{
    int      dot, places, e;
    size_t   i;
    int64_t  n;

    n = 0;
    dot = 0;
    places = 0;

    for (i = 0; i < len && places < 18; i++) {

        if (text[i] == '.' && !dot) {
            dot = 1;
            continue;
        }

        if (text[i] < '0' || text[i] > '9') {
            break;
        }

        if (n > INT64_MAX / 100) {
            if (!dot) {
                return AIOBS_ABSENT;
            }

            continue;
        }

        n = n * 10 + (text[i] - '0');
        places += dot;
    }

    if (i == 0) {
        return AIOBS_ABSENT;
    }

    if (i < len && (text[i] == 'e' || text[i] == 'E')) {

        if (++i == len || text[i] != '-') {
            return AIOBS_ABSENT;
        }

        for (e = 0, i++; i < len; i++) {
            if (text[i] < '0' || text[i] > '9' || e > 100) {
                return AIOBS_ABSENT;
            }

            e = e * 10 + (text[i] - '0');
        }

        places += e;
    }

    for ( /* void */ ; places > 9; places--) {
        n /= 10;
    }

    for ( /* void */ ; places < 9; places++) {
        if (n > INT64_MAX / 10) {
            return AIOBS_ABSENT;
        }

        n *= 10;
    }

    return n;
}


void
aiobs_apply_rule(const aiobs_api_t *api, const int64_t *f,
    aiobs_usage_record_t *rec)
{
    rec->input = f[AIOBS_F_INPUT];
    rec->output = f[AIOBS_F_OUTPUT];
    rec->cache_read = f[AIOBS_F_CACHE_READ];
    rec->cache_write = f[AIOBS_F_CACHE_WRITE];
    rec->cache_write_1h = f[AIOBS_F_CACHE_WRITE_1H];
    rec->reasoning = f[AIOBS_F_REASONING];
    rec->audio_input = f[AIOBS_F_AUDIO_INPUT];
    rec->audio_output = f[AIOBS_F_AUDIO_OUTPUT];
    rec->cost_nanousd = f[AIOBS_F_COST];

    if (rec->input == AIOBS_ABSENT) {
        rec->input = aiobs_first(f[AIOBS_F_ADD_INPUT], f[AIOBS_F_MAX_INPUT],
                                 AIOBS_ABSENT);
    }

    if (rec->output == AIOBS_ABSENT) {
        rec->output = f[AIOBS_F_ADD_OUTPUT];
    }

    switch (api->rule) {

    case AIOBS_RULE_BEDROCK:
        aiobs_rule_bedrock(f, rec);
        break;

    case AIOBS_RULE_OPENAI:
        aiobs_rule_openai(f, rec);
        break;

    case AIOBS_RULE_ANTHROPIC:
        aiobs_rule_anthropic(f, rec);
        break;

    case AIOBS_RULE_GEMINI:
        aiobs_rule_gemini(f, rec);
        break;

    case AIOBS_RULE_COHERE:
        if (f[AIOBS_F_BILLED_INPUT] != AIOBS_ABSENT) {
            rec->input = f[AIOBS_F_BILLED_INPUT];
        }

        if (f[AIOBS_F_BILLED_OUTPUT] != AIOBS_ABSENT) {
            rec->output = f[AIOBS_F_BILLED_OUTPUT];
        }

        break;

    default:
        break;
    }
}


static int64_t
aiobs_sum(int64_t a, int64_t b)
{
    if (a == AIOBS_ABSENT) {
        return b;
    }

    return b == AIOBS_ABSENT ? a : a + b;
}


static int64_t
aiobs_first(int64_t a, int64_t b, int64_t c)
{
    if (a != AIOBS_ABSENT) {
        return a;
    }

    return b != AIOBS_ABSENT ? b : c;
}


/* a guardrail cuts the body's report short: what is missing is elsewhere */

static void
aiobs_rule_bedrock(const int64_t *f, aiobs_usage_record_t *rec)
{
    rec->input = aiobs_first(rec->input, f[AIOBS_F_METRIC_INPUT],
                             f[AIOBS_F_HEADER_INPUT]);
    rec->output = aiobs_first(rec->output, f[AIOBS_F_METRIC_OUTPUT],
                              f[AIOBS_F_HEADER_OUTPUT]);
    rec->cache_read = aiobs_first(rec->cache_read,
                                  f[AIOBS_F_METRIC_CACHE_READ],
                                  f[AIOBS_F_HEADER_CACHE_READ]);
    rec->cache_write = aiobs_first(rec->cache_write,
                                   f[AIOBS_F_METRIC_CACHE_WRITE],
                                   f[AIOBS_F_HEADER_CACHE_WRITE]);

    if (rec->input != AIOBS_ABSENT) {
        rec->input = aiobs_sum(rec->input, rec->cache_read);
        rec->input = aiobs_sum(rec->input, rec->cache_write);
    }
}


/*
 * Cache and reasoning are inside, but for xAI's chat (its total says so) and
 * for hosts that count cache reads beside the prompt.  Embeddings and rerank
 * of some report a total only.
 */

static void
aiobs_rule_openai(const int64_t *f, aiobs_usage_record_t *rec)
{
    if (rec->input == AIOBS_ABSENT && rec->output == AIOBS_ABSENT) {
        rec->input = f[AIOBS_F_TOTAL];
        return;
    }

    if (f[AIOBS_F_XAI_COST] != AIOBS_ABSENT) {

        rec->cost_nanousd = f[AIOBS_F_XAI_COST] / 10;   /* ticks of 1e-10 */

        if (rec->output != AIOBS_ABSENT && rec->reasoning > 0
            && f[AIOBS_F_TOTAL] == rec->input + rec->output + rec->reasoning)
        {
            rec->output += rec->reasoning;
        }
    }

    if (rec->cache_read != AIOBS_ABSENT && rec->input != AIOBS_ABSENT
        && rec->cache_read > rec->input)
    {
        rec->input += rec->cache_read;
    }
}


/* an answer of several iterations is billed for all of them */

static void
aiobs_rule_anthropic(const int64_t *f, aiobs_usage_record_t *rec)
{
    if (f[AIOBS_F_SUM_INPUT] != AIOBS_ABSENT) {
        rec->input = f[AIOBS_F_SUM_INPUT];
    }

    if (f[AIOBS_F_SUM_OUTPUT] != AIOBS_ABSENT) {
        rec->output = f[AIOBS_F_SUM_OUTPUT];
    }

    if (rec->input != AIOBS_ABSENT) {
        rec->input = aiobs_sum(rec->input, rec->cache_read);
        rec->input = aiobs_sum(rec->input, rec->cache_write);
    }
}


/* an absent count beside a present one is 0 */

static void
aiobs_rule_gemini(const int64_t *f, aiobs_usage_record_t *rec)
{
    if (rec->input == AIOBS_ABSENT && rec->output == AIOBS_ABSENT
        && rec->reasoning == AIOBS_ABSENT)
    {
        return;
    }

    rec->input = aiobs_sum(rec->input, f[AIOBS_F_TOOL_INPUT]);
    rec->output = aiobs_sum(rec->output, rec->reasoning);

    if (rec->output == AIOBS_ABSENT) {
        rec->output = 0;
    }
}
