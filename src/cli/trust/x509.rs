//! What servers must have before client certificates are good with them.

use std::collections::BTreeSet;

use super::Piece;
use crate::cli::args::TrustExport;
use crate::kit::Kit;
use crate::kit::authorities::Certified;
use crate::kit::policy::Says;
use crate::mint::{Label, trust};

pub(super) fn pieces(kit: &Kit, options: &TrustExport, authorities: &[Certified]) -> Vec<Piece> {
    if authorities.is_empty() {
        return Vec::new();
    }
    let folder = options.server_folder.as_str();
    let mut pieces = lists(folder, authorities);
    pieces.extend([
        piece("nginx-log.conf", trust::NGINX_LOG.to_owned(), "into the http block of nginx".to_owned()),
        piece(
            "nginx-server.conf",
            trust::nginx_block(folder),
            "into each server block that lets operators in; then:  nginx -t && systemctl reload nginx"
                .to_owned(),
        ),
    ]);
    let rules: Vec<(&Label, &[Label])> = kit
        .policy
        .mint_rules
        .iter()
        .filter_map(|rule| match &rule.says {
            Says::X509 { user, groups, .. } => Some((user, &groups[..])),
            _ => None,
        })
        .collect();
    if !rules.is_empty() {
        pieces.extend(for_postgres(options, &rules));
        let groups: BTreeSet<&Label> = rules.iter().flat_map(|(_, groups)| *groups).collect();
        let bindings: Vec<String> = groups.into_iter().map(trust::kubernetes_binding).collect();
        let what = "what breakglass_ca.pem has goes into the file of --client-ca-file of each API server; this, when it is needed:  \
                    kubectl apply -f kubernetes-binding.yaml";
        pieces.push(piece("kubernetes-binding.yaml", bindings.join("---\n"), what.to_owned()));
    }
    for Certified { serial, certificate, .. } in authorities {
        let anchor = trust::aws_trust_anchor(&format!("breakglass-{serial}"), &certificate.pem());
        let name = format!("aws-trust-anchor-{serial}.json");
        let what = format!("aws rolesanywhere create-trust-anchor --cli-input-json file://{name}");
        pieces.push(piece(&name, anchor, what));
    }
    pieces
}

/// Authorities and what each of them takes back. None where there is no authority: servers do not start with an empty file.
pub(super) fn lists(folder: &str, authorities: &[Certified]) -> Vec<Piece> {
    if authorities.is_empty() {
        return Vec::new();
    }
    let to = |name: &str| format!("to {folder}/{name} of each server, readable by it; then reload it");
    let bundle: String = authorities.iter().map(|one| one.certificate.pem()).collect();
    let lists: String = authorities.iter().map(|one| one.list.pem()).collect();
    vec![
        piece("breakglass_ca.pem", bundle, to("breakglass_ca.pem")),
        piece("breakglass_crl.pem", lists, to("breakglass_crl.pem")),
    ]
}

fn for_postgres(options: &TrustExport, rules: &[(&Label, &[Label])]) -> Vec<Piece> {
    let TrustExport { role, network, server_folder, .. } = options;
    let names: BTreeSet<String> =
        rules.iter().map(|(user, groups)| trust::postgres_ident(user, groups, role)).collect();
    vec![
        piece(
            "postgresql.conf",
            trust::postgres_settings(server_folder),
            "lines for postgresql.conf, where  ssl = on  is already".to_owned(),
        ),
        piece(
            "pg_hba.conf",
            trust::postgres_hba(role, network),
            format!("a line for pg_hba.conf, above every other that names {role}"),
        ),
        piece(
            "pg_ident.conf",
            names.into_iter().collect(),
            "lines for pg_ident.conf; then:  SELECT pg_reload_conf()".to_owned(),
        ),
    ]
}

fn piece(name: &str, text: String, what: String) -> Piece {
    (format!("x509/{name}"), text.into_bytes(), what)
}
