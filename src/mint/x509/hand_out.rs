//! What programs want beside the PEM files.

use serde::Serialize;
use zeroize::Zeroizing;

use super::Signed;
use crate::mint::{SubjectKey, Window};

/// What kubectl wants from a credential plugin on its standard output (`client.authentication.k8s.io`, kind
/// `ExecCredential`), a line. `version` is what it asked for in `KUBERNETES_EXEC_INFO`, `v1` where it did not.
pub fn exec_credential(
    version: &str,
    certificate: &Signed,
    key: &SubjectKey,
    window: Window,
) -> Zeroizing<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Status<'a> {
        expiration_timestamp: String,
        client_certificate_data: &'a str,
        client_key_data: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Credential<'a> {
        api_version: String,
        kind: &'a str,
        status: Status<'a>,
    }
    let (certificate, key) = (certificate.pem(), key.expose_pem());
    let until = i64::try_from(window.until()).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    let credential = Credential {
        api_version: format!("client.authentication.k8s.io/{version}"),
        kind: "ExecCredential",
        status: Status {
            expiration_timestamp: until.map(|at| at.to_string()).unwrap_or_default(),
            client_certificate_data: &certificate,
            client_key_data: &key,
        },
    };
    let mut line = Zeroizing::new(Vec::with_capacity(8_192)); // never grown, so never copied
    serde_json::to_writer(&mut *line, &credential).expect("text members always have a JSON form");
    line.push(b'\n');
    Zeroizing::new(String::from_utf8(std::mem::take(&mut *line)).expect("JSON is UTF-8"))
}

/// A serial number as logs spell it: colons of openssl and AWS aside, hexadecimal of nginx (upper case), of our records
/// (lower case), and decimal of PostgreSQL (`pg_stat_ssl`).
pub fn names_of_serial(serial: &[u8]) -> [String; 3] {
    [hex::encode_upper(serial), hex::encode(serial), decimal(serial)]
}

fn decimal(number: &[u8]) -> String {
    let mut digits = vec![0u8]; // the lowest first
    for byte in number {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = (value % 10) as u8;
            carry = value / 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decimal_is_the_same_number(number: u128) {
            prop_assert_eq!(decimal(&number.to_be_bytes()), number.to_string());
        }
    }
}
