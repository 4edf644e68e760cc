#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs every test there is:  sh tests/run.sh [NAME...]
#
# Installs what the tests need (Debian packages; with sudo if you are not root), builds with gcc,
# with clang and with sanitizers in a temporary directory, runs `make check` and `make distcheck`,
# each fuzz target for some seconds, the integration scripts tests/it-*.sh and
# examples/quickstart.sh. The checkout is not touched. Takes about 35 minutes on two processors.
#
# With NAMEs, only the integration scripts whose names contain one of them are run (after a gcc
# build). The last line is "N passed, N failed", with ", N skipped" behind it if something was
# skipped; then the reasons stand above it. The exit status is 0 if nothing failed.
#
#   SFTFS_KEEP=yes        keeps the temporary directory with all logs
#   SFTFS_TEST_TIMEOUT=N  seconds an integration script may take (600)
#   SFTFS_WINE32_ROOT=DIR a 32-bit Debian with Wine, for it-072 (tests/wine32-root.sh makes one)
#   SFTFS_SOAK_SECONDS=N  how long it-066-soak lasts; needs a longer time for scripts, too
set -u
LC_ALL=C.UTF-8
export LC_ALL
# The same random steps each time, so that a failure is that of a change; SEED=N tries others.
SEED=${SEED:-802848203}
SFTFS_SEED=${SFTFS_SEED:-$SEED}
export SEED SFTFS_SEED
umask 022
src=$(cd "$(dirname "$0")/.." && pwd -P)
. "$src/tests/install.sh"
PATH=$PATH:/usr/sbin:/sbin
export PATH
unset SFTFS_BUILD SFTFS_SRC SFTFS_TEST_FORMAT MAKEFLAGS MAKELEVEL MFLAGS CFLAGS CC DISPLAY WAYLAND_DISPLAY
jobs=$(getconf _NPROCESSORS_ONLN)
limit=${SFTFS_TEST_TIMEOUT:-600}

