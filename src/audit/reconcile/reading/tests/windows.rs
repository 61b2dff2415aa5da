//! Windows security events in each form that they are exported in.

use super::*;

const DATA: &str = r#""TargetUserName":"bg-admin","TargetDomainName":"EXAMPLE","LogonType":3,"IpAddress":"192.0.2.7","WorkstationName":"JUMP1""#;

fn of(log: &str) -> (Vec<Row>, Summary) {
    rows(Format::Windows, Settings::default(), log.as_bytes())
}

#[test]
fn evtx_dump_in_both_ways_and_after_its_headings() {
    let expected = [row(1, 0, "EXAMPLE\\bg-admin", "192.0.2.7", true)];
    let attributes = format!(
        r##"{{"Event":{{"#attributes":{{"xmlns":"x"}},"System":{{"EventID":{{"#attributes":{{"Qualifiers":""}},"#text":4624}},"TimeCreated":{{"#attributes":{{"SystemTime":"2026-11-21T12:00:00.1234567Z"}}}},"Channel":"Security","Computer":"DC1"}},"EventData":{{{DATA}}}}}}}"##
    );
    let separate = format!(
        r#"{{"Event":{{"System":{{"EventID":4624,"TimeCreated_attributes":{{"SystemTime":"2026-11-21T12:00:00Z"}},"Channel":"Security","Computer":"DC1"}},"EventData":{{{DATA}}}}},"Event_attributes":{{}}}}"#
    );
    let xml = r##"{"Event":{"System":{"EventID":"4624","TimeCreated":{"@SystemTime":"2026-11-21T12:00:00Z"},"Computer":"DC1"},"EventData":{"Data":[{"@Name":"TargetUserName","#text":"bg-admin"},{"@Name":"TargetDomainName","#text":"EXAMPLE"},{"@Name":"IpAddress","#text":"::ffff:192.0.2.7"}]}}}"##;
    for log in [&attributes, &separate, xml] {
        let (found, summary) = of(log);
        assert_eq!(found, expected, "{log}");
        assert_eq!(summary.unreadable, 0);
    }
    let (found, summary) = of(&format!("Record 1\n{attributes}\nRecord 2\n{attributes}\n"));
    assert_eq!((found.len(), found[1].0, summary.unreadable), (2, 4, 0));
}

