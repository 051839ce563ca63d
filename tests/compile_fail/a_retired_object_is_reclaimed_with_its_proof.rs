//! Obeys the rule.

use holdout::rcu::{Elapsed, Reclaim, Retired};

pub fn free<T: Reclaim>(retired: Retired<T>, elapsed: Elapsed) -> Result<Box<T>, Retired<T>> {
    retired.reclaim(elapsed)
}
