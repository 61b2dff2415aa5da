//! ECS 8.17, as JSON. (<https://www.elastic.co/docs/reference/ecs>)

use serde_json::{Value, json};

use super::digest::{Act, Digest, Weight};
use super::identifier;
use super::text::time;
use crate::audit::finding::{Claim, Finding, Severity, Sort};
use crate::record::event::Event;

const VERSION: &str = "8.17.0";

fn observer() -> Value {
    json!({ "product": "breakglass-audit", "vendor": "breakglass", "version": env!("CARGO_PKG_VERSION"), "type": "audit" })
}

pub(super) fn record(digest: &Digest<'_>, raw: bool) -> String {
    let record = digest.record;
    let hash = record.hash().to_string();
    // What ECS expects beside the category iam.
    let kind = match digest.act {
        Act::Open => "info",
        Act::Create => "creation",
        Act::Read | Act::Other => "info",
        Act::Update => "change",
        Act::Delete => "deletion",
    };
    let severity = match digest.weight {
        Weight::Info => 1,
        Weight::Low => 2,
        Weight::Medium => 3,
        Weight::High => 4,
        Weight::Critical => 5,
    };
    let outcome = match &record.event {
        Event::OpenIntent(_) | Event::DrillBegun(_) => "unknown",
        Event::DrillEnded(facts) if !facts.proven => "failure",
        _ => "success",
    };
    let mut event = json!({
        "kind": "event", "category": ["iam"], "type": ["admin", kind], "action": record.event.name(), "outcome": outcome,
        "module": "breakglass", "dataset": "breakglass.record", "provider": record.iss, "severity": severity,
        "id": hash, "hash": hex::encode(record.hash().0), "sequence": record.link.seq,
    });
    if let Some(received) = time(digest.received) {
        event["created"] = received.into();
    }
    if let Some(reason) = digest.reason {
        event["reason"] = reason.into();
    }
    if raw {
        event["original"] = digest.raw().into();
    }
    let mut line = json!({
        "ecs": { "version": VERSION }, "message": digest.sentence, "event": event, "observer": observer(),
        "breakglass": {
            "kit": digest.kit, "chain": record.chain_name(), "seq": record.link.seq, "prev": record.link.prev,
            "serial": record.serial.to_string(), "key": record.kid, "incident": record.txn, "credential": digest.credential,
            "generation": digest.generation, "signature": digest.signature, "object": { "type": digest.kind, "name": digest.object },
        },
    });
    // A claimed time that no calendar holds gives way to the one that is known.
    line["@timestamp"] = time(record.iat).or_else(|| time(digest.received)).unwrap_or_default().into();
    let mut user = json!({});
    if let Some(operator) = digest.operator {
        user["name"] = operator.into();
    }
    if let Some((platform, account)) = digest.account() {
        user["target"] = json!({ "name": account, "domain": platform });
    }
    if user.as_object().is_some_and(|user| !user.is_empty()) {
        line["user"] = user;
    }
    line.to_string()
}

pub(super) fn finding(finding: &Finding, now: i64) -> String {
    let severity = match finding.severity {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    };
    let mut event = json!({
        "kind": if finding.sort == Sort::Wrong { "alert" } else { "event" },
        "category": ["iam"], "type": ["info"], "action": finding.rule,
        "module": "breakglass", "dataset": "breakglass.finding", "severity": severity, "id": identifier(finding),
    });
    if let Some(at) = finding.at.and_then(time) {
        event["start"] = at.into();
    }
    json!({
        "@timestamp": time(now).unwrap_or_default(), "ecs": { "version": VERSION }, "message": finding.text,
        "event": event, "observer": observer(), "rule": { "id": finding.rule, "name": finding.rule, "ruleset": "breakglass-audit" },
        "breakglass": {
            "kit": finding.kit, "incident": finding.incident, "sort": finding.sort, "records": finding.records,
            "claim": if finding.claim == Claim::Certain { "certain" } else { "possible" }, "next": finding.next,
        },
    })
    .to_string()
}
