//! The text of an event, as `Get-WinEvent` and the Event Viewer export it, in English: sections, and in them `Name: value`.

use super::Facts;

/// What that event's text says.
pub(super) fn facts(id: u64, message: &str) -> Facts {
    let section = match id {
        4624 => "New Logon:",
        4625 => "Account For Which Logon Failed:",
        4648 => "Account Whose Credentials Were Used:",
        4768 | 4771 => "Account Information:",
        _ => "",
    };
    let mut facts = Facts::default();
    let mut within = section.is_empty();
    for line in message.lines() {
        let line = line.trim();
        if line == section {
            within = true;
            continue;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match name {
            "Account Name" | "Logon Account" if within && facts.name.is_none() => {
                facts.set("TargetUserName", value);
            }
            "Account Domain" | "Supplied Realm Name" if within && facts.domain.is_none() => {
                facts.set("TargetDomainName", value);
            }
            "Source Network Address" | "Network Address" | "Client Address" => facts.set("IpAddress", value),
            "Workstation Name" | "Source Workstation" => facts.set("WorkstationName", value),
            "Result Code" | "Error Code" => facts.set("Status", value),
            _ => {}
        }
    }
    facts
}
