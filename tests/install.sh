# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by tests/run.sh, examples/quickstart.sh and tests/bench/run.sh (POSIX sh): installs Debian
# packages that are missing, and nothing else. A service that comes with one is neither started now
# nor enabled for the next boot: what is wanted here is the program, run on our own configuration.

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        echo "this needs root, or sudo: $*" >&2
        return 1
    fi
}

# package_installed PACKAGE
package_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# missing_packages PACKAGE...: prints those that are not installed
missing_packages() {
    for mp_name; do
        package_installed "$mp_name" || printf '%s ' "$mp_name"
    done
}

# Until the end of the installation, packages may not start services (see policy-rc.d in Debian's
# documentation). An administrator's own policy is left alone.
hold_services() {
    policy_ours=
    [ -e /usr/sbin/policy-rc.d ] && return
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null &&
        as_root chmod 755 /usr/sbin/policy-rc.d && policy_ours=yes
}

release_services() {
    [ -z "$policy_ours" ] || as_root rm -f /usr/sbin/policy-rc.d
    policy_ours=
}

# Packages with a service of the same name.
SERVICE_PACKAGES="nginx apache2 krb5-kdc krb5-admin-server prometheus squid varnish"

# install_missing PACKAGE...: quiet unless something has to be installed; prints apt's words when
# it fails. Returns non-zero if a package could not be installed.
install_missing() {
    im_list=$(missing_packages "$@")
    [ -z "$im_list" ] && return 0
    command -v apt-get >/dev/null 2>&1 || {
        echo "not a Debian system; please install the equivalents of: $im_list" >&2
        return 1
    }
    echo "installing: $im_list"
    im_log=$(mktemp) || return 1
    # shellcheck disable=SC2086
    im_services=$(missing_packages $SERVICE_PACKAGES)
    hold_services
    im_status=1
    for im_try in 1 2; do
        # Lists that are missing or out of date show as a package that cannot be fetched.
        if [ "$im_try" -eq 2 ] || ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
            as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get -o DPkg::Lock::Timeout=600 update >>"$im_log" 2>&1 </dev/null
        fi
        # shellcheck disable=SC2086
        if as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -o DPkg::Lock::Timeout=600 -q -y --no-install-recommends install $im_list \
            >>"$im_log" 2>&1 </dev/null; then
            im_status=0
            break
        fi
    done
    release_services
    for im_service in $im_services; do
        if package_installed "$im_service" && command -v systemctl >/dev/null 2>&1; then
            as_root systemctl disable "$im_service.service" >/dev/null 2>&1 || :
        fi
    done
    [ "$im_status" -eq 0 ] || tail -n 20 "$im_log" >&2
    rm -f "$im_log"
    return "$im_status"
}

# What building needs, and what running the programs needs.
BUILD_PACKAGES="autoconf automake gcc make pkgconf libc6-dev libfuse3-dev libcurl4-openssl-dev
    libzstd-dev libdeflate-dev zlib1g-dev libbz2-dev libxml2-dev libutf8proc-dev libssl-dev libarchive-dev
    libhivex-dev fuse3"
