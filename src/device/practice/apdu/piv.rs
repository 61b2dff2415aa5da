//! The PIV instructions: parameters and data fields to operations of the model, results back to data fields.

use super::frame::Frame;
use super::tlv;
use super::{Status, Surroundings};
use crate::device::practice::slots::P256;
use crate::device::practice::{KeyReference, PolicyBytes, SimulatedKey, Which};

type Answer = Result<Vec<u8>, Status>;

/// What SELECT of the PIV application answers: application property template of a YubiKey.
pub(super) const GREETING: [u8; 19] = [
    0x61, 0x11, 0x4F, 0x06, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00, 0x79, 0x07, 0x4F, 0x05, 0xA0, 0x00, 0x00,
    0x03, 0x08,
];

const MANAGEMENT: u8 = 0x9B;

/// Answers one whole instruction (chaining undone).
pub(super) fn answer(key: &mut SimulatedKey, frame: &Frame<'_>, around: &Surroundings) -> Answer {
    let Frame { instruction, p1, p2, data, .. } = *frame;
    match instruction {
        0x20 => verify(key, p1, p2, data),
        0x24 => key.change(which(p1, p2)?, data).map(none),
        0x2C if which(p1, p2)? == Which::Pin => key.unblock(data).map(none),
        0x47 => generate(key, p2, data, around),
        0x87 if p2 == MANAGEMENT => management_authenticate(key, p1, data, around),
        0x87 => key_authenticate(key, p1, p2, data, around),
        0xCB if (p1, p2) == (0x3F, 0xFF) => {
            let (id, _) = object_id(data)?;
            Ok(tlv::element(0x53, &key.object(id)?))
        }
        0xDB if (p1, p2) == (0x3F, 0xFF) => {
            let (id, rest) = object_id(data)?;
            match tlv::next(rest) {
                Some((0x53, content, [])) => key.put_object(id, content).map(none),
                _ => Err(Status::DATA),
            }
        }
        0xF6 => move_key(key, p1, p2),
        0xF7 => metadata(key, p2),
        0xF8 => Ok(key.serial.0.to_be_bytes().to_vec()),
        0xF9 if p2 == 0 => key.attest(slot(p1)?, around),
        0xFA => key.set_retries(p1, p2).map(none),
        0xFB => key.reset().map(none),
        0xFD => {
            let firmware = key.profile.firmware();
            Ok(vec![firmware.major, firmware.minor, firmware.patch])
        }
        0xFE => import(key, p1, p2, data),
        0xFF => match (p1, p2) {
            (0xFF, 0xFF) => key.set_management_key(data, false).map(none),
            (0xFF, 0xFE) => key.set_management_key(data, true).map(none),
            _ => Err(Status::PARAMETERS),
        },
        0x2C | 0xCB | 0xDB => Err(Status::PARAMETERS),
        _ => Err(Status::INSTRUCTION),
    }
}

fn none((): ()) -> Vec<u8> {
    Vec::new()
}

fn slot(reference: u8) -> Result<KeyReference, Status> {
    KeyReference::new(reference).ok_or(Status::PARAMETERS)
}

fn which(p1: u8, p2: u8) -> Result<Which, Status> {
    if p1 == 0 { Which::from_reference(p2).ok_or(Status::PARAMETERS) } else { Err(Status::PARAMETERS) }
}

fn verify(key: &mut SimulatedKey, p1: u8, p2: u8, data: &[u8]) -> Answer {
    match (p1, p2, data) {
        (0x00, 0x80, []) => key.verified().map(none),
        (0x00, 0x80, pin) => key.verify(pin).map(none),
        (0xFF, 0x80, []) => {
            key.forget_pin();
            Ok(Vec::new())
        }
        _ => Err(Status::PARAMETERS),
    }
}

fn generate(key: &mut SimulatedKey, reference: u8, data: &[u8], around: &Surroundings) -> Answer {
    let reference = slot(reference)?;
    let Some((0xAC, template, [])) = tlv::next(data) else {
        return Err(Status::DATA);
    };
    let mut algorithm = None;
    let mut policy = PolicyBytes::default();
    for element in tlv::all(template).ok_or(Status::DATA)? {
        match element {
            (0x80, &[byte]) => algorithm = Some(byte),
            (0xAA, &[byte]) => policy.pin = Some(byte),
            (0xAB, &[byte]) => policy.touch = Some(byte),
            _ => return Err(Status::DATA),
        }
    }
    let public = key.generate(reference, algorithm.ok_or(Status::DATA)?, policy, around)?;
    Ok(tlv::element(0x7F49, &tlv::element(0x86, &public.to_sec1_bytes())))
}