#[test]
fn winlogbeat_shippers_and_powershell() {
    let beat = format!(
        r#"{{"@timestamp":"2026-11-21T12:00:00.000Z","event":{{"code":"4625","outcome":"failure"}},"host":{{"name":"DC1"}},"winlog":{{"channel":"Security","event_id":"4625","computer_name":"DC1","event_data":{{{DATA}}}}}}}"#
    );
    let (found, _) = of(&beat);
    assert_eq!(found, [row(1, 0, "EXAMPLE\\bg-admin", "192.0.2.7", false)]);
    let flat = format!(
        r#"{{"EventTime":"2026-11-21 12:00:00","EventID":4648,"Hostname":"DC1","Channel":"Security",{DATA}}}"#
    );
    let (found, summary) = of(&flat);
    assert_eq!(found, [row(1, 0, "EXAMPLE\\bg-admin", "192.0.2.7", true)]);
    assert_eq!(summary.notes.len(), 1);
    let mut properties = vec![r#"{"Value":"-"}"#; 20];
    properties[5] = r#"{"Value":"bg-admin"}"#;
    properties[18] = r#"{"Value":"192.0.2.7"}"#;
    let shell = format!(
        r#"[{{"Id":4624,"TimeCreated":"\/Date(1795262400000)\/","MachineName":"DC1","LogName":"Security","Properties":[{}]}}]"#,
        properties.join(",")
    );
    let (found, _) = of(&shell);
    assert_eq!(found, [row(1, 0, "bg-admin", "192.0.2.7", true)]);
}

#[test]
fn the_channel_is_spelled_as_whoever_ships_it_does() {
    for (channel, logins) in [("security", 1), ("SECURITY", 1), ("Application", 0)] {
        let (found, _) = of(&format!(
            r#"{{"EventTime":"2026-11-21 12:00:00","EventID":4624,"Channel":"{channel}",{DATA}}}"#
        ));
        assert_eq!(found.len(), logins, "{channel}");
        let (found, _) = of(&format!(
            "EventID,EventTime,Channel,TargetUserName\n4624,2026-11-21 12:00:00,{channel},bg-admin\n"
        ));
        assert_eq!(found.len(), logins, "{channel}");
    }
}

#[test]
fn a_domain_controller_says_whether_it_was_good() {
    let event = |id: u16, status: &str| {
        let facts = format!(r#"{{"TargetUserName":"bg-admin","Status":"{status}","Workstation":"JUMP1"}}"#);
        format!(
            r#"{{"Event":{{"System":{{"EventID":{id},"TimeCreated":{{"SystemTime":"2026-11-21T12:00:00Z"}}}},"EventData":{facts}}}}}"#
        )
    };
    for (id, status, success) in [
        (4768, "0x0", true),
        (4768, "0x6", false),
        (4776, "0x0", true),
        (4776, "0xc000006a", false),
        (4771, "0x18", false),
    ] {
        let (found, _) = of(&event(id, status));
        assert_eq!(found, [row(1, 0, "bg-admin", "JUMP1", success)], "{id} {status}");
    }
    let (found, summary) = of(&event(4634, "0x0"));
    assert!(found.is_empty() && summary.from_to.is_some(), "a logoff covers its time and is no login");
}

#[test]
fn the_same_number_in_another_log_is_another_thing() {
    let (found, summary) = of(
        r#"{"Event":{"System":{"EventID":4625,"Channel":"Application","TimeCreated_attributes":{"SystemTime":"2026-11-21T12:00:00Z"}},"EventData":{"param1":"86400"}}}"#,
    );
    assert!(found.is_empty() && summary.unreadable == 0);
    let (_, summary) = of(
        r#"{"Event":{"System":{"EventID":4625,"Channel":"Security","TimeCreated_attributes":{"SystemTime":"2026-11-21T12:00:00Z"}}}}"#,
    );
    assert_eq!(summary.first_unreadable[0].why, "event 4625 without the name of its account");
}

const MESSAGE: &str = "An account was successfully logged on.\r\n\r\nSubject:\r\n\tSecurity ID:\t\tS-1-5-18\r\n\tAccount Name:\t\tDC1$\r\n\tAccount Domain:\t\tEXAMPLE\r\n\r\nLogon Information:\r\n\tLogon Type:\t\t3\r\n\r\nNew Logon:\r\n\tSecurity ID:\t\tS-1-5-21-1\r\n\tAccount Name:\t\tbg-admin\r\n\tAccount Domain:\t\tEXAMPLE\r\n\r\nNetwork Information:\r\n\tWorkstation Name:\t-\r\n\tSource Network Address:\t192.0.2.7\r\n\tSource Port:\t\t5\r\n";

#[test]
fn csv_of_powershell_of_the_event_viewer_and_by_columns() {
    let expected = |line| [row(line, 0, "EXAMPLE\\bg-admin", "192.0.2.7", true)];
    let powershell = format!(
        "#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\r\n\"Message\",\"Id\",\"LogName\",\"MachineName\",\"TimeCreated\"\r\n\"{MESSAGE}\",\"4624\",\"Security\",\"DC1\",\"11/21/2026 12:00:00 PM\"\r\n"
    );
    let american = |bytes: &[u8]| {
        let time_format = Some("%m/%d/%Y %I:%M:%S %p".into());
        rows(Format::Windows, Settings { time_format, ..Settings::default() }, bytes)
    };
    let (found, summary) = american(powershell.as_bytes());
    assert_eq!(found, expected(3));
    assert_eq!((summary.unreadable, summary.notes.len()), (0, 1));
    // As newer .NET writes it.
    assert_eq!(american(powershell.replace(" PM", "\u{202F}PM").as_bytes()).0, expected(3));
    // The same as Windows writes it with `>`: UTF-16.
    let bytes: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(powershell.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(american(&bytes).0, expected(3));
    let viewer = format!(
        "Keywords,Date and Time,Source,Event ID,Task Category\r\nAudit Success,11/21/2026 12:00:00 PM,Microsoft-Windows-Security-Auditing,4624,Logon,\"{MESSAGE}\"\r\n"
    );
    assert_eq!(american(viewer.as_bytes()).0, expected(2));
    let columns = "TimeCreated;EventID;Computer;TargetUserName;TargetDomainName;IpAddress\n21.11.2026 12:00:00;4624;DC1;bg-admin;EXAMPLE;192.0.2.7\n";
    assert_eq!(of(columns).0, expected(2));
    let payload = r##"RecordNumber,TimeCreated,EventId,Channel,Computer,Payload
1,2026-11-21 12:00:00.1234567,4624,Security,DC1,"{""EventData"":{""Data"":[{""@Name"":""TargetUserName"",""#text"":""bg-admin""},{""@Name"":""TargetDomainName"",""#text"":""EXAMPLE""},{""@Name"":""IpAddress"",""#text"":""192.0.2.7""}]}}"
"##;
    assert_eq!(of(payload).0, expected(2));
}

#[test]
fn a_date_that_may_be_read_in_two_ways_is_asked_for() {
    let log = |time: &str| format!("TimeCreated,Id,TargetUserName\n{time},4624,bg-admin\n");
    for (time, example) in [
        ("05/11/2026 12:00:00", "--time-format '%m/%d/%Y %H:%M:%S'"),
        ("5/11/2026 4:14:00 AM", "--time-format '%m/%d/%Y %I:%M:%S %p'"),
        ("5/11/2026 4:14:00\u{202F}AM", "--time-format '%m/%d/%Y %I:%M:%S %p'"),
        ("11/21/2026 12:00:00 PM", "--time-format '%m/%d/%Y %I:%M:%S %p'"),
    ] {
        let (found, summary) = of(&log(time));
        assert!(found.is_empty() && summary.from_to.is_none(), "{time}: {found:?}");
        assert!(summary.first_unreadable[0].why.contains(example), "{:?}", summary.first_unreadable);
    }
    let settings = Settings { time_format: Some("%d/%m/%Y %H:%M:%S".into()), ..Settings::default() };
    let (found, _) = rows(Format::Windows, settings, log("05/11/2026 12:00:00").as_bytes());
    assert_eq!(found, [row(2, -16 * 86_400, "bg-admin", "", true)]);
    // With the year first only one reading is left.
    for time in ["2026/11/21 12:00:00", "2026/11/21 12:00:00\u{202F}PM", "2026/11/21 12:00:00 pm"] {
        assert_eq!(of(&log(time)).0, [row(2, 0, "bg-admin", "", true)], "{time}");
    }
    // The same in a shipper's JSON.
    let json = r#"{"EventTime":"11/21/2026 12:00:00 PM","EventID":4624,"TargetUserName":"bg-admin"}"#;
    assert_eq!(of(json).1.unreadable, 1);
    let settings = Settings { time_format: Some("%m/%d/%Y %I:%M:%S %p".into()), ..Settings::default() };
    let (found, _) = rows(Format::Windows, settings, json.as_bytes());
    assert_eq!(found, [row(1, 0, "bg-admin", "", true)]);
}
