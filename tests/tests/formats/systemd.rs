use std::process::Command;

use keyward_cli::export::Format;
use keyward_tests::machine::{run, variables};

use crate::batch::{Batch, Found, machine, written};

/// What a service finds whose unit has `EnvironmentFile=` with this file; nothing if it does not start.
///
/// systemd runs as the first process of a namespace, with this one service: nothing of it is left when that ends. Only
/// root can do that: systemd wants control groups of its own.
fn systemd(file: &[u8]) -> Result<Found, String> {
    let machine = machine(file);
    let place = machine.home().display();
    let unit = format!(
        "[Unit]\nDefaultDependencies=no\nSuccessAction=exit\nFailureAction=exit\n\
         [Service]\nType=oneshot\nEnvironmentFile={place}/file\nStandardOutput=truncate:{place}/found\n\
         ExecStart=/usr/bin/env -0\n"
    );
    machine.write("keyward.service", unit);
    let script = format!(
        "set -e; mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/system; cp {place}/keyward.service /run/systemd/system
         mount -t proc proc /proc; mount -t cgroup2 cgroup2 /sys/fs/cgroup
         exec env -i container=other /usr/lib/systemd/systemd --system --unit=keyward.service --show-status=0"
    );
    let mut command = Command::new("timeout");
    command.args(["60", "unshare", "--mount", "--pid", "--fork", "--cgroup", "--ipc", "--uts"]);
    command.args(["sh", "-c", &script]);
    let ended = run(command, b"");
    let found = std::fs::read(machine.path("found"));
    let mut found = variables(
        &found
            .map_err(|error| format!("no service ran ({error}); these tests need root: {}", ended.said()))?,
    );
    found.retain(|name, _| name.starts_with('V') || name.starts_with("ORDINARY"));
    Ok(found)
}

#[test]
fn a_service_finds_every_value_that_is_not_refused() {
    let batch = Batch::with_the_ordinary(Format::Systemd);
    assert!(batch.len() > 600, "{} values were not refused", batch.len());
    batch.check("systemd", &systemd(&batch.file()).unwrap());
}

/// Control characters are not tried: this systemd lets them through, older ones do not.
#[test]
fn a_code_point_that_is_no_character_would_stop_the_service() {
    assert_eq!(systemd(b"V='fine'\n").unwrap()["V"], b"fine");
    let file = "V='\u{fffe}'\n";
    assert!(systemd(file.as_bytes()).is_err());
    assert!(written(Format::Systemd, "V", "\u{fffe}".as_bytes()).is_err());
}
