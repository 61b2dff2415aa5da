//! What stock tools make of the virtual YubiKey over real PC/SC, with their defaults: they hold it honest. What ykman,
//! yubico-piv-tool, OpenSC and age-plugin-yubikey take for a YubiKey, the other tests may test against.

#[path = "support/pcsc.rs"]
mod pcsc;

use std::path::Path;
use std::process::Command;

use pcsc::{Pcsc, tools};

const NEW: u32 = 19_088_743;
const OLD: u32 = 12_345_678;
const KEYS: [(u32, &str); 2] = [(NEW, "5.7.4"), (OLD, "5.4.3")];

const FACTORY_MANAGEMENT: &str = "010203040506070801020304050607080102030405060708";

/// `ykman --device SERIAL WORDS`
fn ykman(world: &Pcsc, serial: u32, words: &[&str]) -> String {
    world.run(world.command(tools::ykman()).arg("--device").arg(serial.to_string()).args(words))
}

fn refused(world: &Pcsc, serial: u32, words: &[&str]) -> String {
    let mut command = world.command(tools::ykman());
    let output = command.arg("--device").arg(serial.to_string()).args(words).output().expect("ykman starts");
    assert!(!output.status.success(), "{words:?} was not refused: {}", pcsc::text(&output));
    pcsc::text(&output)
}

/// Each of these lines is said, whatever the spaces.
fn says(said: &str, lines: &[&str]) {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = words(said);
    for line in lines {
        assert!(said.contains(&words(line)), "not said: {line}\n{said}");
    }
}

#[test]
fn ykman_lists_and_describes_both_without_being_told_the_reader() {
    let world = Pcsc::start(&KEYS);
    let list = world.run(world.command(tools::ykman()).arg("list"));
    let mut lines: Vec<&str> = list.lines().collect();
    lines.sort_unstable();
    let expected = [
        "YubiKey 5 NFC (5.4.3) [OTP+FIDO+CCID] Serial: 12345678",
        "YubiKey 5C NFC (5.7.4) [OTP+FIDO+CCID] Serial: 19088743",
    ];
    assert_eq!(lines, expected, "and not a word of warning");
    says(
        &ykman(&world, NEW, &["info"]),
        &["Serial number: 19088743", "Firmware version: 5.7.4", "Keychain (USB-C)", "PIV Enabled Enabled"],
    );
    says(&ykman(&world, OLD, &["info"]), &["Firmware version: 5.4.3", "Keychain (USB-A)"]);
    let factory = [
        "PIN tries remaining: 3/3",
        "PUK tries remaining: 3/3",
        "Using default PIN!",
        "Using default PUK!",
        "Using default Management key!",
        "CHUID: No data available",
    ];
    for (serial, version, algorithm) in [(NEW, "5.7.4", "AES192"), (OLD, "5.4.3", "TDES")] {
        let said = ykman(&world, serial, &["piv", "info"]);
        says(&said, &factory);
        let management = format!("Management key algorithm: {algorithm}");
        says(&said, &[&format!("PIV version: {version}"), &management]);
    }
}

#[test]
fn ykman_takes_it_for_a_yubikey_on_an_nfc_reader() {
    let world = Pcsc::with(&pcsc::Settings {
        atr: "nfc",
        reader: "Virtual PCD",
        ..pcsc::Settings::usual(&KEYS[..1])
    });
    let said =
        world.run(world.command(tools::ykman()).args(["--reader", "Virtual PCD 00 00", "piv", "info"]));
    says(&said, &["PIV version: 5.7.4", "Using default PIN!"]);
}

