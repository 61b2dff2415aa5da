//! Foreign bytes as what crosses a gap to be minted for: a public key as a line, in JSON or in a certificate request, a
//! certificate; as the certificate of an authority, out of a record; and as the short texts.
#![no_main]

use breakglass::mint::Label;
use breakglass::mint::jwt::{Binding, PublicJwk, TokenId, Uri, bare_url, public_key};
use breakglass::mint::ssh::{PublicLine, Source, agent_answer};
use breakglass::mint::x509::{Signed, SigningRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(line) = PublicLine::parse(data) {
        assert_eq!(PublicLine::parse(line.line().as_bytes()).as_ref(), Ok(&line));
    }
    if let Ok(key) = public_key(data) {
        assert_eq!(public_key(PublicJwk::of(&key).line().as_bytes()), Ok(key));
    }
    let _ = Binding::to_certificate(data);
    let _ = SigningRequest::parse(data);
    if let Ok(certificate) = Signed::from_der(data) {
        assert_eq!(Signed::from_der(&certificate.der()).ok(), Some(certificate));
    }
    let _ = agent_answer(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(label) = text.parse::<Label>() {
        assert_eq!(label.as_str(), text);
    }
    if let Ok(source) = text.parse::<Source>() {
        assert_eq!(source.to_string().parse::<Source>(), Ok(source));
    }
    if let Ok(uri) = text.parse::<Uri>() {
        assert!(uri.as_str().is_ascii());
    }
    if let Ok(id) = text.parse::<TokenId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(bare) = bare_url(text) {
        assert_eq!(bare_url(bare).ok(), Some(bare));
    }
});
