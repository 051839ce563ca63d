//! refused: E0382: use of moved value: `elapsed`

use holdout::rcu::{Elapsed, Reclaim, Retired};

pub fn free<T: Reclaim>(first: Retired<T>, second: Retired<T>, elapsed: Elapsed) {
    let _ = first.reclaim(elapsed);
    let _ = second.reclaim(elapsed);
}
