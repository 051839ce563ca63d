//! Why a device tree cannot be used: each text names what is missing or wrong, in one line.

use core::fmt;

use dtoolkit::error::FdtParseError;

use super::{MAX_BOOTARGS, MAX_RANGES};

/// The device tree does not describe a machine that this kernel can run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceTreeError {
    /// The bytes do not start as a device tree does.
    NotATree,
    /// The tree says that it is longer than the bytes there are.
    CutOff {
        /// Bytes by its own account.
        bytes: usize,
        /// Bytes there are.
        present: usize,
    },
    /// The tree breaks the rules of its format.
    Damaged(FdtParseError),
    /// The tree lacks something.
    Missing(&'static str),
    /// The tree has it, in a form that makes no sense.
    Unusable(&'static str),
    /// More reserved ranges than can be kept free.
    TooManyReserved,
    /// Boot arguments beyond the limit.
    BootArgsTooLong {
        /// How long they are.
        bytes: usize,
    },
}

impl fmt::Display for DeviceTreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("device tree: ")?;
        match self {
            Self::NotATree => f.write_str("there is none"),
            Self::CutOff { bytes, present } => write!(f, "it has {bytes} bytes, of which {present} are there"),
            Self::Damaged(error) => write!(f, "it is damaged: {error}"),
            Self::Missing(what) => write!(f, "it lacks {what}"),
            Self::Unusable(what) => write!(f, "it makes no sense in {what}"),
            Self::TooManyReserved => write!(f, "it reserves more than {MAX_RANGES} ranges of memory"),
            Self::BootArgsTooLong { bytes } => {
                write!(f, "{bytes} bytes of boot arguments; at most {MAX_BOOTARGS} are allowed")
            }
        }
    }
}

impl core::error::Error for DeviceTreeError {}