#[test]
fn ykman_changes_pin_puk_and_management_key_as_on_a_real_key() {
    let world = Pcsc::start(&KEYS);
    for (serial, algorithm) in [(NEW, "AES192"), (OLD, "TDES")] {
        let ykman = |words: &[&str]| ykman(&world, serial, words);
        let wrong =
            refused(&world, serial, &["piv", "access", "change-pin", "-P", "000000", "-n", "87654321"]);
        says(&wrong, &["2 tries left"]);
        ykman(&["piv", "access", "change-pin", "-P", "123456", "-n", "87654321"]);
        ykman(&["piv", "access", "change-puk", "-p", "12345678", "-n", "13572468"]);
        ykman(&["piv", "access", "unblock-pin", "-p", "13572468", "-n", "24681357"]);
        assert_eq!(world.tries(serial), (3, 3));

        let change = ["piv", "access", "change-management-key"];
        let wrong = "a1".repeat(24);
        refused(&world, serial, &[&change[..], &["-m", &wrong, "-a", algorithm, "-g", "-f"]].concat());
        let next = "b2".repeat(32);
        ykman(&[&change[..], &["-m", FACTORY_MANAGEMENT, "-a", "AES256", "-n", &next, "-f"]].concat());
        let said = ykman(&["piv", "info"]);
        says(&said, &["Management key algorithm: AES256"]);
        assert!(!said.contains("WARNING"), "nothing is left as the factory made it: {said}");
        let protect = ["-m", &next, "-a", algorithm, "-g", "-p", "-P", "24681357", "-f"];
        ykman(&[&change[..], &protect].concat());
        says(&ykman(&["piv", "info"]), &["protected by PIN", &format!("algorithm: {algorithm}")]);
        // With the PIN alone: the management key is read from where it is protected.
        ykman(&["piv", "access", "set-retries", "5", "6", "-P", "24681357", "-f"]);
        let said = ykman(&["piv", "info"]);
        says(&said, &["PIN tries remaining: 5/5", "PUK tries remaining: 6/6", "Using default PIN!"]);

        ykman(&["piv", "reset", "-f"]);
        says(&ykman(&["piv", "info"]), &["PIN tries remaining: 3/3", "Using default Management key!"]);
    }
}

#[test]
fn ykman_generates_certifies_attests_and_stores() {
    let world = Pcsc::start(&KEYS);
    for (serial, _) in KEYS {
        let folder = world.folder().join(serial.to_string());
        std::fs::create_dir(&folder).expect("a folder");
        let path = |name: &str| folder.join(name).display().to_string();
        let ykman = |words: &[&str]| ykman(&world, serial, words);
        let policy = ["--pin-policy", "always", "--touch-policy", "cached", "-m", FACTORY_MANAGEMENT];
        ykman(
            &[&["piv", "keys", "generate", "-a", "ECCP256"], &policy[..], &["9c", &path("public.pem")]]
                .concat(),
        );
        let certify = ["piv", "certificates", "generate", "-s", "CN=made by ykman", "-P", "123456"];
        ykman(&[&certify[..], &["-m", FACTORY_MANAGEMENT, "9c", &path("public.pem")]].concat());
        ykman(&["piv", "certificates", "export", "9c", &path("self-signed.pem")]);
        openssl(&["verify", "-CAfile", &path("self-signed.pem"), &path("self-signed.pem")]);

        ykman(&["piv", "keys", "attest", "9c", &path("leaf.pem")]);
        ykman(&["piv", "certificates", "export", "f9", &path("device.pem")]);
        let root = world.root_certificate().display().to_string();
        openssl(&["verify", "-CAfile", &root, "-untrusted", &path("device.pem"), &path("leaf.pem")]);
        let leaf = openssl(&["x509", "-in", &path("leaf.pem"), "-noout", "-subject", "-issuer", "-pubkey"]);
        says(&leaf, &["subject=CN = YubiKey PIV Attestation 9c", "PIV Attestation"]);
        assert!(leaf.contains(std::fs::read_to_string(path("public.pem")).expect("public.pem").trim()));
        let said = ykman(&["piv", "keys", "info", "9c"]);
        says(&said, &["ECCP256", "Origin: GENERATED", "PIN required for use: ALWAYS"]);
        says(&said, &["Touch required for use: CACHED"]);

        std::fs::write(path("object"), [0xB6; 2900]).expect("an object");
        ykman(&["piv", "objects", "import", "0x5fb600", &path("object"), "-m", FACTORY_MANAGEMENT]);
        ykman(&["piv", "objects", "export", "0x5fb600", &path("read back")]);
        assert_eq!(std::fs::read(path("read back")).expect("read back"), [0xB6; 2900]);
        if serial == NEW {
            ykman(&["piv", "keys", "move", "9c", "82", "-m", FACTORY_MANAGEMENT]);
            ykman(&["piv", "keys", "delete", "82", "-m", FACTORY_MANAGEMENT]);
            says(&refused(&world, serial, &["piv", "keys", "info", "82"]), &["No key stored in slot"]);
        }
    }
}

