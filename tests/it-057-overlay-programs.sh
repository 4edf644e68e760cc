#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs that people use, on a mount with an overlay: git, sqlite with several processes and a
# writer that is killed, tar, cp, rsync, a build of this project, and a Wine program that saves its
# settings. ROUNDS=N makes the sqlite part N times as long.
. "$(dirname "$0")/lib.sh"
# Away from the mounts of others, who might keep ours in a name space of theirs.
[ "$(id -u)" -ne 0 ] || private_mounts "$0" "$@"
need_fuse
requires python3 tar timeout

rounds=${ROUNDS:-1}
m=$T/mnt
src=$T/src
mkdir -p "$src/Settings" "$src/Data" "$src/tree/deep"
printf '[Window]\r\nWidth=1\r\n[Kept]\r\nValue=42\r\n' >"$src/Settings/Program.ini"
printf 'begin of the log\r\n' >"$src/Data/program.LOG"
printf 'document 0\r\n' >"$src/Data/Document.txt"
head -c 30000 /dev/urandom >"$src/Data/Old.dat"
head -c 3000000 /dev/urandom >"$src/tree/large.bin"
for n in 1 2 3 4 5 6 7 8 9; do
    head -c $((n * 7000)) /dev/urandom >"$src/tree/deep/file $n"
done
if command -v x86_64-w64-mingw32-gcc >/dev/null; then
    x86_64-w64-mingw32-gcc -std=gnu17 -O2 -Wall -s -o "$src/settings.exe" \
        "$SFTFS_SRC/tests/wine/settings.c" || die "the Windows program does not build"
fi
pack "$src" "$T/p.sft"
mount_here() {
    mount_package "$T/p.sft" "$m" -o "overlay=$T/overlay,umask=022${1:-}"
}
remount() {
    unmount "$m"
    mount_here "${1:-}"
}
mount_here ",case_sensitive"

