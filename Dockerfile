# Builds the module and runs the gateway as a user without rights.
#
#     docker build -t aiobs .
#     docker run -p 8080:8080 -v keys:/var/lib/aiobs --stop-timeout 120 \
#         -v ./nginx.conf:/etc/aiobs/nginx.conf:ro aiobs
#
# With --build-arg TARGET=pgo it is built with profile-guided optimization, in some minutes.

FROM debian:bookworm-slim AS build

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        nginx nginx-dev gcc make libc6-dev libsqlite3-dev libssl-dev libyajl-dev \
        libjansson-dev libcurl4-openssl-dev zlib1g-dev libbrotli-dev libzstd-dev \
        perl sqlite3 \
    && rm -rf /var/lib/apt/lists/*

ARG TARGET=all
WORKDIR /build
COPY . .
RUN make -j"$(nproc)" "$TARGET"


FROM debian:bookworm-slim

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        nginx libsqlite3-0 libyajl2 libjansson4 libcurl4 libbrotli1 libzstd1 ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/aiobs \
        --shell /usr/sbin/nologin aiobs \
    && install -d -o aiobs -g aiobs -m 0700 /var/lib/aiobs \
    && install -d -o aiobs -g aiobs -m 0755 /var/cache/aiobs /run/aiobs

COPY --from=build /build/objs/ngx_http_aiobs_module.so /usr/lib/nginx/modules/
COPY --from=build /build/objs/aiobs-keys /usr/local/bin/
COPY conf-examples/prices.json docker/nginx.conf /etc/aiobs/
COPY --chmod=0755 docker/entrypoint /usr/local/bin/aiobs-entrypoint

USER aiobs
VOLUME /var/lib/aiobs
EXPOSE 8080
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=3s CMD curl -fs -o /dev/null http://127.0.0.1:8080/healthz

ENTRYPOINT ["aiobs-entrypoint"]
CMD ["nginx", "-c", "/etc/aiobs/nginx.conf", "-g", "daemon off;"]

LABEL org.opencontainers.image.title="aiobs" \
      org.opencontainers.image.description="nginx with observability for AI traffic" \
      org.opencontainers.image.licenses="BSD-2-Clause"
