#!/usr/bin/env bash
# Fetches Debian's stock kernel for the guest of tests/vm.rs and keeps what the guest needs of it: `vmlinuz`, the modules
# of USB, HID and the virtual host controller, and `modules`, their names in the order of loading.
# Usage: tests/vm/kernel.sh FOLDER
set -euo pipefail
folder=$1
modules=(usb/common/usb-common usb/core/usbcore hid/hid hid/hid-generic hid/usbhid/usbhid usb/usbip/usbip-core usb/usbip/vhci-hcd)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch" # apt downloads as a user of its own
cd "$scratch"
package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
[ -n "$package" ] || { echo "kernel.sh: apt knows no linux-image-amd64; as root:  apt-get update" >&2; exit 1; }
apt-get download -qq "$package" 2>/dev/null || { echo "kernel.sh: apt-get download $package failed; as root:  apt-get update" >&2; exit 1; }
dpkg -x "$package"_*.deb unpacked

rm -rf "$folder"
mkdir -p "$folder"
cp unpacked/boot/vmlinuz-* "$folder/vmlinuz"
for module in "${modules[@]}"; do
    cp "$(echo unpacked/lib/modules/*/kernel/drivers)/$module.ko" "$folder/"
done
printf '%s\n' "${modules[@]##*/}" >"$folder/modules" # last: whoever finds it finds all
