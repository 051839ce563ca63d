//! refused: E0133: call to unsafe function

use holdout::rcu::cookie::Sequence;
use holdout::rcu::Elapsed;

pub fn forge() -> Elapsed {
    let sequence = Sequence::new();
    sequence.begin();
    sequence.end()
}