#[test]
fn a_withheld_touch_fails_the_tool_and_costs_no_try() {
    let world = Pcsc::start(&KEYS[..1]);
    let public = world.folder().join("public.pem").display().to_string();
    let generate = ["piv", "keys", "generate", "-a", "ECCP256", "--touch-policy", "always"];
    ykman(&world, NEW, &[&generate[..], &["-m", FACTORY_MANAGEMENT, "9a", &public]].concat());
    world.order(&format!("{NEW} touch withhold 50"));
    let certify = ["piv", "certificates", "generate", "-s", "CN=untouched", "-P", "123456"];
    let certify = [&certify[..], &["-m", FACTORY_MANAGEMENT, "9a", &public]].concat();
    refused(&world, NEW, &certify);
    assert_eq!(world.tries(NEW), (3, 3));
    world.order(&format!("{NEW} touch give 20"));
    ykman(&world, NEW, &certify);
}

#[test]
fn yubico_piv_tool_tells_its_status() {
    for key in KEYS {
        let world = Pcsc::start(&[key]);
        let tool = tools::debian("yubico-piv-tool", "yubico-piv-tool");
        let status = world.run(world.command(&tool).args(["--reader", "Yubico", "--action", "status"]));
        says(
            &status,
            &[&format!("Version: {}", key.1), &format!("Serial Number: {}", key.0), "PIN tries left: 3"],
        );
        let verify = ["--reader", "Yubico", "--action", "verify-pin", "--pin", "123456"];
        says(&world.run(world.command(&tool).args(verify)), &["Successfully verified PIN"]);
    }
}

#[test]
fn opensc_finds_the_token_and_its_key() {
    let world = Pcsc::start(&KEYS[..1]);
    let public = world.folder().join("public.pem").display().to_string();
    ykman(
        &world,
        NEW,
        &["piv", "keys", "generate", "-a", "ECCP256", "-m", FACTORY_MANAGEMENT, "9a", &public],
    );
    let certify = ["piv", "certificates", "generate", "-s", "CN=for OpenSC", "-P", "123456"];
    ykman(&world, NEW, &[&certify[..], &["-m", FACTORY_MANAGEMENT, "9a", &public]].concat());

    let modules =
        ["/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", "/usr/lib/aarch64-linux-gnu/opensc-pkcs11.so"];
    let module = tools::debian_file(&modules, "opensc-pkcs11");
    let tool = tools::debian("pkcs11-tool", "opensc");
    let mut command = world.command(tool);
    let said =
        world.run(command.arg("--module").arg(module).args(["--list-objects", "--login", "--pin", "123456"]));
    says(
        &said,
        &["Private Key Object; EC", "Certificate Object", "subject: DN: CN=for OpenSC", "PIV AUTH key"],
    );
}

