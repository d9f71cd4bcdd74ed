//! Where an import reads from: a file, standard input, or data that came with the program.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use ring::digest::{Context, SHA256};
use tempfile::NamedTempFile;

use crate::cli::error::Error;

/// Something that can be read several times: once to check it, once to send it.
pub(super) enum Source {
    /// A file.
    File(String),
    /// Standard input, kept for the second reading.
    Spooled(NamedTempFile),
    /// Data that came with the program.
    Embedded {
        /// What to call it.
        name: &'static str,
        /// The data.
        bytes: &'static [u8],
    },
}

impl Source {
    /// A file, or standard input for `-`.
    pub(super) fn named(path: &str) -> Result<Self, Error> {
        if path != "-" {
            return Ok(Self::File(path.to_owned()));
        }
        let spool = || -> io::Result<NamedTempFile> {
            let mut file = NamedTempFile::new()?;
            io::copy(&mut io::stdin().lock(), &mut file)?;
            file.flush()?;
            Ok(file)
        };
        spool().map(Self::Spooled).map_err(|cause| Error::File { path: "standard input".into(), cause })
    }

    /// What to call it: the name of the file without its folders.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => Path::new(path).file_name().map_or(path.clone(), |it| it.to_string_lossy().into()),
            Self::Spooled(_) => "standard input".to_owned(),
            Self::Embedded { name, .. } => (*name).to_owned(),
        }
    }

    /// An error of the system about it.
    pub(super) fn error(&self, cause: io::Error) -> Error {
        let path = if let Self::File(path) = self { path.clone() } else { self.name() };
        Error::File { path, cause }
    }

    /// A fresh reading of the bytes as they are.
    fn open(&self) -> Result<Box<dyn Read + Send>, Error> {
        let file = match self {
            Self::File(path) => File::open(path),
            Self::Spooled(file) => file.reopen(),
            Self::Embedded { bytes, .. } => return Ok(Box::new(*bytes)),
        };
        file.map(|file| Box::new(file) as Box<dyn Read + Send>).map_err(|cause| self.error(cause))
    }

    /// SHA-256 of the bytes.
    pub(super) fn digest(&self) -> Result<Vec<u8>, Error> {
        let (mut reader, mut hash, mut buffer) = (self.open()?, Context::new(&SHA256), vec![0; 64 * 1024]);
        loop {
            match reader.read(&mut buffer).map_err(|cause| self.error(cause))? {
                0 => return Ok(hash.finish().as_ref().to_vec()),
                count => hash.update(&buffer[..count]),
            }
        }
    }

    /// A fresh reading as CSV. Without a delimiter it is the one that the first line uses.
    pub(super) fn csv(&self, delimiter: Option<u8>) -> Result<csv::Reader<Lines>, Error> {
        let mut bytes = BufReader::new(self.open()?);
        let start = bytes.fill_buf().map_err(|cause| self.error(cause))?;
        if start.starts_with(&[0xFF, 0xFE]) || start.starts_with(&[0xFE, 0xFF]) {
            return Err(Error::Usage(format!("{}: the file is UTF-16; save it as CSV in UTF-8", self.name())));
        }
        let delimiter = delimiter.unwrap_or_else(|| likely_delimiter(start));
        Ok(csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(Lines::new(bytes)))
    }
}

fn likely_delimiter(start: &[u8]) -> u8 {
    let first_line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| first_line.iter().filter(|&&byte| byte == delimiter).count();
    let mut best = b',';
    for candidate in [b';', b'\t'] {
        if count(candidate) > count(best) {
            best = candidate;
        }
    }
    best
}

/// Turns CRLF into LF and ends the last line, so that every row ends with the line it is on, line numbers can be told,
/// and a row that is still open at the end shows.
pub(super) struct Lines {
    inner: BufReader<Box<dyn Read + Send>>,
    /// A CR that waits for what follows it.
    held: bool,
    state: End,
}

/// How near the end is.
#[derive(PartialEq)]
enum End {
    /// There may be more.
    Ahead,
    /// The last line was ended.
    Reached,
    /// Somebody asked for more than there is.
    Passed,
}

impl Lines {
    fn new(inner: BufReader<Box<dyn Read + Send>>) -> Self {
        Self { inner, held: false, state: End::Ahead }
    }

    /// Whether the reader wanted more than there is: it does so at the end of the file, and within a row only if a
    /// quote of the row is not closed.
    pub(super) fn passed_the_end(&self) -> bool {
        self.state == End::Passed
    }

    fn at_the_end(&mut self, buffer: &mut [u8]) -> usize {
        self.state = if self.state == End::Ahead { End::Reached } else { End::Passed };
        if self.passed_the_end() {
            return 0;
        }
        buffer[0] = b'\n';
        1
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let input = self.inner.fill_buf()?;
            let next = input.first().copied();
            // A CR that no LF follows stands for itself.
            if std::mem::take(&mut self.held) && next != Some(b'\n') {
                buffer[0] = b'\r';
                return Ok(1);
            }
            if next.is_none() {
                return Ok(self.at_the_end(buffer));
            }
            let until = input.iter().position(|&byte| byte == b'\r').unwrap_or(input.len());
            let count = until.min(buffer.len());
            buffer[..count].copy_from_slice(&input[..count]);
            self.held = input.get(count) == Some(&b'\r');
            self.inner.consume(count + usize::from(self.held));
            if count > 0 {
                return Ok(count);
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(text: &'static str, capacity: usize, step: usize) -> String {
        let mut lines = Lines::new(BufReader::with_capacity(capacity, Box::new(text.as_bytes())));
        let (mut all, mut buffer) = (Vec::new(), vec![0; step]);
        loop {
            match lines.read(&mut buffer).unwrap() {
                0 => return String::from_utf8(all).unwrap(),
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn crlf_becomes_lf_wherever_the_buffers_end_and_a_lone_cr_stays() {
        let text = "a\r\n\r\nb\rc\r\r\nd\r";
        for capacity in 1..8 {
            for step in 1..8 {
                assert_eq!(unix(text, capacity, step), "a\n\nb\rc\r\nd\r\n", "{capacity} {step}");
            }
        }
    }

    #[test]
    fn the_delimiter_is_the_one_of_the_first_line() {
        assert_eq!(likely_delimiter(b"a,b;c,d\n;;;;"), b',');
        assert_eq!(likely_delimiter(b"a;b;c\n"), b';');
        assert_eq!(likely_delimiter(b"a\tb"), b'\t');
        assert_eq!(likely_delimiter(b""), b',');
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Source::named("/no/such/file.csv").unwrap().digest().unwrap_err();
        assert!(error.to_string().starts_with("/no/such/file.csv: "), "{error}");
    }
}
