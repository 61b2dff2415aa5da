//! Process hardening: no core dump, not traceable by the same user, files made here are their owner's alone.
//!
//! Root can still read this process's memory, and so can whoever owns the machine: this keeps secrets out of what is
//! left behind (core files, a debugger that someone leaves attached, files that others may read), no more.
//!
//! Pages are not locked against swapping. What carries a secret is ours only in part: age, the curve arithmetic and
//! PC/SC keep buffers of their own, so locking ours would promise more than it holds, and locking everything makes
//! later large allocations fail within an ordinary user's limit of 8 MiB. An air-gapped machine has no use for swap:
//! switch it off.

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior, setrlimit, umask,
};

/// Hardens this process, for good; to be called before anything is read or asked.
///
/// Returns what could not be done, each a finding in words; empty is the normal case. Never a reason to stop: an
/// emergency opens on the machine that there is.
///
/// It sets `RLIMIT_CORE` to 0 (getrlimit(2)), `PR_SET_DUMPABLE` to 0 (prctl(2): no core dump whatever the limit, no
/// ptrace by the same user, `/proc/PID` owned by root) and the file mode mask to 077 (umask(2)).
pub fn harden() -> Vec<&'static str> {
    umask(Mode::RWXG | Mode::RWXO);
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    // A refusal is not looked at: what is in force afterwards is, whoever set it.
    let _ = setrlimit(Resource::Core, no_core);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    findings()
}

/// What of [`harden`] is not in force now.
pub fn findings() -> Vec<&'static str> {
    let mut findings = Vec::new();
    if getrlimit(Resource::Core).current != Some(0) {
        findings.push("this process may leave a core file: RLIMIT_CORE is not 0");
    }
    if dumpable_behavior() != Ok(DumpableBehavior::NotDumpable) {
        findings.push("other programs of this user can read this process's memory: PR_SET_DUMPABLE is not 0");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, because all of it is the state of the whole test process, which starts unhardened.
    #[test]
    fn what_is_not_in_force_is_found_and_harden_puts_it_in_force() {
        let soft = getrlimit(Resource::Core);
        setrlimit(Resource::Core, Rlimit { current: soft.maximum, ..soft }).expect("the soft limit may rise");
        set_dumpable_behavior(DumpableBehavior::Dumpable).expect("a process may be dumpable");
        if soft.maximum != Some(0) {
            assert!(findings().iter().any(|finding| finding.contains("RLIMIT_CORE")));
        }
        assert!(findings().iter().any(|finding| finding.contains("PR_SET_DUMPABLE")));

        assert_eq!(harden(), Vec::<&str>::new());
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        assert_eq!(umask(Mode::RWXG | Mode::RWXO), Mode::RWXG | Mode::RWXO);

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, b"x").expect("written");
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("there").permissions());
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}
