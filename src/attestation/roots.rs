//! Who may vouch for a device certificate: Yubico, a kit's own root, or the practice root.

use std::sync::LazyLock;

use x509_cert::name::Name;

use super::certificate::{Certificate, fingerprint, readable, same_name};
use super::error::{AttestationError, Part};
use super::pem::pem_or_der;

/// Where a verified chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// One of Yubico's, by its subject.
    Yubico(String),
    /// The one that a real kit names in its founding record, by the SHA-256 of its DER in hexadecimal.
    Private(String),
    /// That of practice keys, by the SHA-256 of its DER in hexadecimal: these are no keys at all.
    Practice(String),
}

/// The roots that a kit accepts. A real kit never accepts the practice root and a practice kit nothing else; there is
/// no way to make one that does both.
#[derive(Debug, Clone)]
pub struct Roots {
    yubico: bool,
    named: Option<(Certificate, Root)>,
}

impl Roots {
    /// A real kit's: Yubico's pinned ones, and the private root (DER) that its founding record names, if any.
    ///
    /// # Errors
    /// The private root cannot be decoded, is no authority, or has the name of one of Yubico's certificates.
    pub fn real(private: Option<&[u8]>) -> Result<Self, AttestationError> {
        let named = private.map(|der| named(der, Root::Private)).transpose()?;
        Ok(Roots { yubico: true, named })
    }

    /// A practice kit's: the practice root (DER) and no other.
    ///
    /// # Errors
    /// As for [`Roots::real`].
    pub fn practice(der: &[u8]) -> Result<Self, AttestationError> {
        Ok(Roots { yubico: false, named: Some(named(der, Root::Practice)?) })
    }

    /// The certificate that bears `name`, if it is accepted.
    pub(super) fn find(&self, name: &Name) -> Option<Anchor<'_>> {
        if let Some((certificate, root)) = &self.named
            && same_name(certificate.subject(), name)
        {
            return Some(Anchor { certificate, root: Some(root.clone()), kind: Kind::Named });
        }
        let pinned =
            YUBICO.iter().filter(|_| self.yubico).find(|p| same_name(p.certificate.subject(), name))?;
        let certificate = &pinned.certificate;
        let root = same_name(certificate.subject(), certificate.issuer())
            .then(|| Root::Yubico(readable(certificate.subject())));
        Some(Anchor { certificate, root, kind: pinned.kind })
    }
}

fn named(der: &[u8], root: fn(String) -> Root) -> Result<(Certificate, Root), AttestationError> {
    let certificate = Certificate::decode(Part::Root, der)?;
    let subject = readable(certificate.subject());
    if YUBICO.iter().any(|pinned| same_name(pinned.certificate.subject(), certificate.subject())) {
        return Err(AttestationError::RootName { subject });
    }
    if certificate.authority()?.is_none() {
        return Err(AttestationError::NotAuthority { subject });
    }
    certificate.public_key()?;
    Ok((certificate, root(fingerprint(der))))
}

/// An accepted certificate on the way up.
pub(super) struct Anchor<'a> {
    pub(super) certificate: &'a Certificate,
    /// Set if the way ends here.
    pub(super) root: Option<Root>,
    pub(super) kind: Kind,
}

/// What an anchor may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Yubico's two roots of firmware 4 to 5.7.3, which also signed device certificates without basic constraints.
    YubicoUntil573,
    /// Yubico's hierarchy since firmware 5.7.4.
    YubicoSince574,
    /// A kit's own root.
    Named,
}

struct Pinned {
    certificate: Certificate,
    kind: Kind,
}

static YUBICO: LazyLock<Vec<Pinned>> = LazyLock::new(|| {
    let decode = |(_, pem, kind): &(&str, &[u8], Kind)| {
        let der = pem_or_der(pem).expect("the test `pinned_certificates_are_those_of_yubico` decodes each");
        let certificate = Certificate::decode(Part::Root, &der).expect("the same test decodes each");
        Pinned { certificate, kind: *kind }
    };
    PINNED.iter().map(decode).collect()
});

