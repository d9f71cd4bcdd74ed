//! The servers that are measured, each a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use tonic::transport::Channel;

use super::drive;

/// Connections that callers share.
const CONNECTIONS: usize = 4;

/// A server under load. Killed when dropped.
pub struct Process {
    child: Child,
    /// Open as long as the server runs, which would fail to print otherwise.
    _stdout: BufReader<ChildStdout>,
    pub url: String,
    pub channels: Vec<Channel>,
    /// When it was started.
    pub began: Instant,
}

impl Process {
    /// Starts a program that prints `... listening on URL` once it accepts calls.
    pub async fn start(mut command: Command) -> Result<Self> {
        let began = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().context("no pipe")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let mut process = Self { child, _stdout: stdout, url: String::new(), channels: Vec::new(), began };
        let (_, url) = line.trim().rsplit_once(" listening on ").context("a server did not start")?;
        process.url = url.to_owned();
        process.channels = drive::connect(url, CONNECTIONS).await?;
        Ok(process)
    }

    /// A connection.
    pub fn channel(&self) -> Channel {
        self.channels[0].clone()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory that are resident.
    pub fn resident_bytes(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
