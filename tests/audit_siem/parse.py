"""Reads an export with the parsers of others, and prints the record of each line.

Usage: parse.py ocsf|ecs|cef|syslog FILE
"""

import json
import sys

kind, path = sys.argv[1:]
# Lines end with a line feed and nothing else: a record of some other line end is in one line.
lines = open(path, encoding="utf-8", newline="\n").read().split("\n")
assert lines.pop() == ""


def ocsf(line):
    event = json.loads(line)
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    return event["raw_data"]


def ecs(line):
    event = json.loads(line)
    assert event["ecs"]["version"] == "8.17.0"
    return event["event"]["original"]


def cef(line):
    import pycef

    event = pycef.parse(line)
    assert event["DeviceVendor"] == "breakglass" and event["CEFVersion"] == "0"
    assert len(event["recordSha256"]) == 64
    return event["rawEvent"]


def syslog(line):
    from syslog_rfc5424_parser import SyslogMessage

    message = SyslogMessage.parse(line)
    assert message.appname == "breakglass-audit" and message.facility.name == "audit"
    assert len(message.sd["breakglass@32473"]["hash"]) == 43
    return message.msg


for line in lines:
    print({"ocsf": ocsf, "ecs": ecs, "cef": cef, "syslog": syslog}[kind](line))
