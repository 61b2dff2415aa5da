//! OCSF 1.4: openings are Authorize Session (3003), everything else of a kit Entity Management (3004), findings Detection
//! Finding (2004). (<https://schema.ocsf.io>)

use serde_json::{Value, json};

use super::digest::{Act, Digest, Weight};
use super::identifier;
use super::text::{millis, time};
use crate::audit::finding::{Claim, Finding, Severity, Sort};

/// The first version that has every attribute used here.
const VERSION: &str = "1.4.0";

fn product() -> Value {
    json!({ "name": "breakglass-audit", "vendor_name": "breakglass", "version": env!("CARGO_PKG_VERSION") })
}

fn weight(weight: Weight) -> (u8, &'static str) {
    match weight {
        Weight::Info => (1, "Informational"),
        Weight::Low => (2, "Low"),
        Weight::Medium => (3, "Medium"),
        Weight::High => (4, "High"),
        Weight::Critical => (5, "Critical"),
    }
}

/// Class and activity, each with its name.
fn class(act: Act) -> ((u32, &'static str), (u32, &'static str)) {
    let entity = (3004, "Entity Management");
    match act {
        Act::Open => ((3003, "Authorize Session"), (1, "Assign Privileges")),
        Act::Create => (entity, (1, "Create")),
        Act::Read => (entity, (2, "Read")),
        Act::Update => (entity, (3, "Update")),
        Act::Delete => (entity, (4, "Delete")),
        Act::Other => (entity, (99, "Other")),
    }
}

pub(super) fn record(digest: &Digest<'_>, raw: bool) -> String {
    let record = digest.record;
    let hash = record.hash().to_string();
    let ((class_uid, class_name), (activity_id, activity_name)) = class(digest.act);
    // Where it is another than the schema's, its name is ours.
    let activity_name = if activity_id == 99 { record.event.name() } else { activity_name };
    let (severity_id, severity) = weight(digest.weight);
    let mut metadata = json!({
        "version": VERSION, "product": product(), "profiles": ["host"], "uid": hash, "sequence": record.link.seq,
        "event_code": record.event.name(), "log_name": record.chain_name(), "log_provider": record.iss,
        "logged_time": millis(digest.received),
    });
    if let Some(original) = time(record.iat) {
        metadata["original_time"] = original.into();
    }
    if let Some(incident) = &record.txn {
        metadata["correlation_uid"] = incident.as_str().into();
    }
    let mut event = json!({
        "category_uid": 3, "category_name": "Identity & Access Management",
        "class_uid": class_uid, "class_name": class_name,
        "activity_id": activity_id, "activity_name": activity_name, "type_uid": class_uid * 100 + activity_id,
        "severity_id": severity_id, "severity": severity,
        "time": millis(record.iat), "message": digest.sentence, "metadata": metadata,
        "unmapped": {
            "kit": digest.kit, "chain": record.chain_name(), "seq": record.link.seq, "prev": record.link.prev,
            "serial": record.serial, "signature": digest.signature, "sha256": hex::encode(record.hash().0),
            "incident": record.txn, "reason": digest.reason, "generation": digest.generation,
        },
    });
    if digest.act == Act::Open {
        let (platform, account) = digest.account().unwrap_or_default();
        event["user"] = json!({ "name": account, "domain": platform, "uid": digest.credential, "type_id": 2, "type": "Admin" });
        event["privileges"] = json!([format!("break-glass: {}", digest.object)]);
        // An intent without its release may have been disclosed all the same.
        let released = record.event.name() == "open.released";
        event["status_id"] = if released { 1 } else { 0 }.into();
        event["status"] = if released { "Success" } else { "Unknown" }.into();
    } else {
        let mut entity = json!({ "type": digest.kind, "name": digest.object, "uid": digest.object });
        if let Some(generation) = digest.generation {
            entity["version"] = generation.to_string().into();
        }
        event["entity"] = entity;
        if let Some(reason) = digest.reason {
            event["comment"] = reason.into();
        }
    }
    if let Some(operator) = digest.operator {
        event["actor"] = json!({ "user": { "name": operator } });
    }
    if raw {
        event["raw_data"] = digest.raw().into();
    }
    event.to_string()
}

pub(super) fn finding(finding: &Finding, now: i64) -> String {
    let uid = identifier(finding).to_string();
    let (severity_id, severity) = match finding.severity {
        Severity::Info => weight(Weight::Info),
        Severity::Low => weight(Weight::Low),
        Severity::Medium => weight(Weight::Medium),
        Severity::High => weight(Weight::High),
        Severity::Critical => weight(Weight::Critical),
    };
    let (confidence_id, confidence) = match finding.claim {
        Claim::Certain => (3, "High"),
        Claim::Possible => (1, "Low"),
    };
    let related: Vec<Value> =
        finding.records.iter().map(|hash| json!({ "uid": hash, "type": "signed record" })).collect();
    let mut event = json!({
        "category_uid": 2, "category_name": "Findings",
        "class_uid": 2004, "class_name": "Detection Finding",
        "activity_id": 1, "activity_name": "Create", "type_uid": 200_401,
        "severity_id": severity_id, "severity": severity, "confidence_id": confidence_id, "confidence": confidence,
        "status_id": 1, "status": "New", "is_alert": finding.sort == Sort::Wrong,
        "time": millis(now), "message": finding.text,
        "metadata": { "version": VERSION, "product": product(), "uid": uid, "event_code": finding.rule },
        "finding_info": {
            "uid": uid, "title": finding.rule, "desc": finding.text, "types": [finding.sort], "created_time": millis(now),
            "related_events": related,
            "analytic": { "name": finding.rule, "uid": finding.rule, "type_id": 1, "type": "Rule" },
        },
        "unmapped": { "sort": finding.sort, "kit": finding.kit, "incident": finding.incident },
    });
    if let Some(at) = finding.at {
        event["start_time"] = millis(at).into();
    }
    if let Some(incident) = &finding.incident {
        event["metadata"]["correlation_uid"] = incident.as_str().into();
    }
    if let Some(kit) = &finding.kit {
        event["resources"] = json!([{ "type": "kit", "uid": kit }]);
    }
    if let Some(next) = &finding.next {
        event["remediation"] = json!({ "desc": next });
    }
    event.to_string()
}