work=$(mktemp -d "${TMPDIR:-/tmp}/sftfs-run.XXXXXX") || exit 99
work=$(cd "$work" && pwd -P)
chmod 755 "$work"
mkdir "$work/logs" "$work/src"
SFTFS_TEST_RUN=${work##*.}.$$
export SFTFS_TEST_RUN
passed=0
failed=0
skipped=0
: >"$work/failures"
: >"$work/skips"
policy_ours=

finish() {
    trap '' EXIT HUP INT TERM
    release_services
    for left in $(our_programs); do
        as_root kill -KILL "$left" 2>/dev/null
    done
    if [ -n "${SFTFS_KEEP:-}" ]; then
        echo "kept: $work" >&2
    else
        as_root rm -rf "$work"
    fi
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# --- counting ---------------------------------------------------------------------------------

pass() {
    passed=$((passed + 1))
}

# fail NAME [LOG]
fail() {
    failed=$((failed + 1))
    echo "$1" >>"$work/failures"
    [ -z "${2:-}" ] || {
        echo "--- the end of its output:"
        # The stacks of something that hung need more room.
        if grep -q '^TIME OUT' "$2"; then
            tail -n 300 "$2"
        else
            tail -n 60 "$2"
        fi
        echo "---"
    }
}

# skip NAME REASON
skip() {
    skipped=$((skipped + 1))
    echo "$1: $2" >>"$work/skips"
}

# note_untested NAME LOG: what a test that passed says of parts that it left out ("not tested: ..." in
# scripts, "...: not tested" in unit tests) counts as skipped.
note_untested() {
    # Crash points have a build of their own, in which they are tested.
    sed -n '/crash-points/d; s/^not tested: *//p; s/.*\.\.\.\(.*\): not tested .*/\1/p' "$2" >"$work/untested"
    while read -r nu_reason; do
        skip "$1, a part of it" "$nu_reason"
    done <"$work/untested"
}

# --- running ----------------------------------------------------------------------------------

# Processes of this test run whose name begins with "sft".
our_programs() {
    as_root grep -lzxF "SFTFS_TEST_RUN=$SFTFS_TEST_RUN" /proc/[0-9]*/environ 2>/dev/null |
        sed 's,/proc/,,; s,/environ,,'
}

# Where everything stands: for tests that hang.
print_stacks() {
    for ps_pid in $(our_programs); do
        ps_name=$(cat "/proc/$ps_pid/comm" 2>/dev/null) || continue
        echo "process $ps_pid: $(tr '\0' ' ' <"/proc/$ps_pid/cmdline" | cut -c 1-200)"
        echo "  waits in $(cat "/proc/$ps_pid/wchan" 2>/dev/null)"
        as_root sed 's/^/  /' "/proc/$ps_pid/stack" 2>/dev/null
        case $ps_name in
        sft* | test-* | fuzz-*)
            as_root timeout -k 5 30 gdb -nx -batch -p "$ps_pid" -ex 'thread apply all bt' \
                2>/dev/null </dev/null | tail -n 200
            ;;
        esac
    done
}

# bounded SECONDS LOG COMMAND...: its exit status; 124 when the time was over
bounded() {
    b_end=$(($(date +%s) + $1))
    b_log=$2
    shift 2
    setsid "$@" >"$b_log" 2>&1 </dev/null &
    b_pid=$!
    while kill -0 "$b_pid" 2>/dev/null; do
        if [ "$(date +%s)" -ge "$b_end" ]; then
            {
                echo "TIME OUT after its limit; what was running:"
                print_stacks
            } >>"$b_log" 2>&1
            as_root kill -TERM "-$b_pid"
            b_tries=60
            while kill -0 "$b_pid" 2>/dev/null && [ "$b_tries" -gt 0 ]; do
                sleep 0.5
                b_tries=$((b_tries - 1))
            done
            as_root kill -KILL "-$b_pid" 2>/dev/null
            wait "$b_pid" 2>/dev/null
            return 124
        fi
        sleep 0.2
    done
    wait "$b_pid"
}

now() {
    date +%s
}

# run_step NAME SECONDS COMMAND...: one test; the log is $work/logs/NAME
run_step() {
    rs_name=$1
    rs_log=$work/logs/$(echo "$1" | tr ' /' '--')
    rs_limit=$2
    shift 2
    rs_start=$(now)
    rs_status=0
    bounded "$rs_limit" "$rs_log" "$@" || rs_status=$?
    rs_took="$(($(now) - rs_start)) s"
    case $rs_status in
    0)
        echo "ok      $rs_name ($rs_took)"
        pass
        note_untested "$rs_name" "$rs_log"
        ;;
    77)
        rs_reason=$(sed -n 's/^SKIP:* *//p' "$rs_log" | tail -n 1)
        echo "skipped $rs_name: ${rs_reason:-no reason given}"
        skip "$rs_name" "${rs_reason:-no reason given}"
        ;;
    *)
        echo "FAILED  $rs_name ($rs_took, exit status $rs_status)"
        fail "$rs_name" "$rs_log"
        ;;
    esac
    return "$rs_status"
}

# collect_check NAME BUILD_DIR each|programs: counts what `make check` left in BUILD_DIR. CUnit tests
# are counted one by one ("each") or a test program as one.
collect_check() {
    cc_prefix=$1
    cc_before=$((passed + failed + skipped))
    for cc_trs in $(cd "$2" && find . -name '*.trs' | sort); do
        cc_name="$cc_prefix ${cc_trs#./}"
        cc_name=${cc_name%.trs}
        cc_log=$2/${cc_trs%.trs}.log
        cc_result=$(sed -n 's/^:global-test-result: *//p' "$2/$cc_trs")
        case $cc_result in
        PASS | XFAIL)
            cc_count=$(grep -c '^ *Test: .*passed' "$cc_log")
            if [ "$3" = programs ] || [ "$cc_count" -eq 0 ]; then
                cc_count=1
            fi
            passed=$((passed + cc_count))
            note_untested "$cc_name" "$cc_log"
            ;;
        SKIP)
            cc_reason=$(sed -n 's/^SKIP:* *//p' "$cc_log" | grep -v '^tests/' | tail -n 1)
            skip "$cc_name" "${cc_reason:-no reason given}"
            ;;
        *)
            if [ "$3" = each ]; then
                passed=$((passed + $(grep -c '^ *Test: .*passed' "$cc_log")))
            fi
            echo "FAILED  $cc_name ($cc_result)"
            fail "$cc_name" "$cc_log"
            ;;
        esac
    done
    echo "        $cc_prefix: $((passed + failed + skipped - cc_before)) tests"
}

