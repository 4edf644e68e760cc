# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced after lib.sh by scripts with two real web servers, a and b, over $T/root-a and $T/root-b:
#
#   up a|b        starts it, at the port it had before, if any (port_a, port_b)
#   down a|b      stops it
#   use a|b       from here on the functions of lib.sh for a web server are about that one
#   mark a|b      requests a|b: how many were answered since
#   workers a|b   process ids of what answers
# shellcheck disable=SC2034 # lib.sh reads them

use() {
    eval "NGINX_PID=\${pid_$1:-} NGINX_PORT=\${port_$1:-} http_mark=\${mark_$1:-0}"
    NGINX_DIR=$T/nginx-$1
    NGINX_LOG=$NGINX_DIR/access.log
    NGINX_ROOT=$T/root-$1
}

# Descriptors 8 and 9 are the script's own: who waits for their end must not wait for a server's.
up() {
    use "$1"
    mkdir -p "$NGINX_DIR"
    [ -n "$NGINX_PORT" ] || NGINX_PORT=$(free_port)
    : >>"$NGINX_LOG"
    nginx_config >"$NGINX_DIR/conf"
    resume_nginx 8>&- 9<&- || { cat "$NGINX_DIR/out"; die "nginx $1 does not start"; }
    eval "pid_$1=$NGINX_PID port_$1=$NGINX_PORT"
}

down() {
    use "$1"
    stop_nginx
}

mark() {
    use "$1"
    http_log_mark
    eval "mark_$1=$http_mark"
}

requests() {
    use "$1"
    http_requests
}

workers() {
    use "$1"
    pgrep -P "$NGINX_PID"
}
