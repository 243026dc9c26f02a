//! The machine on which, and the programs beside which, a figure was measured.

use std::fs;

/// `2 × Intel(R) Xeon(R) Processor, sha_ni avx2, Linux 6.1.0`
pub(super) fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(": ")?.1.to_owned())
    };
    let count = info.lines().filter(|line| line.starts_with("processor")).count();
    let model = field("model name").unwrap_or_else(|| "unknown processor".to_owned());
    let flags = field("flags").unwrap_or_default();
    let has = |flag: &&str| flags.split(' ').any(|word| word == *flag);
    // What the ciphers use.
    let known = ["aes", "sha_ni", "avx2", "avx512f"].into_iter().filter(has).collect::<Vec<_>>().join(" ");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{count} × {model} ({known}), Linux {}", kernel.trim())
}

/// Processes that want to run, on average over the last minute.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}