fn import(key: &mut SimulatedKey, algorithm: u8, reference: u8, data: &[u8]) -> Answer {
    let reference = slot(reference)?;
    let mut scalar = None;
    let mut policy = PolicyBytes::default();
    for element in tlv::all(data).ok_or(Status::DATA)? {
        match element {
            (0x06, bytes) => scalar = Some(bytes),
            (0xAA, &[byte]) => policy.pin = Some(byte),
            (0xAB, &[byte]) => policy.touch = Some(byte),
            _ => return Err(Status::DATA),
        }
    }
    key.import(reference, algorithm, scalar.ok_or(Status::DATA)?, policy).map(|_| Vec::new())
}

/// GENERAL AUTHENTICATE with a slot: sign (81) or agree (85), never both.
fn key_authenticate(
    key: &mut SimulatedKey,
    algorithm: u8,
    reference: u8,
    data: &[u8],
    around: &Surroundings,
) -> Answer {
    let reference = slot(reference)?;
    if algorithm != P256 {
        return Err(Status::DATA);
    }
    let elements = template(data)?;
    let find = |tag| elements.iter().find(|element| element.0 == tag).map(|element| element.1);
    let result = match (find(0x82), find(0x81), find(0x85)) {
        (Some([]), Some(hash), None) => key.sign(reference, hash, around)?,
        (Some([]), None, Some(point)) => key.agree(reference, point, around)?.to_vec(),
        _ => return Err(Status::DATA),
    };
    Ok(tlv::element(0x7C, &tlv::element(0x82, &result)))
}

/// GENERAL AUTHENTICATE with 9B: 80 witness, 81 challenge, 82 response; an empty one asks for it.
fn management_authenticate(
    key: &mut SimulatedKey,
    algorithm: u8,
    data: &[u8],
    around: &Surroundings,
) -> Answer {
    let (tag, value) = match template(data)?.as_slice() {
        [(0x80, [])] => (0x80, key.witness(algorithm, around)?),
        [(0x81, [])] => (0x81, key.challenge(algorithm, around)?),
        [(0x80, witness), (0x81, challenge)] => {
            (0x82, key.answer_witness(algorithm, witness, challenge, around)?)
        }
        [(0x82, response)] => {
            key.check_response(algorithm, response, around)?;
            return Ok(Vec::new());
        }
        _ => return Err(Status::DATA),
    };
    Ok(tlv::element(0x7C, &tlv::element(tag, &value)))
}

fn template(data: &[u8]) -> Result<Vec<(u16, &[u8])>, Status> {
    match tlv::next(data) {
        Some((0x7C, template, [])) => tlv::all(template).ok_or(Status::DATA),
        _ => Err(Status::DATA),
    }
}

/// The object named by the leading `5C`, and what follows it.
fn object_id(data: &[u8]) -> Result<(u32, &[u8]), Status> {
    match tlv::next(data) {
        Some((0x5C, id @ ([_] | [_, _] | [_, _, _]), rest)) => {
            Ok((id.iter().fold(0, |id, &byte| id << 8 | u32::from(byte)), rest))
        }
        _ => Err(Status::DATA),
    }
}

fn move_key(key: &mut SimulatedKey, to: u8, from: u8) -> Answer {
    let from = slot(from)?;
    let to = if to == 0xFF { None } else { Some(slot(to)?) };
    key.move_key(from, to).map(none)
}

/// GET METADATA: of PIN, PUK, management key or a key. No YubiKey 5 without a fingerprint reader has 96.
fn metadata(key: &SimulatedKey, reference: u8) -> Answer {
    if let Some(which) = Which::from_reference(reference) {
        let reference = key.reference(which);
        return Ok([
            tlv::element(0x01, &[0xFF]),
            tlv::element(0x05, &[u8::from(reference.factory)]),
            tlv::element(0x06, &[reference.total, reference.left]),
        ]
        .concat());
    }
    if reference == MANAGEMENT {
        let management = key.management();
        let algorithm = management.algorithm().ok_or(Status::INTERNAL)? as u8;
        return Ok([
            tlv::element(0x01, &[algorithm]),
            tlv::element(0x02, &[0, if management.touch { 2 } else { 1 }]),
            tlv::element(0x05, &[u8::from(management.factory)]),
        ]
        .concat());
    }
    if reference == 0xF9 {
        let public = key.attestation().public();
        return Ok(key_metadata((1, 1), 2, &public));
    }
    let slot = KeyReference::new(reference).and_then(|reference| key.key(reference));
    let slot = slot.ok_or(Status::REFERENCE)?;
    Ok(key_metadata(slot.policy(), slot.origin as u8, &slot.public()))
}

fn key_metadata((pin, touch): (u8, u8), origin: u8, public: &p256::PublicKey) -> Vec<u8> {
    [
        tlv::element(0x01, &[P256]),
        tlv::element(0x02, &[pin, touch]),
        tlv::element(0x03, &[origin]),
        tlv::element(0x04, &tlv::element(0x86, &public.to_sec1_bytes())),
    ]
    .concat()
}
