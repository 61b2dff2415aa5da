use proptest::prelude::*;

use super::*;
use crate::kit::request::tests::asked;
use crate::record::sample::Writer;

/// A founder that has written `before` records more and then approves.
fn approved(before: usize) -> (Request, Writer) {
    let mut writer = Writer::founder(1);
    let mut asked = asked();
    asked.kit = writer.kit.unwrap();
    asked.incident = "2026-11-21-database-down".into(); // of every sample record
    let request = Request::of(asked).unwrap();
    writer.open(before);
    writer.write(Event::RequestApproved(facts(&request, "bob")));
    (request, writer)
}

#[test]
fn a_request_and_the_newest_records_are_lines_of_one_file() {
    for (before, lines) in [(0, 3), (3, 6), (20, 9)] {
        let (request, writer) = approved(before);
        let approval = Approval::of(request.clone(), &writer.records).unwrap();
        let bytes = approval.bytes();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), lines);
        assert!(bytes.starts_with(request.bytes()));
        assert_eq!(approval.record(), writer.records.last().unwrap());
        assert_eq!(approval.facts().approver, "bob");
        assert_eq!(Approval::parse(&bytes).unwrap(), approval);
        let other_ends = String::from_utf8(bytes).unwrap().trim_end().replace('\n', "\r\n");
        assert_eq!(Approval::parse(other_ends.as_bytes()).unwrap(), approval);
    }
}

#[test]
fn what_is_no_approval_says_why() {
    let (request, writer) = approved(2);
    let approval = Approval::of(request.clone(), &writer.records).unwrap();
    let bytes = approval.bytes();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let says = |bytes: &[u8]| Approval::parse(bytes).unwrap_err().to_string();
    assert_eq!(says(lines[0]), "this is a request that nobody has approved yet");
    assert!(says(b"").starts_with("line 1: not a request"), "{}", says(b""));
    assert_eq!(says(&[lines[0], lines[1]].concat()), "its last record is not the approval of its request");
    assert_eq!(
        says(&[lines[0], lines[1], lines[4]].concat()),
        "line 3 does not follow the line before on one key's chain"
    );
    assert!(says(&[lines[0], b"x\n"].concat()).starts_with("line 2: "));
    assert_eq!(says(&[&bytes[..], &lines[4].repeat(5)].concat()), "1 to 8 records follow the request, not 9");
    assert_eq!(says(&vec![b'x'; READ_CAP + 1]), "longer than 65536 bytes");
    // The approval of another request, which says almost the same.
    let mut other = request.asked.clone();
    other.number = "other".into();
    let other = Request::of(other).unwrap();
    let mixed = [other.bytes(), b"\n", lines[4]].concat();
    assert_eq!(says(&mixed), "its last record is not the approval of its request");
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read_as_they_are(bytes: Vec<u8>) {
        if let Ok(approval) = Approval::parse(&bytes) {
            prop_assert_eq!(Approval::parse(&approval.bytes()).unwrap(), approval);
        }
    }

    #[test]
    fn any_change_is_refused_or_breaks_the_signature(at: prop::sample::Index, byte: u8) {
        let (request, writer) = approved(1);
        let approval = Approval::of(request, &writer.records).unwrap();
        let mut bytes = approval.bytes();
        let at = at.index(bytes.len() - 1);
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        if let Ok(other) = Approval::parse(&bytes) {
            prop_assert!(other == approval || other.record().verify(&writer.verifying_key()).is_err());
        }
    }
}
