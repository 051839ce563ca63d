//! refused: E0277: the trait bound `Elapsed: Default` is not satisfied

use holdout::rcu::Elapsed;

pub fn forge() -> Elapsed {
    Default::default()
}
