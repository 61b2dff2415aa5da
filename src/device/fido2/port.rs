//! Which FIDO2 device belongs to which PIV key: both sides of a key hang on one USB device.
//!
//! The FIDO2 side is a hidraw device whose report descriptor names usage page F1D0 (CTAP 2.1 section 11.2.8); sysfs
//! shows the USB device above it. The PIV side is a reader of pcscd, whose driver tells bus and device number of the
//! same USB device (SCARD_ATTR_CHANNEL_ID). Reads only, and opens no device: what cannot be read is not there.

use std::path::{Path, PathBuf};

use super::Fido2Error;
use crate::attestation::Serial;

/// Where the kernel shows its devices.
pub const SYSFS: &str = "/sys";

/// Usage page of FIDO in a HID report descriptor.
const FIDO_PAGE: u16 = 0xF1D0;

/// A USB device, by the numbers that the kernel gave it when it was plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsbDevice {
    /// Bus number.
    pub bus: u8,
    /// Device number on that bus.
    pub device: u8,
}

impl UsbDevice {
    /// From SCARD_ATTR_CHANNEL_ID, as the CCID driver tells it: four bytes, little endian, 0020 in the upper half for
    /// USB, then bus and device number (ifdhandler.c of libccid). `None` for any other kind of channel.
    pub fn of_channel(attribute: &[u8]) -> Option<Self> {
        let [device, bus, 0x20, 0] = *<&[u8; 4]>::try_from(attribute).ok()? else { return None };
        (bus != 0 && device != 0).then_some(UsbDevice { bus, device })
    }
}

/// A FIDO2 device that is plugged in, as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HidDevice {
    /// Device node, such as `/dev/hidraw3`.
    pub path: PathBuf,
    /// What it calls itself; control characters are replaced.
    pub product: String,
    /// USB vendor and product number, where told. 1050 is Yubico.
    pub ids: Option<(u16, u16)>,
    /// The USB device that it is a part of; `None` for one that is not on USB (uhid).
    pub usb: Option<UsbDevice>,
}

/// Whether this user may read and write that node (access(2)).
pub fn may_open(node: &Path) -> bool {
    use rustix::fs::Access;
    rustix::fs::access(node, Access::READ_OK | Access::WRITE_OK).is_ok()
}

/// Every FIDO2 device below that sysfs, by its node's number.
pub fn devices(sysfs: &Path) -> Vec<HidDevice> {
    let Ok(entries) = std::fs::read_dir(sysfs.join("class/hidraw")) else { return Vec::new() };
    let mut nodes: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("hidraw")?.parse().ok()?;
            Some((number, entry.path().join("device")))
        })
        .collect();
    nodes.sort();
    let fido = |(number, device): (u32, PathBuf)| {
        let descriptor = std::fs::read(device.join("report_descriptor")).ok()?;
        is_fido(&descriptor).then(|| describe(number, &device))
    };
    nodes.into_iter().filter_map(fido).collect()
}

fn describe(number: u32, device: &Path) -> HidDevice {
    let event = std::fs::read_to_string(device.join("uevent")).unwrap_or_default();
    let told = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let printable = |c: char| if c.is_control() { '\u{FFFD}' } else { c };
    // HID_ID=BUS:VENDOR:PRODUCT, in hexadecimal.
    let id = |text: Option<&str>| u16::try_from(u32::from_str_radix(text?, 16).ok()?).ok();
    let mut parts = told("HID_ID").unwrap_or("").split(':').skip(1);
    let ids = id(parts.next()).zip(id(parts.next()));
    HidDevice {
        path: format!("/dev/hidraw{number}").into(),
        product: told("HID_NAME")
            .unwrap_or("a FIDO2 device without a name")
            .chars()
            .take(100)
            .map(printable)
            .collect(),
        ids,
        usb: usb_above(device),
    }
}

/// The nearest folder above a device that is a USB device itself.
fn usb_above(device: &Path) -> Option<UsbDevice> {
    let number = |path: PathBuf| std::fs::read_to_string(path).ok()?.trim().parse().ok();
    let device = device.canonicalize().ok()?;
    device.ancestors().find_map(|folder| {
        Some(UsbDevice { bus: number(folder.join("busnum"))?, device: number(folder.join("devnum"))? })
    })
}

