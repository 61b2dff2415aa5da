use super::*;
use crate::record::bundle::{Bundle, End, unbundle};
use crate::record::chain::{Chain, Depth};
use crate::record::packed::pack;
use crate::record::sample::Writer;

/// A bundle of two keys, ended by a record of its export.
fn bundle() -> Vec<u8> {
    let (mut one, mut two) = (Writer::founder(1), Writer::founder(2));
    one.open(3);
    two.open(2);
    let chain = |writer: &Writer| Chain::read(&writer.name(), &writer.journal(), Depth::Links);
    let bundle = Bundle::of([&chain(&one), &chain(&two)]);
    let record = one.write(Event::Exported(bundle.exported()));
    bundle.end(&record).unwrap()
}

fn parts(bytes: &[u8], count: usize) -> Vec<Vec<u8>> {
    let mut encoder = ur::Encoder::bytes(&pack(bytes), 200).unwrap();
    (0..count).map(|_| encoder.next_part().unwrap().to_uppercase().into_bytes()).collect()
}

#[test]
fn a_bundle_comes_whole_though_a_third_of_the_codes_was_missed() {
    let bundle = bundle();
    let all = parts(&bundle, 120);
    let mut codes = Codes::default();
    for (index, part) in all.iter().enumerate().filter(|(index, _)| index % 3 != 1) {
        assert!(codes.text(part.clone()), "{index}");
        assert!(!codes.text(part.clone()));
    }
    assert!(codes.nearest().is_some_and(|(known, of)| known == of));
    assert_eq!(codes.finish(), FromCodes { bundles: vec![bundle], ..FromCodes::default() });
}

#[test]
fn two_bundles_at_once_are_kept_apart() {
    let one = bundle();
    let mut writer = Writer::founder(7);
    writer.open(4);
    let two = writer.journal();
    let mut codes = Codes::default();
    for (a, b) in parts(&one, 60).into_iter().zip(parts(&two, 60)) {
        codes.text(a);
        codes.text(b);
    }
    let mut from = codes.finish();
    from.bundles.sort();
    let mut expected = vec![one, two];
    expected.sort();
    assert_eq!(from, FromCodes { bundles: expected, ..FromCodes::default() });
}

#[test]
fn what_is_missing_is_told() {
    let mut codes = Codes::default();
    assert_eq!(codes.nearest(), None);
    for part in parts(&bundle(), 3) {
        codes.text(part);
    }
    assert!(matches!(codes.nearest(), Some((3, of)) if of > 5), "{:?}", codes.nearest());
    codes.text(b"https://example.org/menu".to_vec());
    codes.text(b"UR:BYTES/1-999999999/AEADAOLAZMJENDEOTI".to_vec());
    let from = codes.finish();
    assert!(from.bundles.is_empty());
    assert!(matches!(from.incomplete[..], [(3, of)] if of > 5), "{from:?}");
    assert_eq!(from.strangers, 2);
}

#[test]
fn printed_records_make_the_bundle_again_in_whatever_order_they_were_read() {
    let bundle = bundle();
    let mut codes = Codes::default();
    for line in bundle.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).rev() {
        codes.text(line.to_vec());
    }
    let from = codes.finish();
    assert_eq!(from.bundles, [bundle]);
    assert!(from.together && from.ended && from.complete());
    assert!(matches!(unbundle(&from.bundles[0]).end, End::Whole(_)));
}

#[test]
fn printed_records_of_which_one_was_missed_say_of_how_many() {
    let bundle = bundle();
    let lines: Vec<&[u8]> = bundle.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let all = lines.len() as u64;
    for missed in 0..lines.len() - 1 {
        let mut codes = Codes::default();
        for (_, line) in lines.iter().enumerate().filter(|(at, _)| *at != missed) {
            codes.text(line.to_vec());
        }
        let from = codes.finish();
        assert_eq!(from.short, Some((all - 1, all)), "without line {missed}");
        assert!(!from.complete());
        // What ends it says which export it is of.
        assert!(from.bundles[0].trim_ascii_end().ends_with(lines[lines.len() - 1]), "without line {missed}");
    }
    let mut codes = Codes::default();
    lines[..lines.len() - 1].iter().for_each(|line| assert!(codes.text(line.to_vec())));
    let from = codes.finish();
    assert!(from.together && !from.ended && from.short.is_none(), "nothing says how many");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(bytes: Vec<u8>, text: String) {
        let mut codes = Codes::default();
        codes.text(bytes);
        codes.text(format!("ur:bytes/{text}").into_bytes());
        let _ = codes.finish();
    }
}
