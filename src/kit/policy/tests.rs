use super::*;

/// The template, of a practice kit.
pub(super) fn text() -> String {
    template("kit", KitKind::Practice)
}

/// The template with something more at its end.
pub(super) fn with(more: &str) -> Policy {
    Policy::parse((text() + more).as_bytes()).unwrap()
}

#[test]
fn the_template_is_a_policy() {
    let policy = Policy::parse(template("DC1 emergency kit", KitKind::Real).as_bytes()).unwrap();
    assert_eq!(policy.quorum, Quorum { number: 2, groups: Vec::new() });
    assert!(policy.person("ada", Role::Operator).is_some());
    assert!(policy.person("ada", Role::Approver).is_none());
    assert_eq!((policy.grant, policy.review_every), (Length::hours(1), Length::days(365)));
    assert_eq!((policy.drill_days, &policy.rotation), (90, &Rotation::AfterUse));
    assert!(!policy.review_before_reopen);
    assert_eq!((policy.approval, policy.open_unapproved), (Approval::None, false));
}

const MINTS: &str = r#"
[[mint]]
name = "jump-hosts"
kind = "ssh"
emergencies = ["pam-outage"]
operators = ["ada"]
principals = ["breakglass"]
sources = ["192.0.2.0/24"]
command = "uptime"
terminal = true

[[mint]]
name = "cluster"
kind = "x509"
longest = "10m"
user = "ada"
groups = ["breakglass:cluster-admins"]

[[mint]]
name = "api"
kind = "token"
issuer = "urn:example:emergency"
resource = "https://api.example"
client = "breakglass"
scopes = ["read"]

[[mint]]
name = "log-in"
kind = "assertion"
client = "breakglass"
server = "https://as.example"
token-endpoint = "https://as.example/token"
"#;

fn minting(more: &str) -> Result<Policy, PolicyError> {
    let text = text().replace("# mints = ", "mints = ");
    Policy::parse((text + more).as_bytes())
}

#[test]
fn what_may_be_minted_by_whom_and_for_what() {
    let policy = minting(MINTS).unwrap();
    assert_eq!(policy.minting_slots(), Slot::MINTING);
    let hosts = policy.mint_rule("jump-hosts").unwrap();
    assert_eq!((hosts.longest, hosts.says.kind()), (Length::minutes(15), Kind::Ssh));
    assert_eq!(policy.mint_rule("api").unwrap().longest, Length::minutes(5));
    let log_in = policy.mint_rule("log-in").unwrap();
    assert_eq!((log_in.longest, log_in.says.kind()), (Length::minutes(5), Kind::Assertion));
    assert_eq!(log_in.says.accounts(), ["breakglass"]);
    assert_eq!(policy.may_mint(hosts, "ada", "pam-outage"), Ok(()));
    assert!(matches!(policy.may_mint(hosts, "ada", "attack"), Err(Refusal::NotAnEmergency { .. })));
    assert!(matches!(policy.may_mint(hosts, "bob", "pam-outage"), Err(Refusal::NotAnOperator { .. })));
    assert_eq!(policy.may_mint(policy.mint_rule("cluster").unwrap(), "ada", "attack"), Ok(()));
    let told = describe(&policy);
    for sentence in [
        "a key is made to mint SSH certificates (83), client certificates (84), tokens (85) when it is provisioned; one that was provisioned before is not",
        "ada may mint jump-hosts for pam-outage, for 15 minutes at most: SSH as breakglass from 192.0.2.0/24, running \"uptime\" alone, with a terminal",
        "an operator may mint log-in for pam-outage, mfa-outage, network-outage, attack, lockout, for 5 minutes at most: assertion of client breakglass for https://as.example, sent to https://as.example/token",
    ] {
        assert!(told.iter().any(|one| one == sentence), "{sentence}: {told:#?}");
    }
    let old = MINTS.replace("server = ", "scopes = [\"read\"]\naudience = \"token-endpoint\"\nserver = ");
    let told = changes(&policy, &minting(&old).unwrap(), &[]);
    let wanted = "assertion of client breakglass for https://as.example/token, sent to https://as.example/token, asking for scope read";
    assert!(told.iter().any(|one| one.starts_with("changed: ") && one.ends_with(wanted)), "{told:#?}");
    let without = Policy::parse(text().as_bytes()).unwrap();
    assert!((without.mints.is_empty(), without.mint_rules.is_empty()) == (true, true));
    let told = changes(&without, &policy, &[]);
    assert!(told.iter().any(|one| one.starts_with("ada may mint jump-hosts")), "{told:#?}");
    let told = changes(&policy, &without, &[]);
    assert!(told.contains(&"jump-hosts is no longer minted".to_owned()), "{told:#?}");
    assert!(told.contains(&"keys are no longer made to mint anything".to_owned()), "{told:#?}");
}

