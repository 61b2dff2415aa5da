//! Data objects of a simulated key: certificates, printed information, chain head.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::model::SimulatedKey;
use super::status::Status;

/// Longest content of one object in bytes, without its outer 53.
pub const OBJECT_LIMIT: usize = 3063;

/// All objects together in bytes.
pub const STORE_LIMIT: usize = 51_200;

/// The attestation certificate, F9.
pub(super) const ATTESTATION_CERTIFICATE: u32 = 0x5F_FF01;

/// Readable only after the PIN: fingerprints, facial image, printed information, iris.
const PIN_PROTECTED: [u32; 4] = [0x5F_C103, 0x5F_C108, 0x5F_C109, 0x5F_C121];

/// Contents by object id, without the outer 53.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Objects(BTreeMap<ObjectId, Content>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct ObjectId(u32);

#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Content(#[serde(with = "hex::serde")] Vec<u8>);

impl ObjectId {
    /// 5F0000 to 5FFFFF, the discovery object 7E and the biometric group template 7F61.
    fn new(id: u32) -> Option<Self> {
        matches!(id, 0x5F_0000..=0x5F_FFFF | 0x7E | 0x7F61).then_some(ObjectId(id))
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> String {
        format!("{:06X}", id.0)
    }
}

impl TryFrom<String> for ObjectId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        u32::from_str_radix(&text, 16)
            .ok()
            .and_then(ObjectId::new)
            .ok_or_else(|| format!("{text} is not an object of a practice key"))
    }
}

impl Objects {
    fn size(&self) -> usize {
        self.0.values().map(|content| content.0.len()).sum()
    }
}

impl SimulatedKey {
    /// GET DATA: content of an object, without its outer 53.
    pub fn object(&self, id: u32) -> Result<Vec<u8>, Status> {
        let object = ObjectId::new(id).ok_or(Status::NOT_FOUND)?;
        if PIN_PROTECTED.contains(&id) && !self.session.pin_verified {
            return Err(Status::SECURITY);
        }
        match self.objects.0.get(&object) {
            Some(content) => Ok(content.0.clone()),
            None if id == ATTESTATION_CERTIFICATE => Ok(self.attestation.object()),
            None => Err(Status::NOT_FOUND),
        }
    }

    /// PUT DATA: replaces an object; empty content deletes it.
    pub fn put_object(&mut self, id: u32, content: &[u8]) -> Result<(), Status> {
        self.require_management()?;
        let id = ObjectId::new(id).ok_or(Status::DATA)?;
        if content.len() > OBJECT_LIMIT {
            return Err(Status::SPACE);
        }
        let before = self.objects.0.get(&id).map_or(0, |content| content.0.len());
        let factory = self.attestation.object().len();
        if factory + self.objects.size() - before + content.len() > STORE_LIMIT {
            return Err(Status::SPACE);
        }
        if content.is_empty() {
            self.objects.0.remove(&id);
        } else {
            self.objects.0.insert(id, Content(content.to_vec()));
        }
        Ok(())
    }
}
