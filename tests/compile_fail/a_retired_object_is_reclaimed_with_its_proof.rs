//! Obeys the rule.

use holdout::rcu::{Elapsed, Retired};

pub fn free(retired: Retired<u64>, elapsed: Elapsed) -> Result<Box<u64>, Retired<u64>> {
    retired.reclaim(elapsed)
}
