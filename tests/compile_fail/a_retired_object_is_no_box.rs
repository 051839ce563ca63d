//! refused: E0308: mismatched types

use holdout::rcu::Retired;

pub fn free(retired: Retired<u64>) -> Box<u64> {
    retired
}
