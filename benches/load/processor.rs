//! Processor time of processes, as the kernel counts it.

use std::time::Duration;

use anyhow::{Context, Result};

/// What it is counted in: a hundredth of a second wherever there is a /proc.
const TICK: Duration = Duration::from_millis(10);

struct Stat {
    parent: u32,
    /// In user mode and in the kernel, of all threads.
    own: Duration,
    /// The same of children that have ended.
    ended: Duration,
}

/// What a process has used.
pub fn of(pid: u32) -> Result<Duration> {
    Ok(stat(pid)?.own)
}

/// What a process and its children have used, those that have ended as well.
pub fn of_family(pid: u32) -> Result<Duration> {
    let Stat { parent: _, own, ended } = stat(pid)?;
    let mut all = own + ended;
    for entry in std::fs::read_dir("/proc")? {
        let Some(Ok(other)) = entry?.file_name().to_str().map(str::parse) else { continue };
        // One that has ended since counts as such the next time.
        if let Ok(child) = stat(other)
            && child.parent == pid
        {
            all += child.own;
        }
    }
    Ok(all)
}

/// Who started a process.
pub fn parent(pid: u32) -> Result<u32> {
    Ok(stat(pid)?.parent)
}

fn stat(pid: u32) -> Result<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Before it stands the name, which may hold anything. What follows begins with the third field of proc(5).
    let (_, rest) = text.rsplit_once(") ").context("no name in a stat")?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    let field = |number: usize| -> Result<u32> { Ok(fields.get(number - 3).context("a short stat")?.parse()?) };
    Ok(Stat { parent: field(4)?, own: TICK * (field(14)? + field(15)?), ended: TICK * (field(16)? + field(17)?) })
}
