#!/usr/bin/env bash
# Runs all that CI runs and says how long each part took. Run by `make test`.
# Usage: scripts/test.sh [PART...]         Without parts: all of them, in this order:
#   install      what the tests compare with (scripts/install.sh test)
#   fmt          the formatting that rustfmt.toml says
#   clippy       lints as errors, everything
#   clippy-bare  lints as errors, without any driver: the auditor's program
#   doc          documentation with every link resolved
#   test         every test
#   deny         licences and sources by cargo-deny, where it is installed (tests/supply_chain.rs checks the rest always)
#   demo         the session of `make demo`, its story checked
#   tree         the working tree is as it was before
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"
export BREAKGLASS_TOOLS="${BREAKGLASS_TOOLS:-$HOME/.cache/breakglass-tools}"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"
key=tests/vm/authenticator/Cargo.toml # the virtual security key of tests/vm.rs, a workspace of its own
parts=(install fmt clippy clippy-bare doc test deny demo tree)

part_install() {
    scripts/install.sh test
    cargo fetch --quiet --locked # the crates of every platform, whose licences are checked
    cargo fetch --quiet --locked --manifest-path "$key"
}
part_fmt() {
    cargo fmt --all --check
    cargo fmt --check --manifest-path "$key"
}
part_clippy() {
    cargo clippy --quiet --locked --all-features --all-targets -- -D warnings
    cargo clippy --quiet --locked --manifest-path "$key" --target-dir "${CARGO_TARGET_DIR:-target}/vm" -- -D warnings
}
part_clippy-bare() { cargo clippy --quiet --locked --no-default-features --features audit --lib --bins -- -D warnings; }
part_doc() { RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --all-features --no-deps; }

part_test() {
    local shared=${BREAKGLASS_SHARED:-../shared}
    [ -d "$shared/data" ] || say "not checked: $shared/data is not here, so Cargo.lock is not held against the advisories" \
        'and the attestation certificates of real keys are not read'
    cargo test --quiet --locked --all-features --doc
    # Many a test waits for a card, a guest or a server: two programs of tests at a time leave no core idle.
    local list=${CARGO_TARGET_DIR:-target}/tests.list log=${CARGO_TARGET_DIR:-target}/tests
    mkdir -p "$log"
    rm -f "$log"/*.log
    cargo test --quiet --locked --all-features --no-run --message-format json |
        python3 -c 'import json, sys
for line in sys.stdin:
    built = json.loads(line)
    if built.get("executable") and built["profile"]["test"]:
        kind = built["target"]["kind"][0]
        print(built["target"]["name"] + ("" if kind == "test" else "-" + kind), built["executable"])' | sort >"$list"
    # As cargo does for the tests that it runs: some of them build, and a crate may name a toolchain of its own.
    if rustup --version >/dev/null 2>&1; then
        RUSTUP_TOOLCHAIN=$(rustup show active-toolchain | cut -d' ' -f1)
        export RUSTUP_TOOLCHAIN
    fi
    # The longest first.
    { grep -E '^(vm|syscall_faults|opening_faults|life) ' "$list"; grep -vE '^(vm|syscall_faults|opening_faults|life) ' "$list"; } |
        CARGO_MANIFEST_DIR=$PWD LOG=$log xargs -P 2 -L 1 bash -c '
            begun=$SECONDS
            if "$1" --quiet >"$LOG/$0.log" 2>&1; then
                printf "%-24s %5s s  %s\n" "$0" "$((SECONDS - begun))" "$(grep "^test result" "$LOG/$0.log" | cut -d";" -f1)"
            else
                cat "$LOG/$0.log"
                printf "\nfailed: %s, after %s s    alone:  cargo test --all-features --test %s\n" "$0" "$((SECONDS - begun))" "$0"
                exit 1
            fi'
    awk '/^test result/ { passed += $4; failed += $6 } END { print "\n" passed " passed, " failed " failed" }' "$log"/*.log
}

part_deny() {
    if cargo deny --version >/dev/null 2>&1; then
        cargo deny --locked --offline check bans licenses sources
    else
        say 'not checked: cargo-deny is not installed'
    fi
}

part_demo() {
    local phrase from=1 at log=${CARGO_TARGET_DIR:-target}/demo.log
    mkdir -p "$(dirname "$log")"
    scripts/demo.sh >"$log" 2>&1 || { cat "$log"; return 1; }
    while IFS= read -r phrase; do
        at=$(tail -n "+$from" "$log" | grep -nFm1 -- "$phrase" | cut -d: -f1) || true
        if [ -z "$at" ]; then
            cat "$log"
            say "the demo does not say, or not in this order: $phrase"
            return 1
        fi
        from=$((from + at))
    done <<'STORY'
made practice key 30877
23112 is ready.
23115 is ready.
30877 is ready.
founded "DC1 emergency kit" with 23112
23115 belongs to the kit now.
signed by 1 of 2 keys
30877 belongs to the kit now.
sealed core-db/root, generation 1.
2 tries left
exit code 4
signed and on disk: record 23112/5
counted and on disk: counter
signed and on disk: record 30877/1
counted and on disk: counter
opened core-db/root
$ cat secret.txt
open.intent
open.released
intact: 13 records in 3 chains
wrote 14 records to for-the-auditor
FIDO2 was used by nothing else since its last assertion on record
another program used the FIDO2 credential of 30877
1 time more than the journal says
exit code 6
rotate core-db/root after INC-4711
line 6 was changed after it was signed
exit code 6
nothing was opened
exit code 6
STORY
    say "the demo told its story ($(grep -c '^\$ ' "$log") commands; $log)"
}

part_tree() {
    if [ "$tree_before" = unknown ]; then
        say 'not checked: this is not a git working tree'
    elif [ "$(tree)" != "$tree_before" ]; then
        say 'the tests changed the working tree:'
        tree
        return 1
    fi
}

say() { printf '%s\n' "$@"; }
tree() { git status --porcelain 2>/dev/null || echo unknown; }
tree_before=$(tree)

[ $# -eq 0 ] || parts=("$@")
passed=()
for part in "${parts[@]}"; do
    declare -F "part_$part" >/dev/null || { say "there is no part $part" >&2; exit 2; }
    say '' "== $part"
    begun=$SECONDS
    set +e # a part tested by `if` would go on after a failed command
    (set -e; "part_$part")
    status=$?
    set -e
    if [ $status -ne 0 ]; then
        say '' "failed: $part, after $((SECONDS - begun)) s    alone:  scripts/test.sh $part"
        [ ${#passed[@]} -eq 0 ] || say "passed before it: ${passed[*]}"
        exit 1
    fi
    passed+=("$part $((SECONDS - begun)) s,")
done
passed[-1]=${passed[-1]%,}
say '' "passed in $SECONDS s: ${passed[*]}"
