# Sourced by ./test, ./demo and .ci/run: what they need, and how it gets here.

BUILD_PACKAGES="nginx nginx-dev gcc make libc6-dev libsqlite3-dev libssl-dev
    libyajl-dev libjansson-dev libcurl4-openssl-dev zlib1g-dev libbrotli-dev libzstd-dev"
TEST_PACKAGES="perl curl openssl ca-certificates sqlite3 python3 libfaketime
    python3-prometheus-client prometheus prometheus-alertmanager nodejs npm brotli zstd
    python3-fastapi python3-uvicorn python3-structlog python3-httpx chromium jq
    libnginx-mod-http-lua libnginx-mod-http-js libnginx-mod-http-echo
    libnginx-mod-http-headers-more-filter rsyslog logrotate"

# installs those that are missing; services they start by themselves are stopped
install_packages() {
    local p missing=()

    for p; do
        [ "$p" = npm ] && command -v npm > /dev/null && continue
        [ "$p" = nodejs ] && command -v node > /dev/null && continue
        [ "$p" = rsyslog ] && dpkg-query -W -f '${Status} ${Provides}\n' 2>/dev/null \
            | grep -q '^install ok installed .*system-log-daemon' && continue   # of which there is one
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
    done

    [ ${#missing[@]} -eq 0 ] && return 0

    echo "== installing ${missing[*]}"
    [ "$(id -u)" = 0 ] || return 1

    # nothing that comes now is to listen on this machine
    local policy=/usr/sbin/policy-rc.d made=

    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy && made=1
    fi

    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get -o DPkg::Lock::Timeout=600 -qq update > /dev/null &&
        apt-get -o DPkg::Lock::Timeout=600 -qq install -y --no-install-recommends \
            "${missing[@]}" > /dev/null 2>/tmp/aiobs-apt.$$
    local rc=$?

    [ $rc -eq 0 ] || cat /tmp/aiobs-apt.$$ >&2
    rm -f /tmp/aiobs-apt.$$
    [ -z "$made" ] || rm -f $policy
    return $rc
}

# only when the lockfile has changed since
install_npm() {
    local dir=t/peers

    [ "$dir/node_modules/.installed" -nt "$dir/package-lock.json" ] && return 0

    echo "== installing npm packages"
    (cd $dir && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) \
        && touch "$dir/node_modules/.installed"
}
