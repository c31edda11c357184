
/*
 * Copyright (C) the aiobs authors
 *
 * From reported figures to billed tokens: what each kind of provider means.
 */


#include "aiobs_apis.h"


static int64_t aiobs_unit(int64_t n);
static int64_t aiobs_sum(int64_t a, int64_t b);
static void aiobs_rule_openai(const int64_t *f, aiobs_usage_record_t *rec);
static void aiobs_rule_beside(const int64_t *f, aiobs_usage_record_t *rec);
static void aiobs_rule_research(const int64_t *f, aiobs_usage_record_t *rec);
static void aiobs_rule_anthropic(const int64_t *f, aiobs_usage_record_t *rec);
static int64_t aiobs_first(int64_t a, int64_t b, int64_t c);
static void aiobs_rule_bedrock(const int64_t *f, aiobs_usage_record_t *rec);
static void aiobs_rule_gemini(const int64_t *f, aiobs_usage_record_t *rec);


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

        /* embeddings: beside those of the text */

        rec->input = aiobs_sum(rec->input, f[AIOBS_F_IMAGE_INPUT]);
        break;

    default:
        break;
    }
}


void
aiobs_apply_units(const int64_t *f, int64_t images, int64_t searches,
    aiobs_usage_record_t *rec)
{
    aiobs_units_t  *units;

    units = &rec->units;

    units->image_input_tokens = aiobs_unit(f[AIOBS_F_IMAGE_INPUT]);
    units->image_output_tokens = aiobs_unit(f[AIOBS_F_IMAGE_OUTPUT]);
    units->video_input_tokens = aiobs_unit(f[AIOBS_F_VIDEO_INPUT]);
    units->video_output_tokens = aiobs_unit(f[AIOBS_F_VIDEO_OUTPUT]);
    units->audio_cached_tokens = aiobs_unit(f[AIOBS_F_AUDIO_CACHED]);
    units->queries = aiobs_unit(f[AIOBS_F_QUERIES]);
    units->searches = aiobs_unit(f[AIOBS_F_SEARCHES]) + searches;
    units->images_input = aiobs_unit(f[AIOBS_F_IMAGES_INPUT]);

    if (f[AIOBS_F_SOUND] > 0 && f[AIOBS_F_SOUND] < AIOBS_TOKENS_MAX / 1000) {
        units->milliseconds = f[AIOBS_F_SOUND] * 1000;
    }

    if (rec->input > 0 || rec->output > 0) {
        return;                             /* these are billed by tokens */
    }

    units->images_output = images;
    units->pages = aiobs_unit(f[AIOBS_F_PAGES]);
    units->characters_input = aiobs_unit(f[AIOBS_F_CHARACTERS]);

    if (f[AIOBS_F_MILLISECONDS] != AIOBS_ABSENT) {
        units->milliseconds = f[AIOBS_F_MILLISECONDS];
    }
}


static int64_t
aiobs_unit(int64_t n)
{
    return n == AIOBS_ABSENT ? 0 : n;
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
 * Cache and reasoning are inside, but for Grok's chat (its total says so) and
 * for hosts that count cache reads beside the prompt.  Embeddings and rerank
 * of some report a total only.
 */

static void
aiobs_rule_openai(const int64_t *f, aiobs_usage_record_t *rec)
{
    if (f[AIOBS_F_XAI_COST] != AIOBS_ABSENT) {

        rec->cost_nanousd = f[AIOBS_F_XAI_COST] / 10;   /* ticks of 1e-10 */
    }

    if (rec->input == AIOBS_ABSENT && rec->output == AIOBS_ABSENT) {
        rec->input = f[AIOBS_F_TOTAL];
        return;
    }

    if (f[AIOBS_F_RESEARCH] != AIOBS_ABSENT
        && f[AIOBS_F_CITATIONS] != AIOBS_ABSENT
        && f[AIOBS_F_SEARCHES] != AIOBS_ABSENT)
    {
        aiobs_rule_research(f, rec);

    } else {
        aiobs_rule_beside(f, rec);
    }

    if (rec->cache_read != AIOBS_ABSENT && rec->input != AIOBS_ABSENT
        && rec->cache_read > rec->input)
    {
        rec->input += rec->cache_read;
    }
}


/*
 * Perplexity's Deep Research bills what it read and thought on its way beside
 * prompt and completion.  Only it reports all three.
 */

static void
aiobs_rule_research(const int64_t *f, aiobs_usage_record_t *rec)
{
    rec->reasoning = f[AIOBS_F_RESEARCH];
    rec->input = aiobs_sum(rec->input, f[AIOBS_F_CITATIONS]);
    rec->output = aiobs_sum(rec->output, f[AIOBS_F_RESEARCH]);
}


/* what some have beside prompt and completion, where others have details */

static void
aiobs_rule_beside(const int64_t *f, aiobs_usage_record_t *rec)
{
    if (f[AIOBS_F_TOOL_INPUT] > 0 && rec->input != AIOBS_ABSENT
        && rec->output != AIOBS_ABSENT
        && f[AIOBS_F_TOTAL] == rec->input + rec->output
                               + f[AIOBS_F_TOOL_INPUT])
    {
        rec->input += f[AIOBS_F_TOOL_INPUT];        /* Mistral's connectors */
    }

    if (f[AIOBS_F_SOUND] != AIOBS_ABSENT) {
        rec->audio_input = AIOBS_ABSENT;            /* billed by its length */
    }

    if (rec->reasoning == AIOBS_ABSENT) {
        rec->reasoning = f[AIOBS_F_RESEARCH];       /* SGLang */
    }

    if (rec->output != AIOBS_ABSENT && rec->reasoning > 0
        && f[AIOBS_F_TOTAL] == rec->input + rec->output + rec->reasoning)
    {
        rec->output += rec->reasoning;
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

    /* the last report of a stream tells their ttl by iteration only */

    if (rec->cache_write_1h < f[AIOBS_F_SUM_CACHE_WRITE_1H]) {
        rec->cache_write_1h = f[AIOBS_F_SUM_CACHE_WRITE_1H];
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
