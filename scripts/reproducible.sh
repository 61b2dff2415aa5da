#!/usr/bin/env bash
# Builds the release twice, in other folders with other cargo homes, and compares the binaries byte by byte.
# Usage: scripts/reproducible.sh [FOLDER]      Takes some minutes and about 2 GB below FOLDER (default: a temporary one).
#
# Two things would make builds differ: paths, which the two prefix maps take out, and the time at which a crate was
# unpacked, which rust-embed (through age) stores unless its feature deterministic-timestamps is on, as Cargo.toml has it.
# What is built is the commit HEAD. Crates that this machine has already are not fetched again, but unpacked anew.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."
folder=${1:-$(mktemp -d)}
target=$(rustc -vV | sed -n 's/^host: //p')

build() { # build NAME: prints the hash of its binary
    local place=$folder/$1
    rm -rf "$place"
    mkdir -p "$place/source" "$place/cargo/registry"
    git archive HEAD | tar -x -C "$place/source"
    cp -r "${CARGO_HOME:-$HOME/.cargo}"/registry/{cache,index} "$place/cargo/registry/"
    (
        cd "$place/source"
        export CARGO_HOME=$place/cargo CARGO_INCREMENTAL=0
        export CFLAGS="-ffile-prefix-map=$place=/breakglass" # hidapi and ring bring C
        export RUSTFLAGS="--remap-path-prefix=$place/source=/breakglass --remap-path-prefix=$place/cargo=/cargo"
        cargo build --quiet --release --locked --target "$target" --bin breakglass
    )
    sha256sum "$place/source/target/$target/release/breakglass" | cut -d' ' -f1
}

cargo fetch --quiet --locked --target "$target"
echo "building $(git rev-parse --short HEAD) twice below $folder"
first=$(build first)
echo "$first  first"
second=$(build a/second/with-a-longer-name)
echo "$second  second"
if [ "$first" = "$second" ]; then
    echo 'the same'
else
    echo "they differ; cmp -l says where: $(echo "$folder"/{first,a/second/with-a-longer-name}/source/target/"$target"/release/breakglass)" >&2
    exit 1
fi