# build NAME CONFIGURE-ARGUMENTS...: into $work/NAME
build() {
    bu_name=$1
    shift
    mkdir "$work/$bu_name"
    run_step "build with $bu_name" 900 sh -c '
        cd "$1" && dir=$1 && src=$2 && jobs=$3 && shift 3 &&
        "$src/configure" "$@" && make -j"$jobs" && make -j"$jobs" check TESTS=
        ' sh "$work/$bu_name" "$work/src" "$jobs" "$@"
}

# check NAME each|programs: runs make check in $work/NAME and counts. Without address space
# randomisation, which ThreadSanitizer does not get along with on every kernel.
check() {
    ch_status=0
    bounded 900 "$work/logs/check-$1" setarch -R make -C "$work/$1" -k -j"$jobs" check ||
        ch_status=$?
    ch_before=$failed
    collect_check "$1" "$work/$1" "$2"
    if [ "$ch_status" -ne 0 ] && [ "$failed" -eq "$ch_before" ]; then
        echo "FAILED  make check with $1 (exit status $ch_status)"
        fail "make check with $1" "$work/logs/check-$1"
    fi
}

# Writes the program that runs one script: BUILD SOURCE SCRIPT, as root.
integration_command() {
    cat >"$work/integration" <<'SCRIPT'
#!/bin/sh
build=$1 src=$2 script=$3
set -- env "SFTFS_BUILD=$build" "SFTFS_SRC=$src" "SFTFS_TEST_RUN=$SFTFS_TEST_RUN" \
    "PATH=$PATH" "LC_ALL=$LC_ALL" "SFTFS_CACHE=${SFTFS_CACHE:-}" \
    "ASAN_OPTIONS=${ASAN_OPTIONS:-}" "TSAN_OPTIONS=${TSAN_OPTIONS:-}" \
    "SFTFS_CRASH_BUILD=${SFTFS_CRASH_BUILD:-}" "SFTFS_VALGRIND=${SFTFS_VALGRIND:-}" \
    "SEED=${SEED:-}" "SFTFS_TEST_FORMAT=${SFTFS_TEST_FORMAT:-}" \
    "SFTFS_SAMPLES=${SFTFS_SAMPLES:-}" "SFTFS_WINE32_ROOT=${SFTFS_WINE32_ROOT:-}" \
    "SFTFS_SOAK_SECONDS=${SFTFS_SOAK_SECONDS:-}" sh "$script"
[ "$(id -u)" -eq 0 ] || set -- sudo "$@"
# ThreadSanitizer does not get along with address space randomisation on every kernel.
exec setarch -R "$@"
SCRIPT
}