/// Whether a report descriptor names usage page F1D0 (Device Class Definition for HID 1.11, section 6.2.2).
fn is_fido(mut descriptor: &[u8]) -> bool {
    while let Some((prefix, rest)) = descriptor.split_first() {
        let size = match (prefix, rest.first()) {
            (0xFE, Some(size)) => usize::from(*size) + 2, // a long item: size and tag come first
            _ => [0, 1, 2, 4][usize::from(prefix & 3)],
        };
        let Some((data, rest)) = rest.split_at_checked(size) else { return false };
        if prefix & 0xFC == 0x04 && data == FIDO_PAGE.to_le_bytes() {
            return true;
        }
        descriptor = rest;
    }
    false
}

/// The PIV side, as far as it helps to find the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PivSide {
    /// Which key is wanted.
    pub serial: Serial,
    /// The USB device of its reader, where the driver tells it.
    pub usb: Option<UsbDevice>,
    /// How many PIV keys are plugged in.
    pub keys: usize,
}

/// The FIDO2 side of a key among `devices`.
///
/// The one on the same USB device wins. Where the key's reader tells no USB device, one key and one device belong
/// together: the public key of the enrolled credential is what binds them.
///
/// # Errors
/// [`Fido2Error::NoDevice`], [`Fido2Error::Absent`], [`Fido2Error::Ambiguous`].
pub fn choose(devices: &[HidDevice], wanted: PivSide) -> Result<&HidDevice, Fido2Error> {
    let PivSide { serial, usb, keys } = wanted;
    if devices.is_empty() {
        return Err(Fido2Error::NoDevice);
    }
    let candidates: Vec<&HidDevice> = match usb {
        Some(_) => devices.iter().filter(|device| device.usb == usb).collect(),
        // Nothing ties the key: not its reader (no USB), or not the driver.
        None => devices.iter().collect(),
    };
    match candidates[..] {
        [] => Err(Fido2Error::Absent(serial)),
        [one] if usb.is_some() || keys == 1 => Ok(one),
        _ => Err(Fido2Error::Ambiguous { serial, count: candidates.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// The usual beginning of a FIDO report descriptor.
    const FIDO: &[u8] = &[0x06, 0xD0, 0xF1, 0x09, 0x01, 0xA1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xFF, 0x00];
    const KEYBOARD: &[u8] = &[0x05, 0x01, 0x09, 0x06, 0xA1, 0x01, 0x05, 0x07];

    fn write(path: &Path, bytes: &[u8]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// `hidrawN` at a device below `devices/`, as the kernel links them.
    fn hidraw(sysfs: &Path, number: u32, device: &str, descriptor: &[u8], event: &str) {
        let device = sysfs.join("devices").join(device);
        write(&device.join("report_descriptor"), descriptor);
        write(&device.join("uevent"), event.as_bytes());
        let node = device.join(format!("hidraw/hidraw{number}"));
        std::fs::create_dir_all(&node).unwrap();
        symlink(&device, node.join("device")).unwrap();
        std::fs::create_dir_all(sysfs.join("class/hidraw")).unwrap();
        symlink(&node, sysfs.join(format!("class/hidraw/hidraw{number}"))).unwrap();
    }

    fn usb(sysfs: &Path, port: &str, bus: u8, device: u8) {
        let folder = sysfs.join("devices/pci0/usb1").join(port);
        write(&folder.join("busnum"), format!("{bus}\n").as_bytes());
        write(&folder.join("devnum"), format!("{device}\n").as_bytes());
    }

    #[test]
    fn fido_devices_are_found_with_the_usb_device_above_them() {
        let folder = tempfile::tempdir().unwrap();
        let sysfs = folder.path();
        usb(sysfs, "1-2", 1, 7);
        usb(sysfs, "1-3.1", 3, 11);
        let yubikey =
            "DRIVER=hid-generic\nHID_ID=0003:00001050:00000407\nHID_NAME=Yubico YubiKey OTP+FIDO+CCID\n";
        hidraw(sysfs, 10, "pci0/usb1/1-2/1-2:1.1/0003:1050:0407.0002", FIDO, yubikey);
        hidraw(sysfs, 9, "pci0/usb1/1-2/1-2:1.0/0003:1050:0407.0001", KEYBOARD, yubikey);
        hidraw(sysfs, 2, "pci0/usb1/1-3.1/1-3.1:1.0/0003:1050:0402.0003", FIDO, "HID_NAME=odd\x1b[2Jname\n");
        hidraw(sysfs, 3, "virtual/misc/uhid/0003:FFFF:0000.0004", FIDO, "HID_ID=0003:0000FFFF:00000000\n");
        let found = devices(sysfs);
        let shown: Vec<_> = found
            .iter()
            .map(|device| (device.path.to_str().unwrap(), device.product.as_str(), device.ids, device.usb))
            .collect();
        let on = |bus, device| Some(UsbDevice { bus, device });
        assert_eq!(
            shown,
            [
                ("/dev/hidraw2", "odd\u{FFFD}[2Jname", None, on(3, 11)),
                ("/dev/hidraw3", "a FIDO2 device without a name", Some((0xFFFF, 0)), None),
                ("/dev/hidraw10", "Yubico YubiKey OTP+FIDO+CCID", Some((0x1050, 0x407)), on(1, 7)),
            ]
        );
        assert_eq!(devices(&sysfs.join("nowhere")), []);
    }

    #[test]
    fn the_usage_page_is_an_item_and_not_any_two_bytes() {
        for (descriptor, fido) in [
            (FIDO, true),
            (KEYBOARD, false),
            (&[0x05, 0x01, 0x06, 0xD0, 0xF1], true),
            (&[0xFE, 1, 0xF0, 0, 0x06, 0xD0, 0xF1], true),
            (&[0xFE, 4, 0xF0, 0x06, 0xD0, 0xF1, 0], false),
            (&[0x26, 0xD0, 0xF1], false),
            (&[0x27, 0x06, 0xD0, 0xF1, 0], false),
            (&[0x06, 0xD0], false),
            (&[0xFE], false),
            (&[], false),
        ] {
            assert_eq!(is_fido(descriptor), fido, "{descriptor:02X?}");
        }
    }

    #[test]
    fn the_channel_of_a_usb_reader_is_its_bus_and_device() {
        assert_eq!(
            UsbDevice::of_channel(&0x0020_0107_u32.to_le_bytes()),
            Some(UsbDevice { bus: 1, device: 7 })
        );
        for other in [&0x0001_0107_u32.to_le_bytes()[..], &0x0020_0000_u32.to_le_bytes(), &[7, 1, 0x20], &[]]
        {
            assert_eq!(UsbDevice::of_channel(other), None, "{other:02X?}");
        }
    }

    fn device(number: u8, usb: Option<u8>) -> HidDevice {
        let usb = usb.map(|device| UsbDevice { bus: 1, device });
        HidDevice { path: format!("/dev/hidraw{number}").into(), product: "key".into(), ids: None, usb }
    }

    fn wanted(usb: Option<u8>, keys: usize) -> PivSide {
        PivSide { serial: Serial(5), usb: usb.map(|device| UsbDevice { bus: 1, device }), keys }
    }

    #[test]
    fn the_device_on_the_same_usb_device_is_the_one() {
        let devices = [device(0, Some(7)), device(1, None), device(2, Some(8))];
        for keys in [1, 2] {
            let found = choose(&devices, wanted(Some(8), keys)).unwrap();
            assert_eq!(found.path, Path::new("/dev/hidraw2"));
        }
        assert!(matches!(choose(&devices, wanted(Some(9), 1)), Err(Fido2Error::Absent(Serial(5)))));
        assert!(matches!(choose(&devices[1..2], wanted(Some(7), 1)), Err(Fido2Error::Absent(Serial(5)))));
        let twice = [device(0, Some(7)), device(1, Some(7))];
        let both = choose(&twice, wanted(Some(7), 1));
        assert!(matches!(both, Err(Fido2Error::Ambiguous { serial: Serial(5), count: 2 })));
    }

    #[test]
    fn where_nothing_ties_them_one_key_and_one_device_belong_together() {
        let one = [device(4, None)];
        assert_eq!(choose(&one, wanted(None, 1)).unwrap(), &one[0]);
        assert!(matches!(choose(&one, wanted(None, 2)), Err(Fido2Error::Ambiguous { count: 1, .. })));
        let two = [device(4, None), device(5, Some(7))];
        assert!(matches!(choose(&two, wanted(None, 1)), Err(Fido2Error::Ambiguous { count: 2, .. })));
        assert!(matches!(choose(&[], wanted(None, 1)), Err(Fido2Error::NoDevice)));
    }

    #[test]
    fn a_node_is_open_to_whom_its_mode_says() {
        let folder = tempfile::tempdir().unwrap();
        let node = folder.path().join("node");
        assert!(!may_open(&node));
        std::fs::write(&node, b"").unwrap();
        assert!(may_open(&node));
    }
}
