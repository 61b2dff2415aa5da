#!/usr/bin/env bash
# Packs the guest's whole file system: what Debian's packages on this machine bring, and the programs under test.
# Usage: tests/vm/initrd.sh KERNEL-FOLDER FILE=PLACE... > initrd
#
# Each FILE goes to its PLACE; programs come with the libraries that ldd names, at the places they have here. The guest has busybox for a shell, the real systemd-udevd with Debian's rules and ours, and three
# users: root; `member`, who is in the group of our rules; `stranger`, who is not.
set -euo pipefail
project=$(realpath "$(dirname "$0")/../..")
kernel=$1
shift
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/{dev,proc,sys,run,tmp,root,usr/{bin,sbin,lib,lib64},lib-modules,etc/udev/rules.d,home/{member,stranger}}
for folder in bin sbin lib lib64; do ln -s usr/$folder "$root/$folder"; done

add() { # add FILE [PLACE]
    local place=$root${2:-$1}
    mkdir -p "$(dirname "$place")"
    cp -L "$1" "$place"
}
add_program() { # add_program FILE [PLACE]
    local library
    add "$1" "${2:-$1}"
    { ldd "$1" 2>/dev/null || true; } | { grep -o "/[^ ]*" || true; } | while read -r library; do # a static one names none
        [ -e "$root$library" ] || add "$library"
    done
}

add_program "$(command -v busybox)" /bin/busybox
add_program "$(command -v udevadm)" /bin/udevadm
add_program /usr/lib/udev/fido_id
mkdir -p "$root/lib/systemd"
ln -s /bin/udevadm "$root/lib/systemd/systemd-udevd"
cp -r /usr/lib/udev/rules.d "$root/usr/lib/udev/"
cp "$project"/udev/*.rules "$root/etc/udev/rules.d/"
for program in fido2-token fido2-cred fido2-assert; do add_program "$(command -v $program)" /usr/bin/$program; done
for file; do add_program "${file%%=*}" "${file#*=}"; done
strip "$root"/usr/bin/* 2>/dev/null || true # smaller is all it does; scripts and what is stripped already refuse

# pcscd with the driver for readers on USB, which for YubiKeys is the real one.
add_program "$(command -v pcscd)" /usr/sbin/pcscd
for library in /usr/lib/*/libpcsclite*.so.1; do add "$library"; done
for file in /usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/{Info.plist,Linux/libccid.so}; do add_program "$file"; done

cp "$kernel"/*.ko "$root/lib-modules/"
cp "$kernel"/modules "$root/lib-modules/"
install -m 755 "$project/tests/vm/init.sh" "$root/init"
cp "$project/tests/vm/words.sh" "$root/etc/words.sh"

cat >"$root/etc/passwd" <<'USERS'
root:x:0:0::/root:/bin/sh
member:x:1001:1001::/home/member:/bin/sh
stranger:x:1002:1002::/home/stranger:/bin/sh
USERS
cat >"$root/etc/group" <<'GROUPS'
root:x:0:
tty:x:5:
disk:x:6:
lp:x:7:
dialout:x:20:
plugdev:x:46:
kmem:x:15:
cdrom:x:24:
audio:x:29:
video:x:44:
input:x:104:
sgx:x:105:
kvm:x:106:
render:x:107:
breakglass:x:990:member
member:x:1001:
stranger:x:1002:
GROUPS

chmod 755 "$root"
cd "$root"
find . | cpio --quiet --owner 0:0 -o -H newc
