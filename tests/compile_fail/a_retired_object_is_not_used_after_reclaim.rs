//! refused: E0382: borrow of moved value: `retired`

use holdout::rcu::{Elapsed, Retired};

pub fn free(retired: Retired<u64>, elapsed: Elapsed) -> usize {
    let _ = retired.reclaim(elapsed);
    retired.address()
}
