//! The FIDO2 side of the keys: which devices there are, whether this user may open them, whose they are.

use std::path::Path;

use super::Report;
use super::readers::Shown;
use crate::device::fido2::port::HidDevice;
use crate::kit::finding::Finding;

/// `readers`: what pcscd shows, if it answers. `rules`: whether the udev rules are installed.
pub(super) fn look(
    devices: &[HidDevice],
    readers: Option<&[Shown]>,
    may_open: impl Fn(&Path) -> bool,
    rules: bool,
    report: &mut Report,
) {
    // Another device's smart card side could only be one that nothing is known of.
    let known = readers.is_some_and(|shown| shown.iter().all(|one| one.card.is_none() || one.usb.is_some()));
    let readers = readers.unwrap_or_default();
    for device in devices {
        let name = format!("{} ({})", device.path.display(), device.product);
        if !may_open(&device.path) {
            let next = match rules {
                true => "join the group breakglass, log in again and plug the key in again:  udev/README.md",
                false => "install the udev rules:  udev/README.md",
            };
            report.due("FIDO2-ACCESS", format!("this user may not open {name}"), next);
        }
        let reader = readers.iter().find(|reader| device.usb.is_some() && reader.usb == device.usb);
        match reader.map(|reader| (&reader.reader, &reader.card)) {
            Some((_, Some(Ok(serial)))) => report.fine(format!("{name}: the FIDO2 side of key {serial}")),
            Some((reader, _)) => report.fine(format!("{name}: the FIDO2 side of what is in {reader}")),
            None if device.usb.is_some() && known => report.findings.push(
                Finding::note("FIDO2", format!("{name} has no smart card side: a Security Key, or PIV is switched off. it is of no use for a kit"))
                    .then("ykman config usb --enable PIV"),
            ),
            None => report.findings.push(Finding::note(
                "FIDO2",
                format!("whose FIDO2 side {name} is cannot be told; it is used if it and one key are the only ones"),
            )),
        }
    }
    for reader in readers {
        if let (Some(Ok(serial)), Some(usb)) = (&reader.card, reader.usb)
            && devices.iter().all(|device| device.usb != Some(usb))
        {
            report.findings.push(
                Finding::note(
                    "FIDO2",
                    format!("key {serial} shows no FIDO2 side: it opens what PIV alone opens"),
                )
                .then("ykman config usb --enable FIDO2"),
            );
        }
    }
    if !devices.is_empty() {
        report.findings.push(Finding::note(
            "FIDO2",
            "how the signature counters of these devices move is not known from here: provisioning measures each key's, and the enrolment record keeps it; of a key in no kit: breakglass key calibrate".into(),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceError;
    use crate::device::fido2::port::UsbDevice;

    fn usb(device: u8) -> Option<UsbDevice> {
        Some(UsbDevice { bus: 1, device })
    }

    fn hid(number: u8, usb: Option<UsbDevice>) -> HidDevice {
        HidDevice { path: format!("/dev/hidraw{number}").into(), product: "YubiKey".into(), ids: None, usb }
    }

    fn reader(serial: &str, usb: Option<UsbDevice>) -> Shown {
        Shown { reader: format!("reader of {serial}"), card: Some(Ok(serial.to_owned())), usb }
    }

    fn report(devices: &[HidDevice], readers: &[Shown], open: bool, rules: bool) -> Report {
        let mut report = Report::default();
        look(devices, Some(readers), |_| open, rules, &mut report);
        report
    }

    fn found(report: &Report) -> String {
        report.findings.iter().map(|finding| format!("{} {}\n", finding.rule, finding.text)).collect()
    }

    #[test]
    fn each_device_is_told_with_the_key_that_it_is_a_side_of() {
        let devices = [hid(0, usb(7)), hid(1, usb(8)), hid(2, usb(9))];
        let silent = Shown { reader: "odd one".into(), card: Some(Err(DeviceError::NoKey)), usb: usb(8) };
        let told = report(&devices, &[reader("23112", usb(7)), silent, reader("30877", usb(10))], true, true);
        assert_eq!(
            told.fine,
            [
                "/dev/hidraw0 (YubiKey): the FIDO2 side of key 23112",
                "/dev/hidraw1 (YubiKey): the FIDO2 side of what is in odd one"
            ]
        );
        let found = found(&told);
        assert!(
            found.contains("FIDO2 /dev/hidraw2 (YubiKey) has no smart card side: a Security Key"),
            "{found}"
        );
        assert!(found.contains("FIDO2 key 30877 shows no FIDO2 side"), "{found}");
        assert!(found.contains("provisioning measures each key's"), "{found}");
        assert_eq!(told.findings.len(), 3, "{found}");
    }

    #[test]
    fn what_nothing_ties_to_a_reader_is_not_called_a_security_key() {
        for (device, usb_of_reader) in [(hid(0, None), usb(7)), (hid(0, usb(8)), None), (hid(0, None), None)]
        {
            let found = found(&report(&[device], &[reader("23112", usb_of_reader)], true, true));
            assert!(found.contains("whose FIDO2 side /dev/hidraw0 (YubiKey) is cannot be told"), "{found}");
        }
        let empty = Shown { reader: "empty".into(), card: None, usb: None };
        let alone = found(&report(&[hid(0, usb(8))], &[empty], true, true));
        assert!(alone.contains("Security Key"), "{alone}");
        let mut unasked = Report::default();
        look(&[hid(0, usb(8))], None, |_| true, true, &mut unasked);
        assert!(found(&unasked).contains("cannot be told"), "pcscd does not answer");
    }

    #[test]
    fn a_node_that_this_user_may_not_open_is_due() {
        for (rules, next) in [(false, "install the udev rules"), (true, "join the group")] {
            let told = report(&[hid(3, usb(7))], &[reader("23112", usb(7))], false, rules);
            let due = told.findings.iter().find(|finding| finding.rule == "FIDO2-ACCESS").expect("found");
            assert_eq!(due.text, "this user may not open /dev/hidraw3 (YubiKey)");
            assert!(due.next.as_deref().is_some_and(|text| text.starts_with(next)), "{due:?}");
        }
    }

    #[test]
    fn without_a_device_nothing_is_said() {
        let told = report(&[], &[reader("23112", None)], true, false);
        assert!(told.findings.is_empty() && told.fine.is_empty());
    }
}
