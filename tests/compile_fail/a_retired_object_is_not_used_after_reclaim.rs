//! refused: E0382: borrow of moved value: `retired`

use holdout::rcu::{Elapsed, Reclaim, Retired};

pub fn free<T: Reclaim>(retired: Retired<T>, elapsed: Elapsed) -> usize {
    let _ = retired.reclaim(elapsed);
    retired.address()
}
