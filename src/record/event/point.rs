//! A public key in a record.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};

/// A point of P-256, compressed SEC1 (33 bytes), base64url in JSON. Always on the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point(pub p256::PublicKey);

impl Serialize for Point {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.to_sec1_point(true);
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(bytes.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text.as_bytes())
            .map_err(|_| D::Error::custom("a point is 33 bytes in base64url"))?;
        if bytes.len() != 33 {
            return Err(D::Error::custom("a point is 33 bytes in base64url"));
        }
        p256::PublicKey::from_sec1_bytes(&bytes)
            .map(Point)
            .map_err(|_| D::Error::custom("not a point of P-256"))
    }
}
