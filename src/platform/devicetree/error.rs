//! Why a device tree cannot be used: each text names what is missing or wrong, in one line.

use core::fmt;

use dtoolkit::error::FdtParseError;

use super::{FORMAT, MAX_BLOB_BYTES, MAX_BOOTARGS};

/// The device tree does not describe a machine that this kernel can run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceTreeError {
    /// The bytes do not start as a device tree does.
    NotATree,
    /// The tree says that it is longer than one may be.
    TooLong {
        /// Bytes by its own account.
        bytes: usize,
    },
    /// The tree says that it is longer than the bytes there are.
    CutOff {
        /// Bytes by its own account.
        bytes: usize,
        /// Bytes there are.
        present: usize,
    },
    /// The tree asks for a reader of a later format.
    TooNew {
        /// The version that it asks for.
        version: u32,
    },
    /// The tree breaks the rules of its format.
    Damaged(FdtParseError),
    /// The tree lacks something.
    Missing(&'static str),
    /// The tree has it, with a status that forbids its use.
    NotOkay(&'static str),
    /// The tree has it, in a form that makes no sense.
    Unusable(&'static str),
    /// The tree has less room for something than one of it needs.
    TooSmall {
        /// For what.
        what: &'static str,
        /// Where.
        at: u64,
        /// Bytes that the tree says.
        bytes: u64,
        /// Bytes that one needs.
        least: u64,
    },
    /// The tree has more of it than can be kept apart.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The CPU that reads the tree is not in it.
    NoBootCpu {
        /// Its MPIDR.
        mpidr: u64,
    },
    /// Two CPUs of the tree are one.
    SameCpu {
        /// The MPIDR of both.
        mpidr: u64,
    },
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
            Self::TooLong { bytes } => {
                write!(f, "it says that it has {bytes} bytes; at most {MAX_BLOB_BYTES} are allowed")
            }
            Self::CutOff { bytes, present } => write!(f, "it has {bytes} bytes, of which {present} are there"),
            Self::TooNew { version } => {
                write!(f, "it asks for a reader of format version {version}; this one is of version {FORMAT}")
            }
            Self::Damaged(error) => write!(f, "it is damaged: {error}"),
            Self::Missing(what) => write!(f, "it lacks {what}"),
            Self::NotOkay(what) => write!(f, "it has {what}, but with a status other than okay"),
            Self::Unusable(what) => write!(f, "it makes no sense in {what}"),
            Self::TooSmall { what, at, bytes, least } => {
                write!(f, "{what} at {at:#x} has {bytes} bytes, needs {least}")
            }
            Self::TooMany { what, limit } => write!(f, "it has more than {limit} {what}"),
            Self::NoBootCpu { mpidr } => {
                write!(f, "no CPU whose status is okay has MPIDR {mpidr:#x}, which the CPU that boots has")
            }
            Self::SameCpu { mpidr } => write!(f, "two of its CPUs have MPIDR {mpidr:#x}"),
            Self::BootArgsTooLong { bytes } => {
                write!(f, "{bytes} bytes of boot arguments; at most {MAX_BOOTARGS} are allowed")
            }
        }
    }
}

impl core::error::Error for DeviceTreeError {}