/// SHA-256 of the DER as Yubico published it (developers.yubico.com/PKI), the file here, and what it may sign. Of the
/// two twins of root 263751, this is the one with path length 1; the intermediates are carried because a key stores
/// only its own certificate.
const PINNED: [(&str, &[u8], Kind); 8] = [
    (
        "63ece914e54dd87915f34033c85af4c0696ba1512f8add66ced738331207b546",
        include_bytes!("roots/piv-root-263751.pem"),
        Kind::YubicoUntil573,
    ),
    (
        "0fa1386f80eb8713263ae5c1d84deb455bdf08aea50ab05503cefee82b092d42",
        include_bytes!("roots/u2f-root-457200631.pem"),
        Kind::YubicoUntil573,
    ),
    (
        "62760c6a6ef91679f454c8902b80fd009825b3f25da90f1fbace2ec6586cd5a8",
        include_bytes!("roots/attestation-root-1.pem"),
        Kind::YubicoSince574,
    ),
    (
        "4698a1d3389c3ec60016c216250f1d0439922832d65142327436376dc2942b55",
        include_bytes!("roots/attestation-intermediate-a-1.pem"),
        Kind::YubicoSince574,
    ),
    (
        "d4cc3f456fdaf4e7812a21aab1dfe9d8e27d24e2fd2d6f21c9940109f0daa754",
        include_bytes!("roots/attestation-intermediate-b-1.pem"),
        Kind::YubicoSince574,
    ),
    (
        "6de693f05376f5d8ca29069261e1c8626c75d503bd2edbfd75354cad1f722870",
        include_bytes!("roots/piv-attestation-a-1.pem"),
        Kind::YubicoSince574,
    ),
    (
        "2d55b7998f4e42569d6d8fa382b6dc77d1dacf07358b19701163892922b17052",
        include_bytes!("roots/piv-attestation-b-1.pem"),
        Kind::YubicoSince574,
    ),
    (
        "0c90b7d184a36edf50a35f9be935f0c5689bfdcfe5bdd073366cafb49061a440",
        include_bytes!("roots/piv-attestation-b2-1.pem"),
        Kind::YubicoSince574,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_certificates_are_those_of_yubico() {
        for (sha256, pem, _) in &PINNED {
            let der = pem_or_der(pem).unwrap();
            assert_eq!(fingerprint(&der), *sha256);
            Certificate::decode(Part::Root, &der).unwrap();
        }
    }

    /// Real certificates of only one of the three newest issuers are at hand, so all three are walked up from here.
    #[test]
    fn every_issuer_of_device_certificates_leads_to_a_root_within_its_limits() {
        let roots = Roots::real(None).unwrap();
        let issuers = YUBICO.iter().filter(|p| readable(p.certificate.subject()).contains("PIV"));
        let mut walked = 0;
        for pinned in issuers {
            let mut certificate = &pinned.certificate;
            // One device certificate is below it.
            for below in 1..=4u8 {
                let allowed = certificate.authority().unwrap().expect("it is an authority");
                assert!(
                    allowed.is_some_and(|allowed| allowed >= below),
                    "{}",
                    readable(certificate.subject())
                );
                let anchor = roots.find(certificate.issuer()).expect("its issuer is pinned too");
                certificate.check_signed_by(anchor.certificate).unwrap();
                if same_name(certificate.subject(), certificate.issuer()) {
                    assert!(anchor.root.is_some());
                    walked += 1;
                    break;
                }
                certificate = anchor.certificate;
            }
        }
        assert_eq!(walked, 4, "PIV Root 263751 and PIV Attestation A 1, B 1, B2 1");
    }

    #[test]
    fn no_two_pinned_certificates_share_a_name() {
        for (index, pinned) in YUBICO.iter().enumerate() {
            let twin = |other: &&Pinned| same_name(other.certificate.subject(), pinned.certificate.subject());
            assert_eq!(YUBICO[index..].iter().filter(twin).count(), 1);
        }
    }

    #[test]
    fn a_private_root_cannot_take_a_name_of_yubico() {
        let der = pem_or_der(PINNED[0].1).unwrap();
        assert!(matches!(Roots::real(Some(&der)), Err(AttestationError::RootName { .. })));
        assert!(matches!(Roots::practice(&der), Err(AttestationError::RootName { .. })));
    }
}