#[test]
fn what_cannot_be_minted_is_said_with_its_line() {
    for (from, to, key, what) in [
        ("kind = \"ssh\"", "kind = \"gpg\"", "", "keys mint ssh, x509, token or assertion"),
        ("name = \"api\"", "name = \"cluster\"", "mint", "there twice"),
        ("\"pam-outage\"]\nop", "]\nop", "mint.emergencies", "at least one"),
        ("\"pam-outage\"]\nop", "\"flood\"]\nop", "mint.emergencies", "not among the emergencies"),
        ("operators = [\"ada\"]", "operators = [\"eve\"]", "mint.operators", "nobody of this file"),
        ("longest = \"10m\"", "longest = \"2d\"", "mint.longest", "at most 24h"),
        ("principals = [\"breakglass\"]", "", "mint.principals", "ssh needs it"),
        ("principals = [\"breakglass\"]", "principals = [\"a b\"]", "mint.principals", "cannot stand"),
        ("192.0.2.0/24", "192.0.2.1/24", "mint.sources", "no bits beyond"),
        ("command = \"uptime\"", "command = \"\"", "mint.command", "printable"),
        ("user = \"ada\"", "", "mint.user", "x509 needs it"),
        ("user = \"ada\"", "user = \"ada\"\nterminal = true", "mint.terminal", "is for ssh"),
        ("breakglass:cluster-admins", "system:masters", "mint.groups", "cannot be taken back"),
        ("issuer = \"urn:example:emergency\"", "issuer = \"emergency\"", "mint.issuer", "URI"),
        ("client = \"breakglass\"", "client = \"urn:example:emergency\"", "mint.client", "same as an issuer"),
        // A server that knows the client would take an access token for its assertion.
        (
            "client = \"breakglass\"\nserver",
            "client = \"urn:example:emergency\"\nserver",
            "mint.client",
            "same as an issuer",
        ),
        ("server = \"https://as.example\"\n", "", "mint.server", "assertion needs it"),
        ("server = \"https://as.example\"", "server = \"as\"", "mint.server", "URI"),
        ("token-endpoint = \"https://as.example/token\"", "", "mint.token-endpoint", "assertion needs it"),
        ("https://as.example/token", "http://as.example/token", "mint.token-endpoint", "https://host"),
        ("https://as.example/token", "https://as.example/token?x=1", "mint.token-endpoint", "without query"),
        ("server = \"https", "audience = \"both\"\nserver = \"https", "mint.audience", "RFC 7523"),
        ("server = \"https", "resource = \"https://x\"\nserver = \"https", "mint.resource", "is for token"),
        ("user = \"ada\"", "user = \"ada\"\nscopes = [\"read\"]", "mint.scopes", "token and assertion"),
    ] {
        assert!(MINTS.contains(from), "{from}");
        let error = minting(&MINTS.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains(what), "{from} -> {to}: {error}");
    }
    let masters = MINTS.replace("breakglass:cluster-admins\"]", "system:masters\"]\nsystem-masters = true");
    assert!(minting(&masters).is_ok());
    for bad in ["[]", "[\"ssh\", \"ssh\"]", "[\"gpg\"]", "[\"token\", \"assertion\"]"] {
        let text = text().replace("# mints = [\"ssh\", \"x509\", \"token\"]", &format!("mints = {bad}"));
        assert!(Policy::parse(text.as_bytes()).is_err(), "{bad}");
    }
    // Names that no record has room for would fail only in the emergency, too.
    let principals = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("\"host-{n:03}-{}\"", "x".repeat(32))).collect();
        minting(&MINTS.replace("\"breakglass\"]\nsources", &format!("{}]\nsources", names.join(", "))))
    };
    assert!(principals(9).is_ok());
    let error = principals(10).unwrap_err().to_string();
    assert!(error.contains("too long to be recorded"), "{error}");
    // A table for which no key has a slot would fail only in the emergency.
    let error = Policy::parse((text() + MINTS).as_bytes()).unwrap_err().to_string();
    assert!(error.contains("no key is made for it"), "{error}");
}

