# make                    objs/ngx_http_aiobs_module.so and objs/aiobs-keys,
#                         against the machine's nginx-dev
# make NGINX_SRC=DIR      against an unpacked nginx source or nginx-dev tree
# make OBJS=DIR           build elsewhere than in objs
# make CC=clang           with another compiler
# make install            the module into /usr/lib/nginx/modules (MODULES=DIR),
#                         aiobs-keys into /usr/local/bin (PREFIX=DIR: DIR/bin); DESTDIR=DIR
# make AIOBS_LTO=0        without link-time optimization
# make pgo                with profile-guided optimization: a request takes some per cent
#                         less; runs the benchmarks' calls to learn from (see tools/pgo)

NGINX_SRC ?= /usr/share/nginx/src
OBJS      ?= objs
CC        ?= cc
MODULES   ?= /usr/lib/nginx/modules
PREFIX    ?= /usr/local

BUILD   = $(abspath $(OBJS))
SOURCES = $(sort config ngx_http_aiobs_module.c \
            $(wildcard src/exports.map src/*.[ch] src/*/*.[ch] src/*/*/*.[ch]))
CONFIGURED = $(strip $(SOURCES) $(if $(filter 0,$(AIOBS_LTO)),AIOBS_LTO=0))
CLI     = $(wildcard src/cli/*.c src/keys/aiobs_*.c)
WARN    = -Wall -Wextra -Wno-unused-parameter -Werror

.PHONY: all pgo install clean

all: $(OBJS)/ngx_http_aiobs_module.so $(OBJS)/aiobs-keys

# configured again when a file comes or goes, not when one changes
ifneq ($(MAKECMDGOALS),clean)
ifneq ($(shell cat $(OBJS)/sources 2>/dev/null),$(CONFIGURED))
$(shell mkdir -p $(OBJS) && echo "$(CONFIGURED)" > $(OBJS)/sources)
endif
endif

$(OBJS)/Makefile: config tools/configure $(OBJS)/sources
	tools/configure "$(NGINX_SRC)" "$(CURDIR)" "$(BUILD)" "$(CC)"

$(OBJS)/ngx_http_aiobs_module.so: $(SOURCES) $(OBJS)/Makefile
	$(MAKE) -C "$(NGINX_SRC)" -f "$(BUILD)/Makefile" modules
	@touch $@

$(OBJS)/aiobs-keys: $(CLI) $(wildcard src/cli/*.h src/keys/aiobs_*.h)
	@mkdir -p $(OBJS)
	$(CC) -std=gnu11 -O2 -g $(WARN) -Isrc -o $@ $(CLI) -lsqlite3 -lcrypto -ljansson -lm

# it builds in OBJS itself: with -j as well what is asked for besides comes after it
ifneq ($(filter pgo,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

pgo:
	@tools/pgo "$(OBJS)" NGINX_SRC="$(NGINX_SRC)" CC="$(CC)"

# install puts a new file in the place of the old, which nginx may have open
install: all
	install -D -m 0644 $(OBJS)/ngx_http_aiobs_module.so "$(DESTDIR)$(MODULES)/ngx_http_aiobs_module.so"
	install -D -m 0755 $(OBJS)/aiobs-keys "$(DESTDIR)$(PREFIX)/bin/aiobs-keys"

clean:
	rm -rf $(OBJS)
