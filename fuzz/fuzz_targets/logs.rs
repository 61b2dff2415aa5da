//! Logs of platforms, each format by the first byte: nothing that they say stops a reader, and what it finds is bounded.
#![no_main]

use std::ops::ControlFlow;

use breakglass::audit::reconcile::{Clock, Format, MOST_UNREADABLE, Mapping, Settings, read};
use breakglass::record::hash::Hash;
use libfuzzer_sys::fuzz_target;

const FORMATS: [Format; 6] =
    [Format::Ssh, Format::Journal, Format::Postgres, Format::Entra, Format::Windows, Format::Csv];

fuzz_target!(|data: &[u8]| {
    let Some((first, log)) = data.split_first() else { return };
    let mut clock = Clock::default();
    if first & 0x80 == 0 {
        clock.file_time = Some(1_795_262_400);
    } else {
        clock.year = Some(2026);
    }
    let mapping = Mapping::parse("time = 1\naccount = 2\nsource = 3\nsuccess = { column = 4, values = [\"1\"] }");
    let settings = Settings { clock, mapping: mapping.ok(), time_format: None };
    let lines = log.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let mut found = 0;
    let summary = read(FORMATS[usize::from(*first) % 6], settings, &mut &*log, &mut |sighting| {
        found += 1;
        assert!(sighting.account.len() <= 256 && sighting.raw.len() <= 1_024);
        assert!(sighting.from.is_none_or(|from| from.len() <= 256));
        ControlFlow::Continue(())
    })
    .expect("a slice can be read");
    assert_eq!(summary.hash, Hash::of(log));
    assert!(found + summary.unreadable <= summary.pieces);
    assert!(summary.first_unreadable.len() <= MOST_UNREADABLE);
    assert!(summary.first_unreadable.iter().all(|one| (1..=lines.max(1)).contains(&one.line)));
});