/// Everything that the template shows as a comment can be taken out of it.
#[test]
fn what_the_template_shows_is_a_policy_too() {
    let is_shown = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        line.starts_with("[[") || line.contains(" = ") && !key.contains(' ') && key != "attestation-root"
    };
    let lines = text();
    let lines: Vec<&str> = lines
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_shown(rest)).unwrap_or(line))
        .map(|line| if line.starts_with("contact") { "keys = [30877]" } else { line })
        .collect();
    let policy = Policy::parse(lines.join("\n").as_bytes()).unwrap();
    assert_eq!(policy.quorum.groups[0].keys, [Serial(30877)].into());
    assert_eq!(policy.keeper(Serial(30877)).unwrap().name.as_str(), "ada");
    assert_eq!((policy.credentials.len(), policy.platforms.len(), policy.keys.len()), (1, 1, 1));
    assert_eq!(policy.rotation, Rotation::Waived("why".into()));
    assert!(policy.review_before_reopen);
    let told = describe(&policy);
    for sentence in [
        "among the signers must be 1 of security (30877)",
        "core-db/root is opened for pam-outage alone",
        "core-db/root is not rotated after use: why",
        "core-db needs no backup credential: why",
        "an opening needs no approval; every approver is told afterwards",
        "core-db/root may go on where too few have approved; the record then names who was not asked",
        "to check on core-db: alert on login is set",
        "ada keeps 30877",
    ] {
        assert!(told.iter().any(|one| one == sentence), "{sentence}: {told:#?}");
    }
}

