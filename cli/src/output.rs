//! Where a result goes: standard output, or a file that is replaced once the result is complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anstream::stream::{AsLockedWrite, RawStream};
use anstream::{AutoStream, ColorChoice};
use tempfile::NamedTempFile;

/// Why a result could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// Standard output takes nothing more.
    #[error("standard output: {0}")]
    Standard(io::Error),
    /// The file cannot be written.
    #[error("{file:?}: {source}")]
    File { file: PathBuf, source: io::Error },
}

impl OutputError {
    /// Whether the reader went away, as `head` does: no error worth a word.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let (Self::Standard(source) | Self::File { source, .. }) = self;
        source.kind() == io::ErrorKind::BrokenPipe
    }
}

/// An opened destination, not yet written to.
#[derive(Debug)]
pub(crate) struct Output {
    file: Option<(PathBuf, Destination)>,
}

#[derive(Debug)]
enum Destination {
    /// Written beside its final place, then renamed: never half a result under the name.
    Beside(NamedTempFile),
    /// A device or a pipe: it cannot be replaced, only written to.
    Through(File),
}

impl Output {
    /// Opens `file`, or standard output without one. A place that cannot be written to is an
    /// error now, before any work is done.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, OutputError> {
        let Some(file) = file else { return Ok(Self { file: None }) };
        let failed = |source| OutputError::File { file: file.to_owned(), source };
        // A link keeps pointing where it did; what it points to is replaced.
        let (place, existing) = match fs::canonicalize(file) {
            Ok(place) => {
                let existing = fs::metadata(&place).map_err(failed)?;
                (place, Some(existing))
            }
            // What standard output is may have no name that a link could lead to.
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.exists() => {
                let through = File::options().write(true).open(file).map_err(failed)?;
                let file = Some((file.to_owned(), Destination::Through(through)));
                return Ok(Self { file });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (file.to_owned(), None),
            Err(error) => return Err(failed(error)),
        };
        let destination = match existing {
            Some(existing) if existing.is_dir() => {
                return Err(failed(io::ErrorKind::IsADirectory.into()));
            }
            Some(existing) if !existing.is_file() => {
                Destination::Through(File::options().write(true).open(&place).map_err(failed)?)
            }
            existing => {
                let folder = match place.parent() {
                    Some(folder) if folder != Path::new("") => folder,
                    _ => Path::new("."),
                };
                let mut builder = tempfile::Builder::new();
                builder.prefix(".escalade-").suffix(".tmp");
                #[cfg(unix)]
                {
                    // What the user's umask leaves of it, as for any other file; who may read one
                    // that is replaced stays as it was.
                    use std::os::unix::fs::PermissionsExt;
                    let existing = existing.map(|existing| existing.permissions());
                    let all = || fs::Permissions::from_mode(0o666);
                    builder.permissions(existing.unwrap_or_else(all));
                }
                Destination::Beside(builder.tempfile_in(folder).map_err(failed)?)
            }
        };
        Ok(Self { file: Some((place, destination)) })
    }

    /// The width of the terminal that the result goes to; none if it does not go to one.
    pub(crate) fn width(&self) -> Option<usize> {
        match self.file {
            Some(_) => None,
            None => terminal_size::terminal_size_of(io::stdout())
                .map(|(terminal_size::Width(width), _)| usize::from(width)),
        }
    }

    /// Writes text that may be styled; the styles are dropped unless it goes to a terminal.
    pub(crate) fn text(
        self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        let choice = match self.file {
            Some(_) => ColorChoice::Never,
            None => AutoStream::choice(&io::stdout()),
        };
        self.write(choice, write)
    }

    /// Writes bytes as they are. Returns what `write` returns.
    pub(crate) fn bytes<T>(
        self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<T, OutputError> {
        self.write(ColorChoice::AlwaysAnsi, write)
    }

    fn write<T>(
        self,
        choice: ColorChoice,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<T, OutputError> {
        let Some((file, destination)) = self.file else {
            let out = io::stdout().lock();
            return buffered(out, choice, write).map_err(OutputError::Standard);
        };
        let failed = |source| OutputError::File { file: file.clone(), source };
        match destination {
            Destination::Through(device) => buffered(device, choice, write).map_err(failed),
            Destination::Beside(mut temporary) => {
                let value = buffered(temporary.as_file_mut(), choice, write).map_err(failed)?;
                temporary.persist(&file).map_err(|error| failed(error.error))?;
                Ok(value)
            }
        }
    }
}

fn buffered<T>(
    stream: impl RawStream + AsLockedWrite,
    choice: ColorChoice,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let mut out = BufWriter::new(AutoStream::new(stream, choice));
    let value = write(&mut out)?;
    out.flush()?;
    Ok(value)
}