# same A B: names, types, modes, times, links and bytes
same() {
    (cd "$1" && find . -printf '%P %y %m %n %l %T@ %s\n' | sed 's/^\(.* d [0-7]*\) .*/\1/' | sort) >"$T/list1"
    (cd "$2" && find . -printf '%P %y %m %n %l %T@ %s\n' | sed 's/^\(.* d [0-7]*\) .*/\1/' | sort) >"$T/list2"
    diff "$T/list1" "$T/list2" >"$T/list.diff" || {
        head -n 20 "$T/list.diff"
        die "$1 and $2 differ"
    }
    # diff takes any two FIFOs for different.
    (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$T/sums"
    (cd "$2" && sha256sum --quiet -c "$T/sums") || die "$1 and $2 differ"
}

if command -v git >/dev/null; then
    step "git: clone, commits, gc, fsck"
    HOME=$T/home
    GIT_CONFIG_NOSYSTEM=1
    GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@localhost GIT_COMMITTER_NAME=A
    GIT_COMMITTER_EMAIL=a@localhost
    export HOME GIT_CONFIG_NOSYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME \
        GIT_COMMITTER_EMAIL
    mkdir "$HOME" "$T/origin"
    git init -q -b main "$T/origin"
    cp -a "$SFTFS_SRC/src" "$SFTFS_SRC/fs" "$T/origin/"
    git -C "$T/origin" add -A
    git -C "$T/origin" commit -q -m first
    git clone -q "$T/origin" "$m/clone" || die "git clone"
    n=0
    while [ $n -lt 15 ]; do
        echo $n >>"$m/clone/src/package.c"
        echo $n >"$m/clone/new$n"
        git -C "$m/clone" add -A && git -C "$m/clone" commit -q -m "commit $n" || die "git commit"
        n=$((n + 1))
    done
    git -C "$m/clone" branch other HEAD~5
    git -C "$m/clone" checkout -q other && git -C "$m/clone" merge -q main || die "git merge"
    git -C "$m/clone" gc -q --aggressive --prune=now || die "git gc"
    git -C "$m/clone" fsck --full --strict >"$T/fsck" 2>&1 || {
        cat "$T/fsck"
        die "git fsck"
    }
    git clone -q "$m/clone" "$m/clone of it" || die "git clone within the mount"
    remount ",case_sensitive"
    git -C "$m/clone" fsck --full --strict >"$T/fsck" 2>&1 || die "git fsck after a remount"
    git -C "$m/clone" status --porcelain | grep . && die "git sees changes after a remount"
    expect_equal "$(git -C "$m/clone of it" rev-list --count HEAD)" 16
fi

# The sqlite part, also the one for a package's own database: it is copied up by blocks.
cat >"$T/sqlite.py" <<'PY'
"""Writers move money between accounts, a reader looks at the sum, one writer at a time is killed."""
import os, random, signal, sqlite3, subprocess, sys, time
path, mode, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
ACCOUNTS, TOTAL = 200, 200000

def connect():
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    db.execute('pragma synchronous=normal')
    return db

def make():
    db = connect()
    db.execute('pragma journal_mode=' + mode)
    db.execute('create table a(id integer primary key, money int, pad text)')
    db.execute('create table log(n integer primary key autoincrement, who int, pad blob)')
    db.execute('begin')
    for n in range(ACCOUNTS):
        db.execute('insert into a values(?,?,?)', (n, TOTAL // ACCOUNTS, 'x' * 300))
    db.execute('commit')

def write(seed):
    rng, db = random.Random(seed), connect()
    while True:
        db.execute('begin immediate')
        for _ in range(rng.randrange(1, 6)):
            x, y, n = rng.randrange(ACCOUNTS), rng.randrange(ACCOUNTS), rng.randrange(50)
            db.execute('update a set money=money-? where id=?', (n, x))
            db.execute('update a set money=money+? where id=?', (n, y))
        db.execute('insert into log(who,pad) values(?,?)', (seed, rng.randbytes(rng.randrange(9000))))
        if rng.random() < 0.1:
            db.execute('delete from log where n in (select n from log limit 30)')
        db.execute('rollback' if rng.random() < 0.1 else 'commit')
        if rng.random() < 0.02:
            db.execute('vacuum' if mode != 'wal' else 'pragma wal_checkpoint(truncate)')

def check():
    db = connect()
    if db.execute('pragma integrity_check').fetchall() != [('ok',)]:
        sys.exit('integrity_check')
    if db.execute('select sum(money), count(*) from a').fetchone() != (TOTAL, ACCOUNTS):
        sys.exit('the sum is wrong')
    return (db.execute("select seq from sqlite_sequence where name='log'").fetchone() or [0])[0]

if len(sys.argv) > 4:
    try:
        write(int(sys.argv[4]))
    except sqlite3.OperationalError as e:
        if 'locked' not in str(e):
            raise
if not os.path.exists(path) or os.path.getsize(path) == 0:
    make()
def start(seed):
    return subprocess.Popen([sys.executable, __file__, path, mode, '0', str(seed)])
writers, end, kills, seed = [start(n) for n in range(3)], time.monotonic() + seconds, 0, 10
before = check()
while time.monotonic() < end or (check() == before and time.monotonic() < end + 60):
    time.sleep(0.4)
    victim = writers.pop(0)
    if victim.poll() is not None and victim.returncode not in (0, -signal.SIGKILL):
        sys.exit('a writer ended with %d' % victim.returncode)
    victim.kill()
    victim.wait()
    kills += 1
    check()
    writers.append(start(seed))
    seed += 1
for w in writers:
    w.kill()
    w.wait()
after = check()
if after <= before:
    sys.exit('nothing was written')
print('%d transactions, %d writers killed' % (after - before, kills))
PY
for mode in wal delete truncate; do
    step "sqlite, journal_mode=$mode"
    timeout 120 python3 "$T/sqlite.py" "$m/Data/$mode.db" "$mode" "$((rounds * 4))" || die "sqlite, $mode"
done
remount ",case_sensitive"
if command -v sqlite3 >/dev/null; then
    for mode in wal delete truncate; do
        expect_equal "$(sqlite3 "$m/Data/$mode.db" 'pragma integrity_check')" ok "$mode after a remount"
    done
fi

step "tar in and out"
cp -a "$SFTFS_SRC/tests" "$T/plain"
ln "$T/plain/lib.sh" "$T/plain/hard link"
ln -s lib.sh "$T/plain/symbolic link"
mkfifo "$T/plain/fifo"
truncate -s 5000000 "$T/plain/sparse"
printf end >>"$T/plain/sparse"
mkdir "$m/tar"
tar --format=posix -cf - -C "$T/plain" . | tar xpf - -C "$m/tar" || die "tar in"
same "$T/plain" "$m/tar"
mkdir "$T/out"
tar --format=posix -cSf - -C "$m/tar" . | tar xpf - -C "$T/out" || die "tar out"
same "$T/plain" "$T/out"
tar cf "$T/t.tar" -C "$T/plain" . && tar df "$T/t.tar" -C "$m/tar" || die "tar --compare"

step "cp -a, within the mount too"
cp -a "$T/plain" "$m/cp" || die "cp -a"
same "$T/plain" "$m/cp"
cp -a "$m/tree" "$m/tree of mine" && cp -a "$m/cp" "$m/cp again" || die "cp -a within the mount"
same "$T/plain" "$m/cp again"
diff -r "$src/tree" "$m/tree of mine" || die "cp -a of the package's files"
cp --reflink=auto --sparse=always "$m/tree/large.bin" "$m/large copy" || die "cp --sparse"
cmp "$src/tree/large.bin" "$m/large copy" || die "cp --sparse"

if command -v rsync >/dev/null; then
    step "rsync -aHX, twice, in and out"
    setfattr -n user.test -v value "$T/plain/lib.sh" 2>/dev/null
    rsync -aHX "$T/plain/" "$m/rsync/" || die "rsync"
    same "$T/plain" "$m/rsync"
    rsync -aHXni "$T/plain/" "$m/rsync/" | grep . && die "rsync would copy again"
    echo more >>"$T/plain/run.sh"
    rm "$T/plain/summary.sh"
    mv "$T/plain/data" "$T/plain/moved"
    rsync -aHX --delete --inplace "$T/plain/" "$m/rsync/" || die "rsync --inplace"
    same "$T/plain" "$m/rsync"
    # Over the package's own files: blocks of them are the same.
    rsync -a --inplace --no-whole-file "$T/plain/run.sh" "$m/tree/large.bin" || die "rsync --inplace"
    cmp "$T/plain/run.sh" "$m/tree/large.bin" || die "rsync --inplace over a package file"
    rm -rf "$T/out"
    rsync -aHX "$m/rsync/" "$T/out/" || die "rsync out"
    same "$T/plain" "$T/out"
    remount ",case_sensitive"
    same "$T/plain" "$m/rsync"
fi

step "rm -rf, and the package's files with it"
rm -rf "$m/rsync" "$m/cp" "$m/cp again" "$m/tar" "$m/tree" || die "rm -rf"
for name in rsync cp tar tree; do
    [ ! -e "$m/$name" ] || die "$name is still there"
done
remount
[ ! -e "$m/TREE" ] || die "tree is there again"
cmp "$src/tree/large.bin" "$m/TREE of mine/Large.BIN" || die "the copy is gone"

step "a build of this project in the mount"
if command -v autoreconf >/dev/null && command -v make >/dev/null; then
    mkdir "$m/project"
    sh "$SFTFS_SRC/tests/copy-source.sh" "$SFTFS_SRC" "$m/project" >"$T/build.log" 2>&1 || {
        cat "$T/build.log"
        die "the source cannot be copied"
    }
    (cd "$m/project" && sh autogen.sh && ./configure CFLAGS=-O0 && make -j2 libsft.a libsftfetch.a) \
        >>"$T/build.log" 2>&1 </dev/null || {
        tail -n 30 "$T/build.log"
        die "the build"
    }
    remount
    make -C "$m/project" libsft.a libsftfetch.a >"$T/build.log" 2>&1 || die "make after a remount"
    if grep -E '^ *(CC|AR)' "$T/build.log"; then
        die "make builds again after a remount"
    fi
fi

if command -v wine >/dev/null && [ -e "$src/settings.exe" ]; then
    step "Wine: a program that saves its settings"
    new_wine_prefix
    # settings save|check N
    settings() {
        timeout -k 5 100 wine "$m/Settings.EXE" "$@" >"$T/out.txt" 2>"$T/err" </dev/null || {
            status=$?
            cat "$T/out.txt" "$T/err"
            die "settings.exe $*: exit status $status"
        }
        expect_text "$T/out.txt" '^all done'
    }
    settings save 640
    settings check 640
    wineserver -k -w
    remount
    settings check 640
    settings save 800
    wineserver -k -w
    remount
    settings check 800
    wineserver -k -w
    expect_equal "$(cd "$m/data" && find . -iname 'document*')" ./Document.txt \
        "the document keeps the package's spelling, or takes the one it was moved to"
else
    echo "no Wine or no mingw: left out"
fi
unmount "$m"
ls -A "$T/overlay/work" | grep -vx whiteout && die "left in work/"
exit 0
