#!/usr/bin/env bash
# The main job on practice keys, from blank keys to a record that somebody edited. Run by `make demo`.
# Usage: scripts/demo.sh      Asks nothing; needs no key, no daemon and no root. The kit stays in target/demo.
#
# Each command stands on the screen as one would type it, and is held to the exit code that the README promises.
# Practice keys touch themselves. PINs come on descriptor 3, as a script would give them; at a terminal they are asked for.
set -euo pipefail
cd "$(dirname "$0")/.."

echo 'building the release'
cargo build --quiet --release --locked
target=$(realpath "${CARGO_TARGET_DIR:-target}")
PATH=$target/release:$PATH
rm -rf "$target/demo"
mkdir "$target/demo"
cd "$target/demo"
export BREAKGLASS_KIT=kit

heading() { printf '\n\n== %s\n' "$*"; }
remark() { printf '   %s\n' "$@"; }

# The words of a command as a shell would take them.
typed() {
    local word
    for word in "$@"; do
        case $word in '' | *[!a-zA-Z0-9._/,=:@%+-]*) word="'$word'" ;; esac
        printf ' %s' "$word"
    done
}

# run EXIT-CODE COMMAND...      with what these hold, once:
pins=   # its PINs, a line each
into=   # the file that takes its stdout
last=   # how many of its last lines to show
run() {
    local expected=$1 status=0 talk
    shift
    printf '\n$%s' "$(typed "$@")"
    [ -z "$pins" ] || printf " --pin-fd 3 3<<< \$'%s'" "${pins//$'\n'/\\n}"
    [ -z "$into" ] || printf ' > %s' "$into"
    printf '\n'
    [ -z "$pins" ] || set -- "$@" --pin-fd 3
    if [ -n "$into" ]; then
        talk=$("$@" 3<<<"$pins" </dev/null 2>&1 >"$into") || status=$?
    else
        talk=$("$@" 3<<<"$pins" </dev/null 2>&1) || status=$?
    fi
    if [ -n "$last" ] && [ "$status" = "$expected" ]; then
        remark '…'
        talk=$(tail -n "$last" <<<"$talk")
    fi
    printf '%s\n' "$talk"
    [ "$expected" = 0 ] || remark "exit code $status"
    if [ "$status" != "$expected" ]; then
        echo "demo: exit code $status where $expected was expected; the kit is in $PWD/kit" >&2
        exit 1
    fi
    pins= into= last=
}

heading 'A kit, and three blank keys'
run 0 breakglass init --practice --name 'DC1 emergency kit'
remark '' 'kit.toml says who may do what and where keys lie. Into it goes:'
cat >>kit/kit.toml <<'POLICY'
[[key]]
serial = 23112
place = "safe A"
bag = "0417"
puk = "carol"

[[key]]
serial = 23115
place = "safe A"
bag = "0418"
puk = "carol"

[[key]]
serial = 30877
place = "safe B"
bag = "0102"
puk = "dana"
POLICY
tail -n 5 kit/kit.toml
for serial in 23112 23115 30877; do
    last=1
    run 0 breakglass practice new --serial $serial
done

heading 'Each key gets its own PIN, PUK, management key and three keys that never leave it'
pins=$'23112 new-pin 48151623\n23112 new-puk 97531864'
run 0 breakglass key provision --serial 23112 --confirm 23112
last=2 pins=$'23115 new-pin 31415926\n23115 new-puk 86421975'
run 0 breakglass key provision --serial 23115 --confirm 23115
last=2 pins=$'30877 new-pin 27182818\n30877 new-puk 75319864'
run 0 breakglass key provision --serial 30877 --confirm 30877

heading 'The first key founds the kit; from two keys on, two must agree'
pins='23112 pin 48151623'
run 0 breakglass key admit 23112 --confirm 'found 23112'
pins='23112 pin 48151623' last=3
run 0 breakglass key admit 23115 --with 23112 --confirm 'admit 23115'
pins='23112 pin 48151623' last=2
run 0 breakglass key admit 30877 --with 23112 --confirm 'admit 30877'
pins='23115 pin 31415926' last=3
run 0 breakglass key admit 30877 --with 23115 --confirm 'admit 30877'

heading 'A credential, sealed so that any two of the three keys open it'
pins='23112 pin 48151623'
run 0 breakglass seal core-db/root --generate -k 2 --user postgres --login 'psql -h db1 -U postgres' \
    --with 23112 --confirm 'seal core-db'

heading 'Three in the morning: a wrong PIN first'
open=(breakglass open core-db/root --emergency pam-outage --incident INC-4711 --reason 'PAM cluster lost quorum'
    --operator ada --key '23112,30877' --confirm 'open core-db')
pins='23112 pin 11111111'
run 4 "${open[@]}"

heading 'Then the right ones: each record is on disk before the secret is handed out'
pins=$'23112 pin 48151623\n30877 pin 27182818' into=secret.txt
run 0 "${open[@]}"
run 0 cat secret.txt

heading 'What happened, signed by the keys themselves'
run 0 breakglass records list
run 0 breakglass records verify
pins='23115 pin 31415926'
run 0 breakglass records export for-the-auditor --with 23115
run 0 wc -l for-the-auditor/records.jws

heading 'A visit to the vault: has anything else used the keys?'
pins=$'23112 pin 48151623\n23115 pin 31415926\n30877 pin 27182818'
run 0 breakglass inventory --witness

heading 'Another program uses a key, and leaves no record'
run 0 breakglass practice use-elsewhere 30877
remark 'PIV counts nothing, but no FIDO2 secret leaves a key without moving its counter:'
pins=$'23112 pin 48151623\n30877 pin 27182818' into=again.txt last=5
run 0 "${open[@]}"
last=8
run 6 breakglass records verify

heading 'What is left to do'
run 1 breakglass status

heading 'Somebody makes the reason sound harmless, in a copy of the kit'
cp -a kit edited
journal=$(echo edited/journal/23112-*.jws)
{
    head -n 5 "$journal"
    IFS=. read -r header payload signature < <(sed -n 6p "$journal")
    while [ $((${#payload} % 4)) -ne 0 ]; do payload+='='; done
    text=$(tr '_-' '/+' <<<"$payload" | base64 -d)
    payload=$(printf %s "${text/PAM cluster lost quorum/planned maintenance}" | base64 -w0 | tr '/+' '_-' | tr -d =)
    printf '%s.%s.%s\n' "$header" "$payload" "$signature"
    tail -n +7 "$journal"
} >edited.jws
mv edited.jws "$journal"
remark "line 6 of $journal says 'planned maintenance' now; its signature is as it was"
run 6 breakglass records verify --kit edited
pins=$'23112 pin 48151623\n30877 pin 27182818'
run 6 "${open[@]}" --kit edited

heading 'That was the whole of it'
remark "The kit stays. Look around:  cargo run --release -- --kit ${target#"$OLDPWD/"}/demo/kit inventory"
