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

step "a kind that cannot be signed, in the place of one that can"
pack "$src" "$T/sft" --format sft
verdict_is none 0 "$T/sft"
verdict_is none 14 --ca "$T/ca.pem" "$T/sft"
python3 -c 'import json, sys
assert json.load(open(sys.argv[1]))["ok"] is False' "$T/out" || die "ok"
expect_status 14 sft verify --ca "$T/ca.pem" "$T/sft"
expect_text "$T/out" '^signature: none: an SFT cannot be signed'

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
expect_status 3 sft verify --ca "$T/none.pem" "$T/s.msix"
expect_text "$T/err" 'none.pem: No such file'
expect_status 2 sft verify --ca "$T/ca.key" "$T/s.msix"
expect_status 2 sft verify --ca "$T/ca.pem" --no-signature "$T/s.msix"

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
# The digests in the signature, which then is not the signer's any more.
signature = zipfile.ZipFile(top + '/s.msix').read('AppxSignature.p7x')
at = signature.index(b'APPXAXPC') + 10
with_signature('signature', signature[:at] + b'\0\0\0\0' + signature[at + 4:])
with_signature('mark', b'XXXX' + signature[4:])
# Bytes hidden between the signature and the directory; the end record leads to the directory all the same.
hidden = b'hidden' * 6
end, at = good.rindex(b'PK\5\6'), good.index(b'PK\1\2')
open(top + '/changed-hidden.msix', 'wb').write(
    good[:at] + hidden + good[at:end + 16] + (at + len(hidden)).to_bytes(4, 'little') + good[end + 20:])
PY
for what in local-time directory-time signature hidden; do
    verdict_is tampered 12 --ca "$T/ca.pem" "$T/changed-$what.msix"
done

step "sft info says who signed, and what it can see without reading everything"
expect_status 0 sft info "$T/s.msix"
expect_text "$T/out" '^signature: unchecked: intact'
expect_text "$T/out" '^  signer: '
expect_status 0 sft info --json "$T/changed-directory-time.msix"
python3 -c 'import json, sys
s = json.load(open(sys.argv[1]))["signature"]
assert s["verdict"] == "tampered" and s["documents_only"] and s["signer"], s' "$T/out" || die "$(cat "$T/out")"
expect_status 0 sft info "$T/changed-mark.msix"
expect_text "$T/out" '^signature: tampered: .*PKCX'
expect_text "$T/out" '^Package version:'
expect_status 0 sft info --json "$T/changed-local-time.msix" # only sft verify sees that
python3 -c 'import json, sys
assert json.load(open(sys.argv[1]))["signature"]["verdict"] == "unchecked"' "$T/out" || die "$(cat "$T/out")"

step "a certificate that has expired, with and without a time stamp"
mkdir "$T/db"
printf '%s\n' '[ca]' 'default_ca = d' '[d]' "database = $T/db/index" "new_certs_dir = $T/db" \
    'default_md = sha256' 'policy = p' 'rand_serial = yes' 'unique_subject = no' '[p]' \
    'commonName = supplied' 'countryName = optional' 'stateOrProvinceName = optional' \
    'organizationName = optional' >"$T/ca.conf"
: >"$T/db/index"
# dated NAME ISSUER FROM TO EXTENSIONS: the certificate of NAME once more, of another time
dated() {
    cp "$T/${1#past-}.key" "$T/$1.key"
    issuer=$2
    [ "$issuer" != "$1" ] || issuer=${1#past-}
    # shellcheck disable=SC2046
    openssl ca -config "$T/ca.conf" -batch -notext -preserveDN -in "$T/${1#past-}.csr" -cert "$T/$issuer.pem" \
        -keyfile "$T/$issuer.key" $([ "$2" != "$1" ] || echo -selfsign) -startdate "$3" -enddate "$4" \
        -extfile "$T/$5.ext" -out "$T/$1.pem" >"$T/openssl" 2>&1 || {
        cat "$T/openssl"
        die "openssl ca"
    }
}
certificate stamper "/CN=Stamper" ca "extendedKeyUsage=critical,timeStamping"
dated past-ca past-ca 20150101000000Z 20450101000000Z ca
dated past-signer past-ca 20200101000000Z 20210101000000Z signer
dated past-stamper past-ca 20190101000000Z 20220101000000Z stamper
make_package "$T/u.msix" --publisher "$publisher"
sign sha256 past-signer "$T/u.msix" "$T/x.msix"
verdict_is untrusted 13 --ca "$T/past-ca.pem" "$T/x.msix"
expect_text "$T/out" expired
# stamp SECONDS: signs again with a time stamp of that time
stamp() {
    rm -f "$T/x.msix"
    osslsigncode sign -h sha256 -certs "$T/past-signer.pem" -key "$T/past-signer.key" \
        -TSA-certs "$T/past-stamper.pem" -TSA-key "$T/past-stamper.key" -TSA-time "$1" \
        -in "$T/u.msix" -out "$T/x.msix" >"$T/sign" 2>&1
}
if osslsigncode sign --help 2>&1 | grep -q TSA-time; then
    stamp 1590000000 || die "osslsigncode"
    verdict_is good 0 --ca "$T/past-ca.pem" "$T/x.msix"
    verdict_is untrusted 13 --ca "$T/other.pem" "$T/x.msix"
    stamp 1630000000 || die "osslsigncode"
    verdict_is untrusted 13 --ca "$T/past-ca.pem" "$T/x.msix" # the signer's was over by then
    stamp 1660000000 || die "osslsigncode"
    verdict_is untrusted 13 --ca "$T/past-ca.pem" "$T/x.msix" # so was the stamper's
    expect_text "$T/out" 'time stamp does not count'
else
    echo "not tested: time stamps, this osslsigncode makes none"
fi

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
