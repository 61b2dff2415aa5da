//! What programs want beside the PEM files.

use serde::Serialize;
use zeroize::Zeroizing;

use super::Signed;
use crate::mint::{SubjectKey, Window};

/// What kubectl wants from a credential plugin on its standard output (`client.authentication.k8s.io`, kind
/// `ExecCredential`), a line. `version` is what it asked for in `KUBERNETES_EXEC_INFO`, `v1` where it did not.
pub fn exec_credential(
    version: &str,
    certificate: &Signed,
    key: &SubjectKey,
    window: Window,
) -> Zeroizing<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Status<'a> {
        expiration_timestamp: String,
        client_certificate_data: &'a str,
        client_key_data: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Credential<'a> {
        api_version: String,
        kind: &'a str,
        status: Status<'a>,
    }
    let (certificate, key) = (certificate.pem(), key.expose_pem());
    let until = i64::try_from(window.until()).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    let credential = Credential {
        api_version: format!("client.authentication.k8s.io/{version}"),
        kind: "ExecCredential",
        status: Status {
            expiration_timestamp: until.map(|at| at.to_string()).unwrap_or_default(),
            client_certificate_data: &certificate,
            client_key_data: &key,
        },
    };
    let mut line = Zeroizing::new(Vec::with_capacity(8_192)); // never grown, so never copied
    serde_json::to_writer(&mut *line, &credential).expect("text members always have a JSON form");
    line.push(b'\n');
    Zeroizing::new(String::from_utf8(std::mem::take(&mut *line)).expect("JSON is UTF-8"))
}

/// A user of a kubeconfig that lies beside the person's own: a credential plugin that prints the file where
/// [`exec_credential`] lies, in the version that kubectl asks for in `KUBERNETES_EXEC_INFO`. kubectl knows `v1` since 1.22; an
/// older one is told `v1beta1` in the file.
pub fn kubeconfig(folder: &str) -> String {
    let [own, credential] = ["kubeconfig", "exec-credential.json"].map(|name| format!("{folder}/{name}"));
    format!(
        "\
# Beside your own:  KUBECONFIG=~/.kube/config:{} kubectl --user breakglass get nodes
apiVersion: v1
kind: Config
users:
- name: breakglass
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1 # v1beta1 for a kubectl before 1.22
      interactiveMode: Never
      command: sh
      args:
      - -c
      - |
        case \"$KUBERNETES_EXEC_INFO\" in
        *client.authentication.k8s.io/v1beta1*) exec sed s,k8s.io/v1,k8s.io/v1beta1, \"$1\" ;;
        *) exec cat \"$1\" ;;
        esac
      - sh
      - {}
",
        quoted(&own),
        serde_json::Value::from(credential), // a string of JSON is one of YAML
    )
}

/// A service of libpq. Which authority vouches for the server is not known here; where it is, `sslmode` ought to be
/// `verify-full`.
pub fn postgres_service(folder: &str) -> String {
    format!(
        "\
# PGSERVICEFILE={} psql 'service=breakglass host=HOST dbname=DATABASE user=ROLE'
# Where the authority of the server is at hand:  sslmode=verify-full  and  sslrootcert=FILE
[breakglass]
sslmode=require
sslcert={folder}/certificate.pem
sslkey={folder}/key.pem
",
        quoted(&format!("{folder}/pg_service.conf")),
    )
}

/// A profile of the AWS command line, for the signing helper of IAM Roles Anywhere. A session of AWS outlives the certificate; the
/// shortest that there is takes 15 minutes.
pub fn aws_profile(folder: &str) -> String {
    let [own, certificate, key] =
        ["aws_config", "certificate.pem", "key.pem"].map(|name| quoted(&format!("{folder}/{name}")));
    format!(
        "\
# AWS_CONFIG_FILE={own} aws --profile breakglass sts get-caller-identity
# Put the ARNs of your account in the place of the three words in capitals, and the region.
[profile breakglass]
credential_process = aws_signing_helper credential-process --certificate {certificate} --private-key {key} \
         --trust-anchor-arn TRUST-ANCHOR-ARN --profile-arn PROFILE-ARN --role-arn ROLE-ARN --session-duration 900
"
    )
}

/// A line of curl.
pub fn curl_line(folder: &str) -> String {
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| quoted(&format!("{folder}/{name}")));
    format!("curl --cert {certificate} --key {key} https://HOST/")
}

/// As a shell reads it back.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match path.chars().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

/// A serial number as logs spell it: colons of openssl and AWS aside, hexadecimal of nginx (upper case), of our records
/// (lower case), and decimal of PostgreSQL (`pg_stat_ssl`).
pub fn names_of_serial(serial: &[u8]) -> [String; 3] {
    [hex::encode_upper(serial), hex::encode(serial), decimal(serial)]
}

fn decimal(number: &[u8]) -> String {
    let mut digits = vec![0u8]; // the lowest first
    for byte in number {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = (value % 10) as u8;
            carry = value / 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_stays_one_word() {
        assert_eq!(quoted("/run/minted"), "/run/minted");
        assert_eq!(quoted("/run/ada's own"), r"'/run/ada'\''s own'");
        assert!(curl_line("/a b").contains(" '/a b/key.pem' "));
        assert!(kubeconfig("/a \"b").ends_with("      - \"/a \\\"b/exec-credential.json\"\n"));
        assert_eq!(aws_profile("/x").lines().count(), 4);
    }

    proptest! {
        #[test]
        fn decimal_is_the_same_number(number: u128) {
            prop_assert_eq!(decimal(&number.to_be_bytes()), number.to_string());
        }
    }
}