#[test]
fn factors_are_what_each_key_has_unless_the_policy_fixes_them() {
    let with = |line: &str| {
        Policy::parse(template("kit", KitKind::Real).replace("# factors = ", line).as_bytes())
            .map(|policy| policy.factors)
            .map_err(|error| error.to_string())
    };
    assert_eq!(with("# "), Ok(None));
    assert_eq!(with("factors = "), Ok(Some(Factors::Both)));
    assert_eq!(with("factors = [\"piv\"] # "), Ok(Some(Factors::Piv)));
    for wrong in ["[]", "[\"fido2\"]", "[\"fido2\", \"piv\"]", "[\"piv\", \"piv\"]", "[\"otp\"]"] {
        let error = with(&format!("factors = {wrong} # ")).unwrap_err();
        assert_eq!(error, r#"line 13, factors: ["piv"] or ["piv", "fido2"]"#, "{wrong}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let text = template("kit", KitKind::Real).replace("quorum", "quorom");
    let error = Policy::parse(text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("quorom") && error.contains("line 7"), "{error}");
}

#[test]
fn values_that_cannot_be_are_refused_with_their_line() {
    for (from, to, said) in [
        ("quorum = 2", "quorum = 0", "line 7, quorum: between 1 and 16"),
        (
            "https://example.org",
            "http://example.org",
            "line 6, issuer: an https URL of at most 128 characters",
        ),
        ("name = \"kit\"", "name = \" \"", "line 4, name: 1 to 64 bytes of text on one line"),
        (
            "[\"pam-outage\", \"mfa-outage\", \"network-outage\", \"attack\", \"lockout\"]",
            "[]",
            "line 10, emergencies: at least one, or nothing can ever be opened",
        ),
        (
            "# drill-every = \"90d\"",
            "drill-every = \"36h\"",
            "line 22, drill-every: a whole number of days, such as 90d",
        ),
        (
            "# rotate-after-use",
            "rotate-after-use",
            "line 25, rotate-after-use: false needs  rotate-waived = \"why\"",
        ),
        (
            "# rotate-waived",
            "rotate-waived",
            "line 26, rotate-waived: has no effect without  rotate-after-use = false",
        ),
    ] {
        let text = template("kit", KitKind::Real).replacen(from, to, 1);
        assert_eq!(Policy::parse(text.as_bytes()).unwrap_err().to_string(), said);
    }
}

#[test]
fn tables_that_cannot_be_are_refused_with_their_line() {
    let first = text().lines().count();
    for (table, line, said) in [
        ("[[person]]\nname = \"ada\"\nroles = []", 2, "person: ada is there twice"),
        (
            "[[person]]\nname = \"eve\"\nroles = []\nkeys = [1, 2,\n 1]",
            5,
            "person.keys: 1 is kept by somebody already",
        ),
        (
            "[[key]]\nserial = 1\nplace = \"a\"\n[[key]]\nserial = 1\nplace = \"b\"",
            5,
            "key: serial 1 is there twice",
        ),
        ("[[quorum-group]]\nname = \"security\"", 2, "quorum-group: name its keys or its people"),
        (
            "[[quorum-group]]\nname = \"security\"\npeople = [\"ada\"]",
            3,
            "quorum-group.people: ada is nobody of this file who keeps keys",
        ),
        (
            "[[quorum-group]]\nname = \"security\"\nkeys = [1]\nneeds = 2",
            4,
            "quorum-group.needs: between 1 and 1, as many as it has keys",
        ),
        (
            "[[quorum-group]]\nname = \"a\"\nkeys = [1]\n[[quorum-group]]\nname = \"a\"\nkeys = [1]",
            5,
            "quorum-group: a is there twice",
        ),
        ("[[credential]]\nname = \"a/b\"", 2, "credential: it says nothing about it"),
        (
            "[[credential]]\nname = \"a/b\"\nemergencies = []",
            3,
            "credential.emergencies: at least one, or it can never be opened",
        ),
        (
            "[[credential]]\nname = \"a/b\"\nemergencies = [\"flood\"]",
            3,
            "credential.emergencies: flood is not among the emergencies of the kit",
        ),
        (
            "[[credential]]\nname = \"a/*\"\ngrant = \"1h\"\n[[credential]]\nname = \"a/*\"\ngrant = \"2h\"",
            5,
            "credential: a/* is there twice",
        ),
        (
            "[[platform]]\nname = \"a\"\nbackup-waived = \"\"",
            3,
            "platform.backup-waived: 1 to 256 bytes of text on one line",
        ),
        ("[[platform]]\nname = \"a\"\n[[platform]]\nname = \"a\"", 4, "platform: a is there twice"),
    ] {
        let error = Policy::parse((text() + table).as_bytes()).unwrap_err().to_string();
        assert_eq!(error, format!("line {}, {said}", first + line), "{table}");
    }
    for (table, line, said) in [
        ("[[credential]]\nname = \"a\"\ngrant = \"1h\"", 2, "neither platform/account nor platform/*"),
        ("[[credential]]\nname = \"a/b\"\ngrant = \"1w\"", 3, "is not a length of time"),
        ("[[platform]]\nname = \"a\"\nbackup = true", 3, "unknown field `backup`"),
    ] {
        let error = Policy::parse((text() + table).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains(&format!("line {}", first + line)), "{error}");
    }
}

/// The bytes of a policy as version 1 had it before there were tables of credentials, groups and platforms.
#[test]
fn a_policy_of_before_means_what_it_meant() {
    let old =
        b"name = \"kit\"\nkind = \"real\"\nissuer = \"https://example.org\"\nemergencies = [\"attack\"]\n\
        [[person]]\nname = \"ada\"\nroles = [\"operator\"]\n[[key]]\nserial = 1\nplace = \"safe A\"\n";
    let policy = Policy::parse(old).unwrap();
    assert_eq!(policy.hash, Hash::of(old));
    assert_eq!(policy.quorum, Quorum { number: 2, groups: Vec::new() });
    for credential in ["a/b", "core-db/root"] {
        assert_eq!(policy.may_open("ada", "attack", &credential.parse().unwrap()), Ok(()));
    }
    assert!(policy.credentials.is_empty() && policy.platforms.is_empty() && policy.people[0].keys.is_empty());
}

/// Ada opens; bob and carol keep a key each and approve; dana approves and keeps none.
const APPROVERS: &str = r#"
[[person]]
name = "bob"
roles = ["approver", "operator"]
keys = [23115]

[[person]]
name = "carol"
roles = ["approver"]
keys = [30877]

[[person]]
name = "dana"
roles = ["approver"]
"#;

#[test]
fn approval_is_what_some_operator_can_be_given() {
    let read = |line: &str| {
        let (before, rest) =
            text().split_once("# A private").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let text = format!("{before}{line}\n# A private{rest}{APPROVERS}");
        Policy::parse(text.as_bytes())
            .map(|policy| policy.approval)
            .map_err(|error| error.to_string().split_once(": ").unwrap().1.to_owned())
    };
    let other = r#""none", "notify", or a number of approvers from 1 to 5"#;
    for (line, expected) in [
        ("approval = \"none\"", Ok(Approval::None)),
        ("approval = \"notify\"", Ok(Approval::Notify)),
        ("approval = 1", Ok(Approval::Number(1))),
        ("approval = 2", Ok(Approval::Number(2))),
        ("approval = 3", Err("no operator finds 3 others who approve and keep a key; there are 2")),
        ("approval = 0", Err(other)),
        ("approval = 6", Err(other)),
        ("approval = \"2\"", Err(other)),
        ("approval = true", Err(other)),
    ] {
        assert_eq!(read(line), expected.map_err(str::to_owned), "{line}");
    }
}

#[test]
fn approvers_are_others_and_sign_with_keys_that_they_keep() {
    let policy = with(&format!(
        "{APPROVERS}\n[[credential]]\nname = \"core-db/*\"\napproval = 2\nopen-unapproved = true\n"
    ));
    let beside = |operator| -> Vec<String> {
        policy.approvers_beside(operator).iter().map(|person| person.name.to_string()).collect()
    };
    assert_eq!(beside("ada"), ["bob", "carol", "dana"]);
    assert_eq!(beside("bob"), ["carol", "dana"]);
    assert_eq!(policy.approver(Serial(30877)).unwrap().name.as_str(), "carol");
    assert!(policy.approver(Serial(1)).is_none());
    let terms = |name: &str| {
        let name = name.parse().unwrap();
        let terms = policy.terms(&name);
        (terms.approval, terms.open_unapproved)
    };
    assert_eq!(terms("core-db/root"), (Approval::Number(2), true));
    assert_eq!(terms("core-fw/admin"), (Approval::None, false));
    let told = describe(&policy);
    for sentence in ["an opening needs no approval", "core-db/* needs the approval of 2 other people"] {
        assert!(told.iter().any(|one| one == sentence), "{sentence}: {told:#?}");
    }
}

#[test]
fn names_of_approvers_fit_into_a_record() {
    let more: String = (0..5)
        .map(|n| {
            let name = format!("{}{n}", "a".repeat(60));
            format!("\n[[person]]\nname = {name:?}\nroles = [\"approver\"]\nkeys = [{}]\n", 40 + n)
        })
        .collect();
    let table = "\n[[credential]]\nname = \"core-db/*\"\napproval = 1\n";
    let error = Policy::parse((text() + &more + table).as_bytes()).unwrap_err().to_string();
    assert!(error.ends_with("the names of all approvers together are at most 256 bytes"), "{error}");
}
