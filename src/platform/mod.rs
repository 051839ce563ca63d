//! What the kernel was given: the machine of the device tree, the boot arguments, the image's own symbols.
//!
//! Floor 0: pure readers of bytes that others wrote. Nothing here touches hardware, takes a lock or allocates, so the
//! boot code, the panic path and the hit path of a tracer may all call in, and everything is tested on the host.
//! Each reader takes any bytes at all: what it cannot use is refused by an error that names what was found.

pub mod bootargs;
pub mod devicetree;
pub mod layout;
pub mod names;
pub mod ranges;
pub mod redistributors;
pub mod shown;
pub mod symbols;

pub use bootargs::{ArgError, BootArgs};
pub use names::{Bench, Hold, Mode, Name, PreemptModel, SchemeName, Selftest, Urgency, WindowFunc, WindowScenario};
pub use shown::Shown;
