#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sft verify tells signed, tampered, untrusted and unsigned packages apart: packages that osslsigncode has
# signed with every digest, then changed in every part that a signature covers; and real ones.
. "$(dirname "$0")/lib.sh"
requires sft python3 openssl osslsigncode

src=$T/src
mkdir -p "$src/dir"
seq 50000 >"$src/dir/numbers.txt"
echo hello >"$src/hello.txt"

# certificate NAME SUBJECT ISSUER EXTENSION...
certificate() {
    name=$1 subject=$2 issuer=$3
    shift 3
    openssl req -new -newkey rsa:2048 -nodes -keyout "$T/$name.key" -out "$T/$name.csr" \
        -subj "$subject" >"$T/openssl" 2>&1 || die "openssl req"
    printf '%s\n' "$@" >"$T/$name.ext"
    if [ "$issuer" = "$name" ]; then
        openssl x509 -req -in "$T/$name.csr" -signkey "$T/$name.key" -days 30 -out "$T/$name.pem" \
            -extfile "$T/$name.ext" >>"$T/openssl" 2>&1
    else
        openssl x509 -req -in "$T/$name.csr" -CA "$T/$issuer.pem" -CAkey "$T/$issuer.key" \
            -CAcreateserial -days 30 -out "$T/$name.pem" -extfile "$T/$name.ext" >>"$T/openssl" 2>&1
    fi || {
        cat "$T/openssl"
        die "openssl x509"
    }
}
certificate ca "/CN=Test CA" ca "basicConstraints=critical,CA:true" "keyUsage=keyCertSign"
certificate other "/CN=Other CA" other "basicConstraints=critical,CA:true" "keyUsage=keyCertSign"
certificate signer '/C=US/ST=State/O=A, B/CN=Sample' ca "extendedKeyUsage=codeSigning"
certificate server "/CN=Sample" ca "extendedKeyUsage=serverAuth"

# sign DIGEST CERTIFICATE IN OUT
sign() {
    rm -f "$4"
    osslsigncode sign -h "$1" -certs "$T/$2.pem" -key "$T/$2.key" -in "$3" -out "$4" \
        >"$T/sign" 2>&1 || {
        cat "$T/sign"
        die "osslsigncode"
    }
}
# make OUT OPTION...
make_package() {
    python3 "$SFTFS_SRC/tests/make-appx.py" "$src" "$@" || die "make-appx"
}
# verdict_is VERDICT STATUS PACKAGE OPTION...
verdict_is() {
    verdict=$1 status=$2
    shift 2
    expect_status "$status" sft verify --json "$@"
    have=$(python3 -c 'import json,sys
print(json.load(open(sys.argv[1]))["signature"]["verdict"])' "$T/out") || die "no JSON"
    expect_equal "$have" "$verdict" "$*"
}

publisher='CN=Sample, O="A, B", S=State, C=US'
step "unsigned"
make_package "$T/u.msix" --publisher "$publisher"
verdict_is unsigned 14 "$T/u.msix"
verdict_is none 0 --no-signature "$T/u.msix"

step "signed, with every digest, in archives of 32 and 64 bits"
for digest in sha256 sha384 sha512; do
    for form in "" --zip32; do
        # shellcheck disable=SC2086
        make_package "$T/u.msix" --publisher "$publisher" --hash $digest $form
        sign $digest signer "$T/u.msix" "$T/s.msix"
        verdict_is unchecked 0 "$T/s.msix"
        verdict_is good 0 --ca "$T/ca.pem" "$T/s.msix"
        verdict_is untrusted 13 --ca "$T/other.pem" "$T/s.msix"
    done
done
expect_status 0 sft verify --ca "$T/ca.pem" "$T/s.msix"
expect_text "$T/out" '^signature: good$'
expect_text "$T/out" 'signer: .*CN=Sample'
expect_status 1 sft verify --ca "$T/none.pem" "$T/s.msix"

step "signed by one who may not, or is not the publisher"
sign sha256 server "$T/u.msix" "$T/x.msix"
verdict_is untrusted 13 --ca "$T/ca.pem" "$T/x.msix"
make_package "$T/v.msix" --publisher "CN=Somebody else"
sign sha256 signer "$T/v.msix" "$T/x.msix"
verdict_is untrusted 13 --ca "$T/ca.pem" "$T/x.msix"
expect_text "$T/out" Somebody

step "changed after it was signed"
make_package "$T/u.msix" --publisher "$publisher" --zip32
sign sha256 signer "$T/u.msix" "$T/s.msix"
python3 - "$T" <<'PY' || die "cannot change it"
import shutil, sys, zipfile
top = sys.argv[1]
def with_signature(name, data):
    path = '%s/changed-%s.msix' % (top, name)
    shutil.copyfile(top + '/u.msix', path)
    with zipfile.ZipFile(path, 'a') as z:
        z.writestr('AppxSignature.p7x', data)
good = open(top + '/s.msix', 'rb').read()
directory = good.rindex(b'PK\1\2', 0, good.index(b'PK\1\2') + 4)
def change(name, at, to):
    open('%s/changed-%s.msix' % (top, name), 'wb').write(good[:at] + to + good[at + len(to):])
# A time in a local header: no block and no document says anything of it.
change('local-time', good.index(b'PK\3\4') + 10, b'\0\0')
change('directory-time', directory + 12, b'\0\0')
# Bytes behind the signature's own entry, which is all that a signature does not cover.
end = good.rindex(b'PK\5\6')
at = int.from_bytes(good[end + 16:end + 20], 'little')
open(top + '/changed-behind.msix', 'wb').write(
    good[:at] + bytes(40) + good[at:end + 16] + (at + 40).to_bytes(4, 'little') + good[end + 20:])
# The digests in the signature, which then is not the signer's any more.
signature = zipfile.ZipFile(top + '/s.msix').read('AppxSignature.p7x')
at = signature.index(b'APPXAXPC') + 10
with_signature('signature', signature[:at] + b'\0\0\0\0' + signature[at + 4:])
with_signature('mark', b'XXXX' + signature[4:])
PY
for what in local-time directory-time signature behind; do
    verdict_is tampered 12 --ca "$T/ca.pem" "$T/changed-$what.msix"
done

step "a signature that is none"
expect_status 5 sft verify "$T/changed-mark.msix"
expect_text "$T/err" PKCX

samples=${SFTFS_SAMPLES:-$SFTFS_SRC/../shared/samples}/msix
if [ ! -d "$samples" ]; then
    echo "not tested: real packages, none in $samples"
    exit 0
fi
step "real packages"
verdict_is unchecked 0 "$samples/NotepadPlusPlus.appx"
verdict_is unchecked 0 "$samples/TestAppxPackage_Win32.appx"
verdict_is tampered 12 "$samples/SignedTamperedBlockMap-TRUST_E_BAD_DIGEST.appx"
verdict_is tampered 12 "$samples/SignedTamperedContentTypes-TRUST_E_BAD_DIGEST.appx"
verdict_is untrusted 13 --ca "$T/ca.pem" "$samples/SignedUntrustedCert-CERT_E_CHAINING.appx"
verdict_is unsigned 14 "$samples/HelloWorld.appx"
verdict_is unsigned 14 "$samples/UnsignedZip64WithCI-APPX_E_MISSING_REQUIRED_FILE.appx"
exit 0
