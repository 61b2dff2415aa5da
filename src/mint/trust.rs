//! What platforms must have before an emergency, or nothing that is minted is good anywhere: texts for people to install.
//! The tests run real servers with exactly these, but for the texts for Kubernetes and AWS, which no server here reads.

use super::Label;

/// For `/etc/ssh/sshd_config.d/`: the authorities are trusted for one account alone, so that whoever had one could not log in
/// as another. `folder` holds `breakglass_ca.pub`, `breakglass_principals` and `breakglass.krl`; all three must be there
/// before this is, or nobody logs in to the account.
pub fn sshd_drop_in(account: &Label, folder: &str) -> String {
    format!(
        "\
# Emergency logins as {account}, by certificates of breakglass.
# The list of revoked keys must exist: where it is missing sshd refuses everybody. An empty one lies beside this file.
# The account needs an unlocked password field:  usermod -p '*' {account}
Match User {account}
    TrustedUserCAKeys        {folder}/breakglass_ca.pub
    AuthorizedPrincipalsFile {folder}/breakglass_principals
    AuthorizedKeysFile       none
    RevokedKeys              {folder}/breakglass.krl
    AuthenticationMethods    publickey
    AllowAgentForwarding     no
    PermitTunnel             no
    X11Forwarding            no
"
    )
}

/// For a `server` block of nginx. Sessions are not resumed, because a resumed one outlives its certificate.
pub fn nginx_block(folder: &str) -> String {
    format!(
        "\
# Client certificates of breakglass. The list of revoked certificates must be current: past its end nginx refuses everybody,
# and it is read again only on reload.
ssl_client_certificate {folder}/breakglass_ca.pem;
ssl_crl                {folder}/breakglass_crl.pem;
ssl_verify_client      on;
ssl_verify_depth       1;
ssl_session_cache      off;
ssl_session_tickets    off;
"
    )
}

/// What nginx logs of a client certificate, for the `http` block: serial number in hexadecimal, as the records have it.
pub const NGINX_LOG: &str = "\
log_format breakglass '$remote_addr [$time_iso8601] \"$request\" $status verify=$ssl_client_verify '
                      'serial=$ssl_client_serial dn=\"$ssl_client_s_dn\"';
";

/// For `pg_hba.conf`, above every other line that names the role. `network` from where, such as `192.0.2.0/24`.
pub fn postgres_hba(role: &Label, network: &str) -> String {
    format!("hostssl all {role} {network} cert clientname=DN map=breakglass\n")
}

/// For `pg_ident.conf`: which names of certificates are that role, for any incident. `groups` in the order of the policy: PostgreSQL
/// writes a name backwards (RFC 4514).
pub fn postgres_ident(user: &Label, groups: &[Label], role: &Label) -> String {
    let literal = |label: &Label| label.as_str().replace('.', "\\.");
    let groups: String = groups.iter().rev().map(|group| format!(",O={}", literal(group))).collect();
    format!("breakglass \"/^CN={},OU=[A-Za-z0-9._:@-]+{groups}$\" {role}\n", literal(user))
}

/// For `postgresql.conf`.
pub fn postgres_settings(folder: &str) -> String {
    format!(
        "\
ssl_ca_file = '{folder}/breakglass_ca.pem'
ssl_crl_file = '{folder}/breakglass_crl.pem'
log_connections = on
"
    )
}

/// A binding of the cluster-admin role to a group of ours. Unlike `system:masters`, whose members pass every check for ever,
/// it is deleted when the incident is over. Names are quoted: `yes` and `4711` are labels, too.
pub fn kubernetes_binding(group: &Label) -> String {
    let name = match group.as_str() {
        ours if ours.starts_with("breakglass") => ours.to_owned(),
        other => format!("breakglass:{other}"),
    };
    format!(
        "\
# Delete after each incident, and whenever no emergency needs it:  kubectl delete clusterrolebinding {name}
# The API server trusts the authority once its certificate is in the file of --client-ca-file, beside the cluster's own.
# Name a lesser role where one will do.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: \"{name}\"
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: cluster-admin
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: Group
  name: \"{group}\"
"
    )
}

/// `aws rolesanywhere create-trust-anchor --cli-input-json file://…`: the authority as a trust anchor. CloudTrail then
/// shows the serial number as the session's name, and the user as its source identity.
pub fn aws_trust_anchor(name: &str, authority_pem: &str) -> String {
    let anchor = serde_json::json!({
        "name": name,
        "enabled": false,
        "source": { "sourceType": "CERTIFICATE_BUNDLE", "sourceData": { "x509CertificateData": authority_pem } },
    });
    let mut text = serde_json::to_string_pretty(&anchor).expect("text members always have a JSON form");
    text.push('\n');
    text
}
