//! Foreign bytes as a credential's description; and as its three texts.
#![no_main]

use breakglass::kit::sealed::{About, MAX_ABOUT_FILE};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(about) = About::parse(data) {
        hold(&about);
    }
    let mut texts = data.splitn(3, |byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    let mut next = || texts.next().unwrap_or_default();
    let about = About {
        platform: "platform".into(),
        account: "account".into(),
        user_name: next(),
        log_in_at: next(),
        runbook: next(),
    };
    if about.write().is_ok() {
        hold(&about);
    }
});

/// What can be written is read the same, whatever quotes are in it, and shows nothing that steers a terminal.
fn hold(about: &About) {
    let text = about.write().expect("what was read can be written");
    assert!(text.len() <= MAX_ABOUT_FILE);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    assert_eq!(About::parse(text.as_bytes()).as_ref(), Ok(about));
}
