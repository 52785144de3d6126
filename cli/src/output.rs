//! Standard output. It holds nothing but data, and whoever reads it may stop at any time: a closed pipe is no
//! fault, and never a panic.

use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;

use crate::Failure;

/// Writes `text` to standard output, whole.
///
/// # Errors
/// When it cannot be written, for another reason than that nobody reads.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    write_to(&mut std::io::stdout().lock(), text).map(|_| ())
}

/// Writes `text` to `output` at once. [`ControlFlow::Break`] says that nobody reads any more.
///
/// # Errors
/// When it cannot be written, for another reason than that nobody reads.
pub(crate) fn write_to(output: &mut impl Write, text: &str) -> Result<ControlFlow<()>, Failure> {
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    match written {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(Failure::Environment(
            format!("cannot write to standard output: {error}"),
            "check where output goes to".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind, Result, Write};
    use std::ops::ControlFlow;

    use super::write_to;
    use crate::{Exit, Failure};

    struct Faulty(ErrorKind);

    impl Write for Faulty {
        fn write(&mut self, _: &[u8]) -> Result<usize> {
            Err(Error::from(self.0))
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_fault() {
        let written = write_to(&mut Faulty(ErrorKind::BrokenPipe), "x");
        assert!(matches!(written, Ok(ControlFlow::Break(()))), "{written:?}");
    }

    #[test]
    fn a_full_disk_is_the_environments() {
        let written = write_to(&mut Faulty(ErrorKind::StorageFull), "x");
        assert_eq!(
            written.as_ref().map_err(Failure::exit),
            Err(Exit::Environment),
            "{written:?}"
        );
    }
}
