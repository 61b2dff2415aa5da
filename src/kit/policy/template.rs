//! The `kit.toml` that `init` writes, commented for whoever fills it in.

use crate::record::event::KitKind;

/// A policy with the simplest values, and everything else as comments.
pub fn template(name: &str, kind: KitKind) -> String {
    let kind = match kind {
        KitKind::Real => "real",
        KitKind::Practice => "practice",
    };
    format!(
        r#"# Policy of this kit. It has effect only once adopted:  breakglass policy adopt
# (founding the kit with its first key adopts it, too).

name = {name:?}
kind = "{kind}"                      # "real" or "practice"; fixed once the kit is founded
issuer = "https://example.org/breakglass"   # your organisation's URL; `iss` of every record
quorum = 2                           # how many admitted keys must sign a change of keys or policy

# What counts as an emergency. An opening names one of these.
emergencies = ["pam-outage", "mfa-outage", "network-outage", "attack", "lockout"]

# What opening asks of each key. Without this line: of each key what it has, FIDO2 beside PIV.
# factors = ["piv", "fido2"]

# What keys are made to mint when they are provisioned: short-lived credentials that do not exist before the emergency.
# Each kind takes a slot of the key (83, 84, 85) and is of use only where platforms trust it in advance.
# mints = ["ssh", "x509", "token"]

# How long an opening is granted, how old a sealing may be before somebody reviews it, how often keys are drilled:
# grant = "1h"
# review-every = "365d"
# drill-every = "90d"

# Whether a credential is rotated once it was opened. To waive that takes both lines:
# rotate-after-use = false
# rotate-waived = "why"

# What was opened for an incident that nobody else has reviewed opens again only with a word on record:
# review-before-reopen = true

# Whether others say yes before an opening: "none", "notify" (approvers are told afterwards), or how many approvers, never
# the one who asks, must sign a request first. Where they cannot be reached an operator may go on, if the second line says so:
# approval = "notify"
# open-unapproved = true

# A private attestation root, only if your organisation certifies its own keys in slot F9:
# attestation-root = """-----BEGIN CERTIFICATE----- …"""

# Who may do what: custodian, operator, approver, auditor; which keys they keep, e.g. keys = [23112]
[[person]]
name = "ada"
roles = ["operator", "custodian"]
contact = ""

# Groups that must each be among the signers of a change, beside the number above:
# [[quorum-group]]
# name = "security"
# people = ["ada"]                   # the keys that they keep; or keys = [23112, 23115]
# needs = 1

# What differs for one credential, or for all of a platform ("core-db/*"); any of these lines:
# [[credential]]
# name = "core-db/root"
# emergencies = ["pam-outage"]       # which of the above justify opening it
# grant = "2h"
# review-every = "180d"
# rotate-after-use = false
# rotate-waived = "why"
# approval = "notify"
# open-unapproved = true

# What may be minted, with everything that it will say; "ssh", "x509", "token" and, by
# the key for tokens, "assertion" each have lines of their own:
# [[mint]]
# name = "jump-hosts"
# kind = "ssh"
# emergencies = ["pam-outage"]       # which of the above justify it
# operators = ["ada"]                # without this line: every operator
# longest = "15m"
# principals = ["breakglass"]        # as whom; the hosts list them for the account
# sources = ["192.0.2.0/24"]
# command = "journalctl -n 100"      # the one command that runs
# terminal = true

# Each platform has a primary and a backup credential, unless it is waived; and what to check on it after sealing:
# [[platform]]
# name = "core-db"
# backup-waived = "why"
# checklist = ["exempt from MFA and conditional access", "alert on login is set"]

# Where each key lies. Filled in as keys are provisioned.
# [[key]]
# serial = 23112
# place = "safe A"
# bag = "0417"
# puk = "carol"                      # who holds its PUK
"#
    )
}
