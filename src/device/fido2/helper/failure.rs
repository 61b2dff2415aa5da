//! From the library's words to what happened: it has no error type, only text (ctap-hid-fido2 3.6.1, src/ctaphid.rs).

use std::time::Duration;

use crate::device::fido2::wire::Failure;

/// 500 keepalives, with 100 ms between them: then it gives up, and tells the status of the last keepalive as if that
/// were the key's error.
pub(super) const GIVES_UP: Duration = Duration::from_secs(50);

const STATUS: &str = "response_status err = 0x";

/// What that text means, of a request that took so long.
pub(super) fn failure(text: &str, took: Duration) -> Failure {
    if let Some(rest) = text.strip_prefix(STATUS) {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        return match u8::from_str_radix(&rest[..digits], 16) {
            Ok(status @ (1 | 2)) if took >= GIVES_UP => Failure::StillWaiting(status == 2),
            Ok(status) => Failure::Status(status),
            Err(_) => Failure::Other(printable(text)),
        };
    }
    match text {
        "read error" | "write error" => Failure::Gone,
        _ if text.starts_with("read err = ") => Failure::Gone,
        _ => Failure::Other(printable(text)),
    }
}

/// At most 200 characters that a terminal can show.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_library_become_what_happened() {
        let soon = Duration::from_secs(49);
        for (text, took, wanted) in [
            ("response_status err = 0x31 CTAP2_ERR_PIN_INVALID   PIN Invalid.", soon, Failure::Status(0x31)),
            ("response_status err = 0x2F CTAP2_ERR_USER_ACTION_TIMEOUT", GIVES_UP, Failure::Status(0x2F)),
            ("response_status err = 0xE0", soon, Failure::Status(0xE0)),
            ("response_status err = 0x7 unknown", soon, Failure::Status(7)),
            ("response_status err = 0x02 CTAP1_ERR_INVALID_PARAMETER", soon, Failure::Status(2)),
            ("response_status err = 0x02 CTAP1_ERR_INVALID_PARAMETER", GIVES_UP, Failure::StillWaiting(true)),
            ("response_status err = 0x01 CTAP1_ERR_INVALID_COMMAND", GIVES_UP, Failure::StillWaiting(false)),
            ("read err = 0xFE CTAP2_ERR_VENDOR_LAST", soon, Failure::Gone),
            ("read error", soon, Failure::Gone),
            ("write error", soon, Failure::Gone),
            ("Nonce verification failed", soon, Failure::Other("Nonce verification failed".into())),
            ("response_status err = 0xzz", soon, Failure::Other("response_status err = 0xzz".into())),
            ("odd \u{1b}[2J\n", soon, Failure::Other("odd ?[2J?".into())),
        ] {
            assert_eq!(failure(text, took), wanted, "{text:?} {took:?}");
        }
        assert_eq!(printable(&"é".repeat(300)).len(), 200);
    }
}
