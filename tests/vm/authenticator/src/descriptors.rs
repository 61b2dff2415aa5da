//! What the device says of itself on USB: the interfaces of a YubiKey 5 with FIDO alone, with FIDO and a card, and as
//! it leaves the factory, with a keyboard too. Layouts: USB 2.0 section 9.6, HID 1.11 section 6.2, CCID 1.1 section 5.

/// Which interfaces the key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    Fido,
    FidoCard,
    OtpFidoCard,
}

/// Endpoints, the same in every product. The address of an IN endpoint has bit 7 set on the bus.
pub(crate) const FIDO: u8 = 1;
pub(crate) const CARD: u8 = 2;
const CARD_EVENTS: u8 = 3;
const KEYBOARD: u8 = 4;

/// HID packets of CTAPHID.
pub(crate) const PACKET: usize = 64;
const CARD_PACKET: u16 = 64;

/// Usage page F1D0, one input and one output report of 64 bytes (CTAP 2.1 section 11.2.8.2).
const FIDO_REPORT: &[u8] = &[
    0x06, 0xD0, 0xF1, 0x09, 0x01, 0xA1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95,
    0x40, 0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91, 0x02, 0xC0,
];

/// A boot keyboard (HID 1.11 appendix E.6) that never types.
const KEYBOARD_REPORT: &[u8] = &[
    0x05, 0x01, 0x09, 0x06, 0xA1, 0x01, 0x05, 0x07, 0x19, 0xE0, 0x29, 0xE7, 0x15, 0x00, 0x25, 0x01, 0x75,
    0x01, 0x95, 0x08, 0x81, 0x02, 0x95, 0x01, 0x75, 0x08, 0x81, 0x01, 0x95, 0x06, 0x75, 0x08, 0x15, 0x00,
    0x25, 0x65, 0x05, 0x07, 0x19, 0x00, 0x29, 0x65, 0x81, 0x00, 0xC0,
];

enum Interface {
    Keyboard,
    Fido,
    Card,
}

impl Product {
    fn interfaces(self) -> &'static [Interface] {
        match self {
            Product::Fido => &[Interface::Fido],
            Product::FidoCard => &[Interface::Fido, Interface::Card],
            Product::OtpFidoCard => &[Interface::Keyboard, Interface::Fido, Interface::Card],
        }
    }

    fn id(self) -> u16 {
        match self {
            Product::Fido => 0x0402,
            Product::FidoCard => 0x0406,
            Product::OtpFidoCard => 0x0407,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Product::Fido => "YubiKey FIDO",
            Product::FidoCard => "YubiKey FIDO+CCID",
            Product::OtpFidoCard => "YubiKey OTP+FIDO+CCID",
        }
    }

    /// The descriptor that a GET_DESCRIPTOR asks for, or `None` (a stall).
    pub(crate) fn descriptor(self, value: u16, index: u16) -> Option<Vec<u8>> {
        let [kind, number] = value.to_be_bytes();
        match (kind, number) {
            (1, _) => Some(self.device()),
            (2, 0) => Some(self.configuration()),
            (3, 0) => Some(vec![4, 3, 0x09, 0x04]),
            (3, 1) => Some(text("Yubico")),
            (3, 2) => Some(text(self.name())),
            (0x22, 0) => match self.interfaces().get(usize::from(index))? {
                Interface::Keyboard => Some(KEYBOARD_REPORT.to_vec()),
                Interface::Fido => Some(FIDO_REPORT.to_vec()),
                Interface::Card => None,
            },
            _ => None,
        }
    }

    fn device(self) -> Vec<u8> {
        let [low, high] = self.id().to_le_bytes();
        // USB 2.00, no class of its own, 64 byte packets, vendor 1050, firmware 5.74 as a YubiKey 5.7.4 writes it
        vec![18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x50, 0x10, low, high, 0x74, 0x05, 1, 2, 0, 1]
    }

    fn configuration(self) -> Vec<u8> {
        let mut all = vec![9, 2, 0, 0, u8::try_from(self.interfaces().len()).expect("few"), 1, 0, 0x80, 15];
        for (number, interface) in (0..).zip(self.interfaces()) {
            match interface {
                Interface::Keyboard => {
                    all.extend([9, 4, number, 0, 1, 3, 1, 1, 0]);
                    all.extend(hid(KEYBOARD_REPORT));
                    all.extend(endpoint(0x80 | KEYBOARD, 3, 8, 10));
                }
                Interface::Fido => {
                    all.extend([9, 4, number, 0, 2, 3, 0, 0, 0]);
                    all.extend(hid(FIDO_REPORT));
                    all.extend(endpoint(FIDO, 3, 64, 2));
                    all.extend(endpoint(0x80 | FIDO, 3, 64, 2));
                }
                Interface::Card => {
                    all.extend([9, 4, number, 0, 3, 0x0B, 0, 0, 0]);
                    all.extend(card_class());
                    all.extend(endpoint(CARD, 2, CARD_PACKET, 0));
                    all.extend(endpoint(0x80 | CARD, 2, CARD_PACKET, 0));
                    all.extend(endpoint(0x80 | CARD_EVENTS, 3, 8, 32));
                }
            }
        }
        let length = u16::try_from(all.len()).expect("short").to_le_bytes();
        all[2..4].copy_from_slice(&length);
        all
    }
}

/// The class descriptor of the card interface, with the values of a YubiKey 5 (libccid's list of readers): T=1, short
/// and extended APDUs, messages of up to 3072 bytes, no display and no PIN pad.
fn card_class() -> Vec<u8> {
    let mut all = vec![54, 0x21, 0x10, 0x01, 0, 7];
    all.extend([2, 4000, 4000].map(u32::to_le_bytes).concat()); // protocols, clock, fastest clock
    all.push(0);
    all.extend([307_200, 307_200].map(u32::to_le_bytes).concat()); // bits a second
    all.push(0);
    all.extend([3062, 0, 0, 0x0004_00FE, 3072].map(u32::to_le_bytes).concat()); // IFSD, features, longest message
    all.extend([0xFF, 0xFF, 0, 0, 0, 1]);
    all
}

fn hid(report: &[u8]) -> [u8; 9] {
    [9, 0x21, 0x11, 0x01, 0, 1, 0x22, u8::try_from(report.len()).expect("short"), 0]
}

fn endpoint(address: u8, kind: u8, packet: u16, interval: u8) -> [u8; 7] {
    let [low, high] = packet.to_le_bytes();
    [7, 5, address, kind, low, high, interval]
}

fn text(text: &str) -> Vec<u8> {
    let mut descriptor = vec![u8::try_from(2 + 2 * text.len()).expect("short"), 3];
    descriptor.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    descriptor
}