#[test]
fn age_plugin_identifies_a_key_with_a_certificate_of_its_form_and_rage_opens_with_it() {
    let world = Pcsc::start(&KEYS);
    let plugin = tools::age_plugin_yubikey();
    for (serial, profile) in KEYS {
        let certificate = world.folder().join(format!("{serial}.pem"));
        let public = world.folder().join(format!("{serial}-public.pem")).display().to_string();
        let policy = ["--pin-policy", "once", "--touch-policy", "always", "-m", FACTORY_MANAGEMENT, "82"];
        ykman(
            &world,
            serial,
            &[&["piv", "keys", "generate", "-a", "ECCP256"], &policy[..], &[&public]].concat(),
        );
        age_certificate(&certificate, Path::new(&public));
        let certificate = certificate.display().to_string();
        ykman(
            &world,
            serial,
            &["piv", "certificates", "import", "-m", FACTORY_MANAGEMENT, "82", &certificate],
        );

        let wanted = serial.to_string();
        let list = world.run(world.command(&plugin).args(["--serial", &wanted, "--list"]));
        says(&list, &[&format!("Serial: {serial}, Slot: 1"), "Name: breakglass", "age1yubikey1"]);
        let identity = world.run(world.command(&plugin).args(["--serial", &wanted, "--identity"]));
        says(&identity, &["AGE-PLUGIN-YUBIKEY-1", "PIN policy: Once", "Touch policy: Always"]);
        assert_eq!(world.counters(serial).pins_sent, 0, "firmware {profile}");
        opens_with_rage(&world, serial, &identity);
    }
    let list = world.run(world.command(&plugin).arg("--list"));
    assert_eq!(list.matches("age1yubikey1").count(), 2, "{list}");
}

/// rage seals to the key's recipient and opens again with PIN and touch.
fn opens_with_rage(world: &Pcsc, serial: u32, identity: &str) {
    let path = |name: &str| world.folder().join(format!("{serial}-{name}")).display().to_string();
    let recipient =
        identity.split_whitespace().find(|word| word.starts_with("age1yubikey1")).expect("a recipient");
    let stub = identity.lines().find(|line| line.starts_with("AGE-PLUGIN-YUBIKEY-1")).expect("an identity");
    std::fs::write(path("identity"), stub).expect("an identity file");
    std::fs::write(path("plain"), "correct horse battery staple").expect("a plaintext");
    std::fs::write(path("pinentry"), TYPE_PIN).expect("a pinentry");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(path("pinentry"), executable).expect("it is made executable");
    let folders = format!("{}:/usr/bin:/bin", tools::folder().join("bin").display());
    let rage = |words: &[&str]| {
        let mut command = world.command(tools::rage());
        world.run(command.args(words).env("PATH", &folders).env("PINENTRY_PROGRAM", path("pinentry")))
    };
    rage(&["-r", recipient, "-o", &path("sealed"), &path("plain")]);
    rage(&["-d", "-i", &path("identity"), "-o", &path("opened"), &path("sealed")]);
    assert_eq!(std::fs::read(path("opened")).expect("opened"), b"correct horse battery staple");
    assert_eq!(world.counters(serial).pins_sent, 1);
}

/// A pinentry that types the factory PIN.
const TYPE_PIN: &str = r#"#!/bin/sh
echo OK
while read -r order rest; do
    [ "$order" != GETPIN ] || echo D 123456
    echo OK
    [ "$order" != BYE ] || exit 0
done
"#;

/// A certificate over the public key as age-plugin-yubikey knows its own: O age-plugin-yubikey, and the policies in
/// Yubico's extension, raw.
fn age_certificate(certificate: &Path, public: &Path) {
    let program = r#"
import datetime, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier
public = serialization.load_pem_public_key(open(sys.argv[2], "rb").read())
name = x509.Name([
    x509.NameAttribute(NameOID.ORGANIZATION_NAME, "age-plugin-yubikey"),
    x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "0.5.1"),
    x509.NameAttribute(NameOID.COMMON_NAME, "breakglass"),
])
policy = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.41482.3.8"), bytes([2, 2]))
begin = datetime.datetime(2026, 1, 1)
made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public).serial_number(7)
    .not_valid_before(begin).not_valid_after(begin.replace(year=2100)).add_extension(policy, False)
    .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()))
open(sys.argv[1], "wb").write(made.public_bytes(serialization.Encoding.PEM))
"#;
    let output = Command::new(tools::python())
        .args(["-c", program])
        .args([certificate, public])
        .output()
        .expect("python starts");
    assert!(output.status.success(), "{}", pcsc::text(&output));
}

fn openssl(words: &[&str]) -> String {
    let output =
        Command::new(tools::debian("openssl", "openssl")).args(words).output().expect("openssl starts");
    assert!(output.status.success(), "openssl {words:?}: {}", pcsc::text(&output));
    pcsc::text(&output)
}
