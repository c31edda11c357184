
/*
 * Copyright (C) the aiobs authors
 *
 * The directives; each room has its own among them.
 */


#include "ngx_http_aiobs.h"
#include "telemetry/ngx_http_aiobs_telemetry.h"

static ngx_conf_enum_t  ngx_http_aiobs_llm_values[] = {
    { ngx_string("off"), AIOBS_DIALECT_OFF },
    { ngx_string("auto"), AIOBS_DIALECT_AUTO },
    { ngx_string("openai"), AIOBS_DIALECT_OPENAI },
    { ngx_string("anthropic"), AIOBS_DIALECT_ANTHROPIC },
    { ngx_string("gemini"), AIOBS_DIALECT_GEMINI },
    { ngx_string("bedrock"), AIOBS_DIALECT_BEDROCK },
    { ngx_string("cohere"), AIOBS_DIALECT_COHERE },
    { ngx_string("ollama"), AIOBS_DIALECT_OLLAMA },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_http_aiobs_forward_values[] = {
    { ngx_string("identity"), NGX_HTTP_AIOBS_FORWARD_IDENTITY },
    { ngx_string("trace"), NGX_HTTP_AIOBS_FORWARD_TRACE },
    { ngx_null_string, 0 }
};


#define NGX_HTTP_AIOBS_ANYWHERE  NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF         \
                                 |NGX_HTTP_LOC_CONF


ngx_command_t  ngx_http_aiobs_commands[] = {

    { ngx_string("aiobs"),
      NGX_HTTP_AIOBS_ANYWHERE|NGX_CONF_FLAG,
      ngx_http_aiobs_enable,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_aiobs_loc_conf_t, enable),
      NULL },

    { ngx_string("aiobs_fast_headers"),
      NGX_HTTP_AIOBS_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_aiobs_loc_conf_t, fast_headers),
      NULL },

    { ngx_string("aiobs_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_aiobs_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aiobs_thread_pool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_aiobs_main_conf_t, thread_pool_name),
      NULL },

    { ngx_string("aiobs_prices"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_aiobs_prices,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aiobs_service"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_aiobs_service,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aiobs_llm"),
      NGX_HTTP_AIOBS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_aiobs_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_aiobs_loc_conf_t, llm),
      &ngx_http_aiobs_llm_values },

    { ngx_string("aiobs_stream_usage"),
      NGX_HTTP_AIOBS_ANYWHERE|NGX_CONF_TAKE12,
      ngx_http_aiobs_stream_usage,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aiobs_endpoint"),
      NGX_HTTP_AIOBS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_aiobs_set_label_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_aiobs_loc_conf_t, endpoint),
      NULL },

    { ngx_string("aiobs_forward"),
      NGX_HTTP_AIOBS_ANYWHERE|NGX_CONF_TAKE12,
      ngx_http_aiobs_set_bitmask_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_aiobs_loc_conf_t, forward),
      &ngx_http_aiobs_forward_values },

    { ngx_string("aiobs_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_aiobs_metrics,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    NGX_HTTP_AIOBS_KEYS_COMMANDS
    NGX_HTTP_AIOBS_METRICS_COMMANDS
    NGX_HTTP_AIOBS_AGENTS_COMMANDS
    NGX_HTTP_AIOBS_LOG_COMMANDS
    NGX_HTTP_AIOBS_RECORDER_COMMANDS
    NGX_HTTP_AIOBS_PRIVACY_COMMANDS
    NGX_HTTP_AIOBS_LOGIN_COMMANDS
    NGX_HTTP_AIOBS_LIMITS_COMMANDS
    NGX_HTTP_AIOBS_TRACE_COMMANDS
    NGX_HTTP_AIOBS_OTLP_COMMANDS
    NGX_HTTP_AIOBS_SENTRY_COMMANDS

      ngx_null_command
};
