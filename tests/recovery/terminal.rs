//! A terminal at which the recovery page's blocks run, with rage and age-plugin-yubikey and nothing of ours.

use std::fs;
use std::path::Path;

use crate::pcsc::{Pcsc, tools};

/// Runs a script at a terminal of the world, in `folder`, and types the PIN whenever it is asked for; what was shown.
pub(crate) fn at_terminal(world: &Pcsc, folder: &Path, script: &str, pin: &str) -> String {
    let file = folder.join("script.sh");
    fs::write(&file, format!("set -euo pipefail; cd {}\n{script}", folder.display())).expect("written");
    let mut expect = world.command(tools::debian("expect", "expect"));
    expect.arg("-c").arg(TYPIST).env("SCRIPT", &file).env("PIN", pin);
    // Without a pinentry program rage asks at the terminal.
    expect.env("PATH", path()).env("PINENTRY_PROGRAM", "none");
    world.run(&mut expect)
}

/// Where rage and its plugin lie, and the shell's own.
pub(crate) fn path() -> String {
    let (rage, plugin) = (tools::rage(), tools::age_plugin_yubikey());
    assert_eq!(rage.parent(), plugin.parent());
    format!("{}:/usr/bin:/bin", rage.parent().expect("a folder").display())
}

const TYPIST: &str = r#"
set timeout 120
spawn -noecho bash $env(SCRIPT)
expect {
    -re "Enter PIN for YubiKey with serial \[0-9\]+\[: \]" { send -- "$env(PIN)\r"; exp_continue }
    timeout { puts "nothing came for a minute"; exit 124 }
    eof
}
exit [lindex [wait] 3]
"#;
