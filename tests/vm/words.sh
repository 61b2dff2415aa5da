# What a scene can say in the guest, beside what Linux brings.

# until_true COMMAND...    waits, for two minutes at the most, until the command succeeds
until_true() {
    for _ in $(seq 2400); do
        "$@" && return
        sleep 0.05
    done
    echo "never so: $*" >&2
    return 1
}

# key NAME [OPTION...]     a security key, plugged in; its options are those of `authenticator serve`
key() {
    key_name=$1
    shift
    authenticator serve --state "/run/$key_name.state" --orders "/run/$key_name" --out "$@" >"/run/$key_name.log" 2>&1 &
    until_true [ -S "/run/$key_name" ]
    plug "$key_name"
}

# plug NAME, unplug NAME   puts a key into a port, until udev and pcscd have dealt with it; takes it out, until it is
plug() {
    powered=$(cards_powered)
    tell "$1" plug
    node "$1" >/dev/null
    [ ! -e "/run/$1.serial" ] || [ ! -e /run/pcscd.log ] || until_true more_cards_powered_than "$powered"
}
unplug() {
    left_port=$(tell "$1" port)
    removed=$(readers_removed)
    tell "$1" unplug
    until_true no_device_in_port "$left_port"
    udevadm settle
    [ ! -e "/run/$1.serial" ] || [ ! -e /run/pcscd.log ] || until_true reader_gone_after "$removed"
}
no_device_in_port() { ! ls -d /sys/devices/platform/vhci_hcd.0/usb*/*-"$1" >/dev/null 2>&1; }
cards_powered() { grep -sc 'Card ATR:' /run/pcscd.log || true; }
readers_removed() { grep -sc 'Removing USB device' /run/pcscd.log || true; }
# pcscd hears of it later than the kernel, and shuts the reader down after that
reader_gone_after() {
    awk -v before="$1" '/Removing USB device/ { n++; down = 0 } /Attempting shutdown/ { down = 1 } END { exit !(n > before && down) }' /run/pcscd.log
}
more_cards_powered_than() { [ "$(cards_powered)" -gt "$1" ]; }

# tell NAME ORDER...       an order to a key; `authenticator/src/orders.rs` lists them
tell() {
    name=$1
    shift
    authenticator tell "/run/$name" "$@"
}

# as USER COMMAND          a command of the shell, as that user
as() { su "$1" -s /bin/sh -c "$2"; }

# node NAME                the hidraw device of a key's FIDO interface, once udev has dealt with it
node() {
    node_port=$(tell "$1" port)
    until_true node_of_port "$node_port"
}
node_of_port() {
    udevadm settle
    for hidraw in /sys/devices/platform/vhci_hcd.0/usb*/*-"$1"/*:*/*/hidraw/hidraw*; do
        if [ "$(head -c 3 "$hidraw/device/report_descriptor" 2>/dev/null | xxd -p)" = 06d0f1 ]; then
            echo "/dev/${hidraw##*/}"
            return
        fi
    done
    return 1
}

# yubikey NAME SERIAL FIRMWARE [OPTION...]
#                          a YubiKey with PIV and FIDO2 on one USB device; its options are those of `authenticator serve`
yubikey() {
    yubikey_name=$1 yubikey_port=$((40000 + $2 % 10000))
    echo "$2" >"/run/$1.serial"
    mkfifo "/run/$1.orders"
    virtual_yubikey --folder /run/cards --root /etc/root.pem /etc/root-key.pem --key "$yubikey_port:$2:$3" \
        <"/run/$1.orders" >"/run/$1.answers" 2>"/run/$1.card.log" &
    sleep 100000 >"/run/$1.orders" & # without an open end the orders would be at their end
    shift 3
    key "$yubikey_name" --product 0406 --card "$yubikey_port" "$@"
}

# card NAME ORDER...       an order to the PIV side of a key; `examples/virtual_yubikey/orders.rs` lists them
card() {
    card_name=$1
    shift
    answers=$(wc -l <"/run/$card_name.answers")
    echo "$(cat "/run/$card_name.serial") $*" >"/run/$card_name.orders"
    until_true more_lines_than "$answers" "/run/$card_name.answers"
    answer=$(tail -n 1 "/run/$card_name.answers")
    echo "${answer#ok }"
    [ "${answer#ok}" != "$answer" ]
}
more_lines_than() { [ "$(wc -l <"$2")" -gt "$1" ]; }

# readers                  starts pcscd
readers() {
    mkdir -p /run/pcscd /run/cards
    without_polkit=
    ! pcscd --help 2>&1 | grep -q -e --disable-polkit || without_polkit=--disable-polkit
    pcscd --foreground --info $without_polkit >/run/pcscd.log 2>&1 &
    until_true [ -S /run/pcscd/pcscd.comm ]
}

# bg WORDS...              breakglass as `member`, in the home folder, where the kit lies in `kit` (or in `$KIT`) and the PINs in `pins`
bg() { KIT=${KIT:-kit} su -s /bin/sh -c 'cd && exec 3<pins && exec breakglass --kit "$KIT" --pin-fd 3 "$@"' -- member sh "$@"; }

# pins LINE...             what `bg` is given, instead of what was there
pins() { printf '%s\n' "$@" >/home/member/pins; }

# opening CREDENTIAL       opens it, for one emergency or another
opening() {
    bg open "$1" --emergency pam-outage --incident INC-4711 --reason 'lost quorum' --operator ada --confirm "open ${1%/*}"
}

# new_kit                  a kit folder for real keys that are certified by the tests' root, and an empty list of PINs
new_kit() {
    : >/home/member/pins
    bg init --name 'guest kit'
    toml=/home/member/kit/kit.toml
    from=$(grep -n '^# Who may' "$toml" | cut -d: -f1)
    {
        head -n $((from - 1)) "$toml"
        echo 'attestation-root = """'
        cat /etc/root.pem
        printf '"""\n\n'
        tail -n +"$from" "$toml"
    } >/run/kit.toml
    cat /run/kit.toml >"$toml"
}