report() {
    echo "== result after $(($(now) - start)) s"
    sed 's/^/skipped: /' "$work/skips"
    sed 's/^/failed: /' "$work/failures"
    if [ "$skipped" -gt 0 ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
}

# --- the tests --------------------------------------------------------------------------------

# In one piece, so that the shell has read all of it before the checkout may change under it.
main() {
    start=$(now)
    echo "== packages"
    # shellcheck disable=SC2086
    if ! install_missing $BUILD_PACKAGES libcunit1-dev nginx python3 gcc-mingw-w64-x86-64 clang \
        libclang-rt-dev gdb xz-utils openssl man-db groff-base apache2-bin \
        libapache2-mod-auth-gssapi krb5-kdc krb5-admin-server krb5-user git sqlite3 rsync attr \
        valgrind varnish squid python3-botocore unzip osslsigncode xvfb x11-utils \
        libhivex-bin; then
        echo "FAILED  installing packages"
        fail "installing packages"
    fi
    # Wine may be unavailable on other platforms than the reference one; its test says so then.
    install_missing wine wine64 || :
    # For promtool, beside our own check of the same.
    install_missing prometheus || :

    echo "== build"
    run_step "copy of the source" 300 sh "$src/tests/copy-source.sh" "$src" "$work/src" || {
        report
        exit 1
    }
    # Samples that lie beside the checkout are used when they are there.
    if [ -z "${SFTFS_SAMPLES:-}" ] && [ -d "$src/../shared/samples" ]; then
        SFTFS_SAMPLES=$(cd "$src/../shared/samples" && pwd -P)
        export SFTFS_SAMPLES
    fi
    run_step autogen 300 sh "$work/src/autogen.sh" || { report; exit 1; }
    build gcc --enable-werror || { report; exit 1; }

    if [ $# -eq 0 ]; then
        check gcc each
        run_step "feature summary" 10 sh "$work/src/tests/summary.sh" \
            "$work/logs/build-with-gcc" || :
        run_step "install" 300 sh "$work/src/tests/installed.sh" "$work/gcc" \
            "$work/installed" || :
        if build clang CC=clang --enable-werror; then
            check clang programs
        fi
        if build sanitizers --enable-werror --enable-sanitizers; then
            check sanitizers programs
        fi
        if build threads --enable-werror --enable-sanitizers=thread; then
            check threads programs
        fi
        if build fuzzing CC=clang --enable-werror --enable-sanitizers --enable-fuzzing; then
            for target in "$work"/src/tests/fuzz/fuzz-*.c; do
                target=$(basename "$target" .c)
                target=${target#fuzz-}
                run_step "fuzz $target" 120 sh "$work/src/tests/fuzz/fuzz-for.sh" \
                    "$work/fuzzing" "$target" 6 || :
            done
        fi
        run_step distcheck 1200 make -C "$work/gcc" -j"$jobs" distcheck || :
    fi

    # The overlay's tests end the program between two steps; a short build does for that.
    if [ $# -eq 0 ] || echo "$*" | grep -qE '05|crash|overlay'; then
        run_step "build with crash points" 600 sh -c '
            mkdir "$1" && cd "$1" && "$2/configure" --enable-werror --enable-crash-points &&
            make -j"$3" sft sftfs sftmount tests/model/model
            ' sh "$work/crash" "$work/src" "$jobs" && SFTFS_CRASH_BUILD=$work/crash
        export SFTFS_CRASH_BUILD
    fi

    echo "== integration"
    integration_command
    SFTFS_CACHE=${SFTFS_CACHE:-$work/cache}
    export SFTFS_CACHE
    mkdir -p "$SFTFS_CACHE"
    for script in "$work"/src/tests/it-*.sh; do
        name=$(basename "$script" .sh)
        wanted=$#
        for pattern; do
            case $name in
            *"$pattern"*) wanted=0 ;;
            esac
        done
        [ "$wanted" -eq 0 ] || continue
        run_step "$name" "$limit" sh "$work/integration" "$work/gcc" "$work/src" "$script" || :
        grep -q '^# formats: sft appv$' "$script" || continue
        SFTFS_TEST_FORMAT=appv
        export SFTFS_TEST_FORMAT
        run_step "$name with App-V" "$limit" sh "$work/integration" "$work/gcc" "$work/src" "$script" || :
        unset SFTFS_TEST_FORMAT
    done

    if [ $# -eq 0 ]; then
        # The same programs under AddressSanitizer, with a real kernel in front of them.
        ASAN_OPTIONS=log_path=$work/logs/asan:exitcode=99
        TSAN_OPTIONS=log_path=$work/logs/tsan:exitcode=99
        export ASAN_OPTIONS TSAN_OPTIONS
        for name in it-040-mount-local it-041-mount-http it-055-overlay-model; do
            [ -x "$work/sanitizers/sft" ] || break
            run_step "$name with sanitizers" "$limit" sh "$work/integration" "$work/sanitizers" \
                "$work/src" "$work/src/tests/$name.sh" || :
        done
        if [ -x "$work/threads/sft" ]; then
            run_step "it-055-overlay-model with ThreadSanitizer" "$limit" sh "$work/integration" \
                "$work/threads" "$work/src" "$work/src/tests/it-055-overlay-model.sh" || :
        fi
        unset ASAN_OPTIONS TSAN_OPTIONS
        SFTFS_VALGRIND=yes
        export SFTFS_VALGRIND
        run_step "it-055-overlay-model with valgrind" "$limit" sh "$work/integration" "$work/gcc" \
            "$work/src" "$work/src/tests/it-055-overlay-model.sh" || :
        unset SFTFS_VALGRIND
        if ls "$work"/logs/asan.* "$work"/logs/tsan.* >/dev/null 2>&1; then
            cat "$work"/logs/asan.* "$work"/logs/tsan.* >"$work/logs/sanitizer-reports" 2>/dev/null
            echo "FAILED  sanitizers reported something"
            fail "sanitizer reports" "$work/logs/sanitizer-reports"
        fi
        run_step quickstart 900 sh "$work/src/examples/quickstart.sh" || :
    fi

    report
    [ "$failed" -eq 0 ]
}

main "$@"
exit
