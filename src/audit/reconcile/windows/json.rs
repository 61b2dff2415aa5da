//! Events as JSON: `evtx_dump` (with either way of writing attributes), Winlogbeat (6 and later), `ConvertTo-Json` of
//! PowerShell, and flat objects as other shippers write them.

use serde_json::Value;

use super::{Facts, is_login, message, take, when};
use crate::audit::reconcile::clock::Clock;
use crate::audit::reconcile::reading::{Reader, Report};

/// Events as JSON.
pub(in super::super) struct Json {
    /// How times are written, where the auditor said.
    time_format: Option<String>,
}

impl Json {
    pub(in super::super) fn new(time_format: Option<String>) -> Self {
        Json { time_format }
    }
}

impl Reader for Json {
    fn piece(&mut self, line: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        let object: Value = match serde_json::from_slice(bytes) {
            Ok(object) => object,
            Err(error) => return report.unreadable(line, format!("no event: {error}")),
        };
        let Some(event) = Event::of(&object) else {
            return report.unreadable(line, "an object without the number and the time of an event");
        };
        let at = match when(&event.time, self.time_format.as_deref(), clock) {
            Ok(at) => at,
            Err(why) => return report.unreadable(line, why),
        };
        // Other logs use the same numbers for other things.
        let id = if event.security { event.id } else { 0 };
        let text = String::from_utf8_lossy(bytes);
        take((line, &text), id, at, event.host.as_deref(), &event.facts, report);
    }
}

struct Event {
    id: u64,
    time: String,
    host: Option<String>,
    security: bool,
    facts: Facts,
}

impl Event {
    fn of(object: &Value) -> Option<Self> {
        let event = object.get("Event").unwrap_or(object);
        if let Some(system) = event.get("System") {
            return Event::of_system(system, event.get("EventData"));
        }
        let winlog = object.get("winlog").unwrap_or(object);
        if let Some(data) = winlog.get("event_data").or_else(|| winlog.get("event_id").map(|_| &Value::Null))
        {
            return Event::of_beat(object, winlog, data);
        }
        Event::flat(object)
    }

    fn of_system(system: &Value, data: Option<&Value>) -> Option<Self> {
        let time =
            ["/TimeCreated/#attributes/SystemTime", "/TimeCreated/@SystemTime", "/TimeCreated/SystemTime"];
        let time = time.iter().find_map(|path| system.pointer(path));
        let time = time.or_else(|| system.pointer("/TimeCreated_attributes/SystemTime"))?;
        let channel = system.get("Channel").and_then(Value::as_str);
        Some(Event {
            id: number(system.get("EventID")?)?,
            time: time.as_str()?.to_owned(),
            host: system.get("Computer").and_then(text),
            security: channel.is_none_or(|channel| channel.eq_ignore_ascii_case("Security")),
            facts: data.map(of_data).unwrap_or_default(),
        })
    }

    fn of_beat(object: &Value, winlog: &Value, data: &Value) -> Option<Self> {
        let id = winlog.get("event_id").or_else(|| object.pointer("/event/code"))?;
        let time = winlog.get("time_created").or_else(|| object.get("@timestamp"))?;
        let host = winlog.get("computer_name").or_else(|| object.pointer("/host/name"));
        let channel = winlog.get("channel").or_else(|| winlog.get("log_name")).and_then(Value::as_str);
        Some(Event {
            id: number(id)?,
            time: time.as_str()?.to_owned(),
            host: host.and_then(text),
            security: channel.is_none_or(|channel| channel.eq_ignore_ascii_case("Security")),
            facts: of_data(data),
        })
    }

    fn flat(object: &Value) -> Option<Self> {
        let first = |names: &[&str]| names.iter().find_map(|name| object.get(*name));
        let id = number(first(&["EventID", "EventId", "Id", "EventCode"])?)?;
        let time = first(&["TimeCreated", "EventTime", "UtcTime", "@timestamp", "SystemTime"])?;
        let time = time.get("value").or_else(|| time.get("DateTime")).unwrap_or(time);
        let channel = first(&["Channel", "LogName"]).and_then(Value::as_str);
        let mut facts = of_data(object);
        if let Some(properties) = object.get("Properties").and_then(Value::as_array) {
            properties_of(id, properties, &mut facts);
        }
        if facts.is_empty() && is_login(id) {
            facts = message::facts(id, object.get("Message").and_then(Value::as_str).unwrap_or_default());
        }
        Some(Event {
            id,
            time: time.as_str()?.to_owned(),
            host: first(&["MachineName", "Computer", "Hostname"]).and_then(text),
            security: channel.is_none_or(|channel| channel.eq_ignore_ascii_case("Security")),
            facts,
        })
    }
}

/// The properties of `Get-WinEvent` have no names, only the order of the event's template.
fn properties_of(id: u64, properties: &[Value], facts: &mut Facts) {
    let order: &[(&str, usize)] = match id {
        4624 => &[("TargetUserName", 5), ("TargetDomainName", 6), ("WorkstationName", 11), ("IpAddress", 18)],
        4625 => &[("TargetUserName", 5), ("TargetDomainName", 6), ("WorkstationName", 13), ("IpAddress", 19)],
        4648 => &[("TargetUserName", 5), ("TargetDomainName", 6), ("IpAddress", 12)],
        4768 => &[("TargetUserName", 0), ("TargetDomainName", 1), ("Status", 6), ("IpAddress", 9)],
        4771 => &[("TargetUserName", 0), ("IpAddress", 6)],
        4776 => &[("TargetUserName", 1), ("Workstation", 2), ("Status", 3)],
        _ => &[],
    };
    for (name, index) in order {
        let Some(property) = properties.get(*index) else { continue };
        let value = property.get("Value").unwrap_or(property);
        match value.as_i64() {
            Some(status) => facts.set(name, &format!("{status:#x}")),
            None => facts.set(name, value.as_str().unwrap_or_default()),
        }
    }
}

/// Fields by name, or `Data` as a list of names and values.
pub(super) fn of_data(data: &Value) -> Facts {
    let mut facts = Facts::default();
    for (name, value) in data.as_object().into_iter().flatten() {
        if let Some(value) = text(value) {
            facts.set(name, &value);
        }
    }
    for one in data.get("Data").and_then(Value::as_array).into_iter().flatten() {
        let name = ["/@Name", "/Name", "/#attributes/Name"].iter().find_map(|path| one.pointer(path));
        let value = ["/#text", "/Value", "/Text"].iter().find_map(|path| one.pointer(path)).and_then(text);
        if let (Some(name), Some(value)) = (name.and_then(Value::as_str), value) {
            facts.set(name, &value);
        }
    }
    facts
}

fn number(value: &Value) -> Option<u64> {
    let value = value.get("#text").unwrap_or(value);
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn text(value: &Value) -> Option<String> {
    match value.get("#text").unwrap_or(value) {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
