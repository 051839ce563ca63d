//! refused: E0308: mismatched types

use holdout::rcu::{Reclaim, Retired};

pub fn free<T: Reclaim>(retired: Retired<T>) -> Box<T> {
    retired
}
